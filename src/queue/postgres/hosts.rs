//! Which hosts work or have worked, what one of them has left behind, and the word that one is down.

use std::collections::HashMap;

use super::handle::PostgresQueue;
use super::text::no_nul;
use crate::job::{BatchId, JobId};
use crate::queue::stored::damaged;
use crate::queue::{Fence, Sender, StoreError, Tenure};

/// A process that works, or of which nobody knows whether it has ended. Moments are Unix time by the
/// server's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLease {
    /// Whose API.
    pub provider: String,
    /// Whose instances; `None`: nobody has asked yet, and the lease is the batch's alone.
    pub account: Option<String>,
    /// The machine.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// How often the lease had been acquired by then.
    pub epoch: i64,
    /// What it works on, or did.
    pub batch: BatchId,
    /// Since when.
    pub since_ms: i64,
    /// When it renewed the lease last; `None`: somebody else has it since.
    pub renewed_ms: Option<i64>,
    /// When the lease runs out; `None`: somebody else has it since.
    pub expires_ms: Option<i64>,
    /// It has said itself that it ended.
    pub has_ended: bool,
    /// The server's time.
    pub now_ms: i64,
}

impl HostLease {
    /// It has the lease, and renews it.
    pub fn works(&self) -> bool {
        !self.has_ended
            && self
                .expires_ms
                .is_some_and(|until_ms| self.now_ms < until_ms)
    }
}

/// The processes that hold a lease or held it last, and those that have lost theirs and never said that
/// they ended.
const HOSTS: &str =
    "SELECT batch.provider, batch.account, run.host, run.pid, run.epoch, run.batch_id,
            (extract(epoch FROM run.since) * 1000)::bigint,
            (extract(epoch FROM lease.renewed_at) * 1000)::bigint,
            (extract(epoch FROM lease.expires_at) * 1000)::bigint, run.ended_ms IS NOT NULL,
            (extract(epoch FROM clock_timestamp()) * 1000)::bigint
     FROM run JOIN batch ON batch.id = run.batch_id
     LEFT JOIN lease ON lease.run_id = run.id AND (lease.account <> '' OR lease.released_at IS NULL)
     WHERE lease.run_id IS NOT NULL OR run.ended_ms IS NULL
     ORDER BY batch.provider, batch.account, run.id";

/// Who has committed the intent of the present attempt of jobs that are being submitted, and whether that
/// process has said itself that it ended.
pub(super) const SENDERS: &str = "SELECT job.id, run.tenure::text, run.epoch, run.host, (extract(epoch FROM run.since) * 1000)::bigint,
            run.ended_ms
     FROM job
     JOIN ledger ON ledger.job_id = job.id AND ledger.attempt = job.attempt AND ledger.kind = 'intent'
     JOIN run ON run.id = ledger.run_id
     WHERE job.batch_id = $1 AND job.state <> 'queued' AND job.completed_ms IS NULL AND job.state = 'submitting'";

type HostRow = (
    String,
    Option<String>,
    String,
    i64,
    Option<i64>,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    bool,
    i64,
);

type SenderRow = (i64, String, Option<i64>, String, i64, Option<i64>);

impl PostgresQueue {
    /// The leases of all accounts.
    pub async fn hosts(&mut self) -> Result<Vec<HostLease>, StoreError> {
        let rows: Vec<HostRow> = self.session.all(sqlx::query_as(HOSTS)).await?;
        let lease = |row: HostRow| {
            Ok(HostLease {
                provider: row.0,
                account: row.1,
                host: row.2,
                pid: u32::try_from(row.3).map_err(|_| damaged("a process's number"))?,
                epoch: row.4.ok_or_else(|| damaged("a tenure"))?,
                batch: BatchId(row.5),
                since_ms: row.6,
                renewed_ms: row.7,
                expires_ms: row.8,
                has_ended: row.9,
                now_ms: row.10,
            })
        };
        rows.into_iter().map(lease).collect()
    }

    /// Who was about to send those jobs of `batch` that are being submitted.
    pub async fn senders(&mut self, batch: BatchId) -> Result<HashMap<JobId, Sender>, StoreError> {
        let senders = sqlx::query_as(SENDERS).bind(batch.0);
        let rows: Vec<SenderRow> = self.session.all(senders).await?;
        let sender = |(job, id, epoch, host, since_ms, ended_ms): SenderRow| {
            let tenure = Tenure {
                id: id.parse().map_err(|_| damaged("a tenure"))?,
                epoch: epoch.ok_or_else(|| damaged("a tenure"))?,
                host,
                since_ms,
            };
            Ok((JobId::from_stored(job), Sender { tenure, ended_ms }))
        };
        rows.into_iter().map(sender).collect()
    }

    /// The words that hosts are down, and the server's time.
    pub async fn fences(&mut self) -> Result<(Vec<Fence>, i64), StoreError> {
        let fences = sqlx::query_as(
            "SELECT host, (extract(epoch FROM at) * 1000)::bigint FROM fence ORDER BY id",
        );
        let rows: Vec<(String, i64)> = self.session.all(fences).await?;
        let now = sqlx::query_as("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
        let (now_ms,): (i64,) = self.session.one(now).await?;
        let fence = |(host, at_ms)| Fence {
            host,
            tenure: None,
            at_ms,
        };
        Ok((rows.into_iter().map(fence).collect(), now_ms))
    }

    /// Writes down that `host` is down, by the word of `operator`.
    pub async fn fence(
        &mut self,
        host: &str,
        operator: &str,
        reason: &str,
    ) -> Result<(), StoreError> {
        let fence = sqlx::query("INSERT INTO fence (host, operator, reason) VALUES ($1, $2, $3)")
            .bind(no_nul(host))
            .bind(no_nul(operator))
            .bind(no_nul(reason));
        self.session.execute(fence).await?;
        Ok(())
    }
}
