//! What a service looks for: the orders that are open, how each stands, and which of them are to be left
//! alone for a while.
//!
//! The one fact to know: a look costs as much as there are open orders, however many have ended, and the
//! same few statements for one account as for a thousand.

use std::collections::HashMap;
use std::time::Duration;

use super::handle::PostgresQueue;
use super::text::{json_text, no_nul};
use crate::job::{AccountId, BatchId};
use crate::queue::stored::{BATCH_COLUMNS, StoredBatch, Tallies, may_be_stray};
use crate::queue::{Batch, StoreError};

/// Batches with a job that is queued, or on its way, or in a doubt that is watched; each is found by one
/// step through an index.
pub(super) const OPEN: &str = "WITH RECURSIVE queued(id) AS (
         (SELECT batch_id FROM job WHERE state = 'queued' ORDER BY batch_id LIMIT 1)
         UNION ALL
         SELECT (SELECT batch_id FROM job WHERE state = 'queued' AND batch_id > queued.id
                 ORDER BY batch_id LIMIT 1)
         FROM queued WHERE id IS NOT NULL),
     unsettled(id) AS (
         (SELECT batch_id FROM job WHERE state <> 'queued' AND completed_ms IS NULL ORDER BY batch_id LIMIT 1)
         UNION ALL
         SELECT (SELECT batch_id FROM job WHERE state <> 'queued' AND completed_ms IS NULL
                     AND batch_id > unsettled.id ORDER BY batch_id LIMIT 1)
         FROM unsettled WHERE id IS NOT NULL)
     SELECT id FROM queued WHERE id IS NOT NULL UNION SELECT id FROM unsettled WHERE id IS NOT NULL";

/// Batches with a hook that waits for its turn; each is found by one step through an index.
pub(super) const WAITING: &str = "WITH RECURSIVE waiting(id) AS (
         (SELECT batch_id FROM job WHERE hook = 'pending' ORDER BY batch_id LIMIT 1)
         UNION ALL
         SELECT (SELECT batch_id FROM job WHERE hook = 'pending' AND batch_id > waiting.id
                 ORDER BY batch_id LIMIT 1)
         FROM waiting WHERE id IS NOT NULL)
     SELECT id FROM waiting WHERE id IS NOT NULL";

/// The last word of an operator on each of these batches, how often the ledger was adopted, whether anybody
/// ordered it or it was only loaded, and the last word that a host is down, where one may keep its jobs back.
pub(super) const STANDING: &str = concat!(
    "SELECT id, coalesce((SELECT max(seq) FROM control WHERE batch_id = batch.id), 0),
            (SELECT adoptions FROM origin),
            options IS NOT NULL OR EXISTS (SELECT 1 FROM run WHERE batch_id = batch.id),
            CASE WHEN EXISTS (SELECT 1 FROM job AS stray JOIN job ON job.service_id = stray.service_id
                                  AND job.batch_id = batch.id AND job.state = 'queued' WHERE ",
    may_be_stray!("stray"),
    ")
                 THEN (SELECT coalesce(max(id), 0) FROM fence) ELSE 0 END
     FROM batch WHERE id = ANY($1)"
);

pub(super) const TALLIES: &str =
    "SELECT batch_id, state, sum(jobs)::bigint, max(moved_ms) FROM tally
     WHERE batch_id = ANY($1) GROUP BY batch_id, state";

/// Accounts that somebody works for.
const AT_WORK: &str = "SELECT provider, account, host, pid FROM lease
     WHERE account <> '' AND released_at IS NULL AND expires_at > clock_timestamp()";

/// What is left alone.
const RESTS: &str =
    "SELECT provider, account, batch_id, seen, why, (extract(epoch FROM until) * 1000)::bigint
     FROM rest WHERE until IS NULL OR until > clock_timestamp()";

/// Provider, account, batch, how that stood, why, until when.
type RestRow = (String, String, i64, Option<String>, String, Option<i64>);

/// Somebody has ordered what was only loaded.
const ORDER: &str = "UPDATE batch SET options = $2::json WHERE id = $1 AND options IS NULL
     AND NOT EXISTS (SELECT 1 FROM run WHERE batch_id = batch.id)";

const REST: &str = "INSERT INTO rest (provider, account, batch_id, since, until, seen, why)
     VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp() + $4 * interval '1 millisecond', $5, $6)
     ON CONFLICT (provider, account, batch_id) DO UPDATE
     SET since = excluded.since, until = excluded.until, seen = excluded.seen, why = excluded.why";

/// An order that is open.
#[derive(Debug)]
pub struct OpenOrder {
    pub batch: Batch,
    /// Somebody has ordered it; else it was only loaded.
    pub is_ordered: bool,
    /// How it stands: another text where anything has happened to it or was said of it.
    pub standing: String,
}

/// An account, as a service finds work for it.
pub type AccountKey = (String, AccountId);

/// All that is open, the oldest first, and what keeps a service from it.
#[derive(Debug, Default)]
pub struct OpenOrders {
    pub orders: Vec<OpenOrder>,
    /// Batches with hooks that wait for their turn, open or not.
    pub with_hooks: Vec<Batch>,
    /// Who works for an account: host and process.
    pub at_work: HashMap<AccountKey, (String, u32)>,
    /// Accounts that are left alone for a while.
    accounts: HashMap<AccountKey, Rest>,
    /// Orders that are left alone, each as it stood.
    batches: HashMap<BatchId, (String, Rest)>,
}

