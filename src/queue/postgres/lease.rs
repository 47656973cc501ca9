//! The right of one process to work for an account, by the server's clock alone.
//!
//! The one fact to know: the lease belongs to the account, because the account's calls are what two
//! hosts must not make at once. Until a batch's account is known the batch has a lease of its own, which
//! becomes the account's when the batch is bound.

use uuid::Uuid;

use super::handle::PostgresQueue;
use super::session::{Session, Transaction};
use super::text::{json_text, no_nul};
use crate::job::{BatchId, Owner, RunId};
use crate::queue::process::Process;
use crate::queue::stored::{damaged, owner};
use crate::queue::{AtWork, Holder, Lease, NewRun, StoreError};

/// Whose lease a batch has: provider, account ('': not known), batch (0: the account's).
type Key = (String, String, i64);

/// Locks the batch, so that nobody binds it meanwhile.
const KEY: &str =
    "SELECT provider, coalesce(account, ''), CASE WHEN account IS NULL THEN id ELSE 0 END
     FROM batch WHERE id = $1 FOR NO KEY UPDATE";

const NEW_RUN: &str =
    "INSERT INTO run (batch_id, started_ms, pid, host, version, options, tenure, kernel, started)
     VALUES ($1, $2, $3, $4, $5, $6::json, $7::uuid, $8, $9) RETURNING id";

/// What becomes of a lease that somebody had before: only this process takes it while it lasts.
macro_rules! take_over {
    () => {
        "ON CONFLICT (provider, account, batch_id) DO UPDATE
         SET epoch = lease.epoch + 1, holder = excluded.holder, host = excluded.host, pid = excluded.pid,
             version = excluded.version, run_id = excluded.run_id, acquired_at = clock_timestamp(),
             renewed_at = clock_timestamp(), released_at = NULL,
             expires_at = clock_timestamp() + (excluded.expires_at - excluded.renewed_at)
         WHERE lease.holder = excluded.holder OR lease.released_at IS NOT NULL
               OR lease.expires_at <= clock_timestamp()
         RETURNING epoch"
    };
}

/// Of the key ($1, $2, $3), for the process $4 on $5 with the number $6 and the version $7, its run $8, for
/// $9 milliseconds.
const TAKE: &str = concat!(
    "INSERT INTO lease (provider, account, batch_id, epoch, holder, host, pid, version, run_id, acquired_at, renewed_at, expires_at)
     SELECT $1, $2, $3, 1, $4::uuid, $5, $6, $7, $8, now, now, now + $9 * interval '1 millisecond'
     FROM (SELECT clock_timestamp() AS now) AS clock ",
    take_over!()
);

/// The account $2 of the provider $1 takes over the lease of the batch $3, if somebody holds that.
const MOVE: &str = concat!(
    "INSERT INTO lease (provider, account, batch_id, epoch, holder, host, pid, version, run_id, acquired_at, renewed_at, expires_at)
     SELECT provider, $2, 0, 1, holder, host, pid, version, run_id, acquired_at, renewed_at, expires_at FROM lease
     WHERE provider = $1 AND account = '' AND batch_id = $3 AND released_at IS NULL ",
    take_over!()
);

const HOLDER: &str = "SELECT host, pid, (extract(epoch FROM acquired_at) * 1000)::bigint,
            (extract(epoch FROM expires_at) * 1000)::bigint
     FROM lease WHERE provider = $1 AND account = $2 AND batch_id = $3";

const RENEW: &str = "UPDATE lease SET renewed_at = clock_timestamp(),
     expires_at = clock_timestamp() + $2 * interval '1 millisecond'
     WHERE run_id = $1 AND released_at IS NULL";

/// The leases that hold, with what their runs work on.
const AT_WORK: &str =
    "SELECT lease.host, lease.pid, (extract(epoch FROM lease.acquired_at) * 1000)::bigint,
            run.id, run.batch_id
     FROM lease JOIN run ON run.id = lease.run_id
     WHERE lease.released_at IS NULL AND lease.expires_at > clock_timestamp()
     ORDER BY lease.acquired_at, run.id";

impl PostgresQueue {
    /// This process begins to work on a batch. [`StoreError::Locked`]: another one holds the lease, and has
    /// renewed it in time.
    pub async fn acquire(&mut self, run: &NewRun) -> Result<Lease, StoreError> {
        let holder = self.holder.to_string();
        let lease_ms = self.session.server.lease_ms();
        let host = self.session.server.host().to_owned();
        let process = Process::this();
        let mut transaction = self.session.begin().await?;
        // What is noticed is kept: nothing else was written by then.
        if let Err(another) = transaction.make_sure().await {
            transaction.commit().await?;
            self.session.doubt();
            return Err(another);
        }
        let key: Key = transaction
            .one(sqlx::query_as(KEY).bind(run.batch.0))
            .await?;
        let tenure = Uuid::from_u128(fastrand::u128(..));
        let new_run = sqlx::query_as(NEW_RUN)
            .bind(run.batch.0)
            .bind(run.started_ms)
            .bind(i64::from(std::process::id()))
            .bind(&host)
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(json_text(&run.options))
            .bind(tenure.to_string())
            .bind(process.as_ref().map(|process| process.kernel.as_str()))
            .bind(process.as_ref().map(|process| process.started));
        let (id,): (i64,) = transaction.one(new_run).await?;
        let take = sqlx::query_as(TAKE)
            .bind(&key.0)
            .bind(&key.1)
            .bind(key.2)
            .bind(holder)
            .bind(&host)
            .bind(i64::from(std::process::id()))
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(id)
            .bind(lease_ms);
        let taken: Option<(i64,)> = transaction.maybe(take).await?;
        let Some((epoch,)) = taken else {
            let error = locked(&mut transaction, &key).await?;
            transaction.rollback().await;
            return Err(error);
        };
        let held = sqlx::query("UPDATE run SET epoch = $2 WHERE id = $1");
        transaction.execute(held.bind(id).bind(epoch)).await?;
        transaction.commit().await?;
        Ok(Lease::new(run.batch, RunId(id), epoch).of_tenure(tenure))
    }

    /// The lease goes on from now, or was lost.
    pub async fn renew(&mut self, lease: &Lease) -> Result<(), StoreError> {
        renew(&mut self.session, lease).await
    }

    /// The batch belongs to `wanted` from now on, unless it belongs to somebody already.
    pub(super) async fn bind_batch(
        &mut self,
        batch: BatchId,
        wanted: &Owner,
    ) -> Result<Owner, StoreError> {
        let mut transaction = self.session.begin().await?;
        let (provider, account, _): Key =
            transaction.one(sqlx::query_as(KEY).bind(batch.0)).await?;
        if account.is_empty() {
            let bound = bind(&mut transaction, &provider, batch, wanted).await;
            if let Err(error) = bound {
                transaction.rollback().await;
                return Err(error);
            }
        }
        let bound = sqlx::query_as("SELECT account, account_label FROM batch WHERE id = $1");
        let (account, label) = transaction.one(bound.bind(batch.0)).await?;
        transaction.commit().await?;
        owner(account, label).ok_or_else(|| damaged("a batch's account"))
    }

    /// Records how the run ended, and gives back its lease.
    pub async fn release(
        &mut self,
        lease: Lease,
        ended_ms: i64,
        exit_code: u8,
        halted: Option<&str>,
    ) -> Result<(), StoreError> {
        let release = sqlx::query(
            "WITH ended AS (UPDATE run SET ended_ms = $2, exit_code = $3, halted = $4
                            WHERE id = $1 AND ended_ms IS NULL)
             UPDATE lease SET released_at = clock_timestamp() WHERE run_id = $1 AND released_at IS NULL",
        )
        .bind(lease.run().0)
        .bind(ended_ms)
        .bind(i16::from(exit_code))
        .bind(halted.map(no_nul));
        self.session.execute(release).await?;
        Ok(())
    }

    /// Who works, and on what: whoever holds a lease that has not run out.
    pub async fn at_work(&mut self) -> Result<Vec<AtWork>, StoreError> {
        let rows: Vec<(String, i64, i64, i64, i64)> =
            self.session.all(sqlx::query_as(AT_WORK)).await?;
        let at_work = rows.into_iter().map(|(host, pid, since_ms, run, batch)| {
            Ok(AtWork {
                holder: holder((host, pid, since_ms))?,
                run: Some((BatchId(batch), RunId(run))),
            })
        });
        at_work.collect()
    }
}

/// The lease goes on from now, or was lost.
pub(super) async fn renew(session: &mut Session, lease: &Lease) -> Result<(), StoreError> {
    let lease_ms = session.server.lease_ms();
    let renew = sqlx::query(RENEW).bind(lease.run().0).bind(lease_ms);
    match session.execute(renew).await? {
        0 => Err(StoreError::LeaseLost {
            batch: lease.batch(),
        }),
        _ => Ok(()),
    }
}

/// The batch becomes the account's, and so does its lease.
async fn bind(
    transaction: &mut Transaction<'_>,
    provider: &str,
    batch: BatchId,
    wanted: &Owner,
) -> Result<(), StoreError> {
    let bound = sqlx::query("UPDATE batch SET account = $2, account_label = $3 WHERE id = $1")
        .bind(batch.0)
        .bind(wanted.id.as_str())
        .bind(wanted.label.as_deref().map(no_nul));
    transaction.execute(bound).await?;
    let moved = sqlx::query_as::<_, (i64,)>(MOVE)
        .bind(provider)
        .bind(wanted.id.as_str())
        .bind(batch.0);
    let is_moved = transaction.maybe(moved).await?.is_some();
    let given_up = sqlx::query(
        "UPDATE lease SET released_at = clock_timestamp()
         WHERE provider = $1 AND account = '' AND batch_id = $2 AND released_at IS NULL",
    )
    .bind(provider)
    .bind(batch.0);
    let was_held = transaction.execute(given_up).await? > 0;
    if was_held && !is_moved {
        let key = (provider.to_owned(), wanted.id.as_str().to_owned(), 0);
        return Err(locked(transaction, &key).await?);
    }
    Ok(())
}

/// Who holds the lease.
async fn locked(transaction: &mut Transaction<'_>, key: &Key) -> Result<StoreError, StoreError> {
    let held = sqlx::query_as(HOLDER).bind(&key.0).bind(&key.1).bind(key.2);
    let (host, pid, since_ms, until_ms) = transaction.one(held).await?;
    Ok(StoreError::Locked(Holder {
        until_ms: Some(until_ms),
        ..holder((host, pid, since_ms))?
    }))
}

fn holder((host, pid, since_ms): (String, i64, i64)) -> Result<Holder, StoreError> {
    Ok(Holder {
        pid: u32::try_from(pid).map_err(|_| damaged("a process's number"))?,
        host,
        since_ms,
        until_ms: None,
    })
}