/// What is left alone, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// For people.
    pub why: String,
    /// Until when at the latest, as Unix time by the server's clock; `None`: until something happens to it.
    pub until_ms: Option<i64>,
}

impl OpenOrders {
    /// It is left alone, and nothing has happened to it since; or its account is.
    pub fn rests(&self, order: &OpenOrder) -> Option<&Rest> {
        let of_batch = self.batches.get(&order.batch.id);
        let of_batch = of_batch.filter(|(standing, _)| *standing == order.standing);
        let owner = order.batch.owner.as_ref();
        let of_account = owner.and_then(|owner| {
            let key = (order.batch.provider.clone(), owner.id.clone());
            self.accounts.get(&key)
        });
        of_batch.map(|(_, rest)| rest).or(of_account)
    }
}

/// What is left alone.
#[derive(Debug, Clone, Copy)]
pub enum Resting<'a> {
    /// A whole account.
    Account(&'a AccountKey),
    /// One order, until something has happened to it.
    Order(&'a OpenOrder),
}

impl PostgresQueue {
    /// What is open, and what keeps a service from it.
    pub async fn open_orders(&mut self) -> Result<OpenOrders, StoreError> {
        let mut transaction = self.session.begin_reading().await?;
        let ids: Vec<(i64,)> = transaction.all(sqlx::query_as(OPEN)).await?;
        let waiting: Vec<(i64,)> = transaction.all(sqlx::query_as(WAITING)).await?;
        let ids: Vec<i64> = ids.iter().chain(&waiting).map(|(id,)| *id).collect();
        let batches = format!(
            "SELECT {BATCH_COLUMNS}, rows::text AS rows FROM batch WHERE id = ANY($1) ORDER BY id"
        );
        let batches = sqlx::query_as(sqlx::AssertSqlSafe(batches)).bind(&ids);
        let batches: Vec<StoredBatch> = transaction.all(batches).await?;
        let tallies = sqlx::query_as(TALLIES).bind(&ids);
        let tallies = Tallies::of(transaction.all(tallies).await?)?;
        let standing = sqlx::query_as(STANDING).bind(&ids);
        let standing: Vec<(i64, i64, i32, bool, i64)> = transaction.all(standing).await?;
        let at_work: Vec<(String, String, String, i64)> =
            transaction.all(sqlx::query_as(AT_WORK)).await?;
        let rests: Vec<RestRow> = transaction.all(sqlx::query_as(RESTS)).await?;
        transaction.rollback().await;

        let standing: HashMap<i64, _> = (standing.into_iter())
            .map(|(id, word, adoptions, is_ordered, fence)| {
                (id, (word, adoptions, is_ordered, fence))
            })
            .collect();
        let mut found = OpenOrders::default();
        for batch in batches {
            let batch = batch.with(&tallies)?;
            if waiting.contains(&(batch.id.0,)) {
                found.with_hooks.push(batch.clone());
            }
            if !batch.is_open() {
                continue;
            }
            let (word, adoptions, is_ordered, fence) =
                standing.get(&batch.id.0).copied().unwrap_or_default();
            let (touched_ms, counts) = (batch.touched_ms, &batch.counts);
            found.orders.push(OpenOrder {
                standing: format!("{touched_ms} {word} {fence} {adoptions} {counts:?}"),
                is_ordered,
                batch,
            });
        }
        let worked = at_work.into_iter().map(|(provider, account, host, pid)| {
            let pid = u32::try_from(pid).unwrap_or_default();
            ((provider, AccountId::new(account)), (host, pid))
        });
        found.at_work = worked.collect();
        for (provider, account, batch, seen, why, until_ms) in rests {
            let rest = Rest { why, until_ms };
            if let Some(seen) = seen {
                found.batches.insert(BatchId(batch), (seen, rest));
            } else {
                let key = (provider, AccountId::new(account));
                found.accounts.insert(key, rest);
            }
        }
        Ok(found)
    }

    /// `batch` is ordered with these options; `false`: somebody had ordered it before, and it keeps to his.
    pub async fn order(
        &mut self,
        batch: BatchId,
        options: &serde_json::Value,
    ) -> Result<bool, StoreError> {
        let order = sqlx::query(ORDER).bind(batch.0).bind(json_text(options));
        Ok(self.session.execute(order).await? > 0)
    }

    /// Leaves it alone on every host: for so long, or until something happens to it. `why`: for people.
    pub async fn leave_alone(
        &mut self,
        what: Resting<'_>,
        lasts: Option<Duration>,
        why: &str,
    ) -> Result<(), StoreError> {
        let (provider, account, batch, seen) = match what {
            Resting::Account((provider, account)) => (provider.as_str(), account.as_str(), 0, None),
            Resting::Order(order) => {
                let account = order.batch.owner.as_ref();
                let account = account.map_or("", |owner| owner.id.as_str());
                let provider = order.batch.provider.as_str();
                (provider, account, order.batch.id.0, Some(&order.standing))
            }
        };
        let lasts = lasts.map(|lasts| i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
        let rest = sqlx::query(REST)
            .bind(provider)
            .bind(account)
            .bind(batch)
            .bind(lasts)
            .bind(seen)
            .bind(no_nul(why));
        self.session.execute(rest).await?;
        Ok(())
    }
}
