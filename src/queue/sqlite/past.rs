//! What the database knows of services that are ordered anew. Nothing here changes anything; what
//! follows from it, [`crate::queue::past`] decides.

use sqlx::SqliteConnection;

use super::clock::SetBacks;
use super::statement::json;
use super::stored::damaged;
use crate::job::{Action, BatchId, Executed, ImageId, NewJob, RunId, ServiceId, State};
use crate::queue::past::{LastSubmission, Sieve};
use crate::queue::{Conflict, EnqueuePolicy, LeftOut, Live, NewBatch, StoreError};
use crate::time;

/// The services of ?1 (pairs of service and image) that are live in another batch than ?2.
pub(super) const LIVE: &str = "SELECT job.service_id, job.batch_id, job.held
     FROM json_each(?1) AS pair CROSS JOIN job ON job.service_id = pair.value ->> 0
     WHERE job.completed_ms IS NULL AND job.batch_id <> ?2";

/// The batches in which anything moved after ?1: no other one holds a submission of that time. All
/// of them where dates cannot be trusted: ?2, or one lies later than ?3.
const RECENT: &str = "SELECT json_group_array(DISTINCT batch_id) FROM tally
     WHERE moved_ms > ?1 OR ?2 OR EXISTS (SELECT 1 FROM tally WHERE moved_ms > ?3)";

/// [`StoredSubmission`] of the job that had the service's last submission of the action ?2, among those
/// that may have touched it.
macro_rules! last_submitted {
    ($($condition:literal)?) => {
        concat!(
            "(SELECT json_array(batch_id, state, executed, intent_ms, image IS pair.value ->> 1, run_id, seq)
              FROM job LEFT JOIN ledger AS intent
                       ON kind = 'intent' AND job_id = job.id AND intent.attempt = job.attempt
              WHERE service_id = pair.value ->> 0 AND executed <> 'no'
                    AND (SELECT action FROM batch WHERE batch.id = job.batch_id) = ?2 ", $($condition,)?
            "ORDER BY seq DESC LIMIT 1)"
        )
    };
}

/// The last submission of each service of ?1, of the action ?2, in the batches ?3.
pub(super) const SUBMITTED: &str = concat!(
    "SELECT service_id, last FROM (SELECT pair.value ->> 0 AS service_id, ",
    last_submitted!("AND batch_id IN (SELECT value FROM json_each(?3)) "),
    " AS last FROM json_each(?1) AS pair) WHERE last IS NOT NULL"
);

/// The last submission of each service of ?1, of the action ?2, and whether any made it the image that it
/// asks for.
pub(super) const ENDED: &str = concat!(
    "SELECT service_id, last, has_image FROM (SELECT pair.value ->> 0 AS service_id, ",
    last_submitted!(),
    " AS last, EXISTS (SELECT 1 FROM job WHERE service_id = pair.value ->> 0 AND state = 'done'
                       AND image IS pair.value ->> 1
                       AND (SELECT action FROM batch WHERE batch.id = job.batch_id) = ?2) AS has_image
     FROM json_each(?1) AS pair) WHERE last IS NOT NULL"
);

/// A service's last submission, as [`SUBMITTED`] and [`ENDED`] give it.
#[derive(serde::Deserialize)]
struct StoredSubmission {
    batch: i64,
    state: State,
    executed: Executed,
    intent_ms: i64,
    /// 1: it asked for the same image.
    same_image: u8,
    /// The run that submitted it, and the intent's number in the ledger.
    run: Option<i64>,
    seq: Option<i64>,
}

/// What the services of an order have been through, read set by set. A job of any action that is live is
/// in the way of every order; what has ended is the past of its own action alone.
pub(super) struct Past {
    /// What is ordered.
    action: Action,
    sieve: Sieve,
    /// Other batches exist, so that services may have a past.
    exists: bool,
    /// Under [`EnqueuePolicy::due`]: the batches of [`RECENT`], as JSON.
    recent: String,
    /// Under [`EnqueuePolicy::due`]: the runs whose clock had gone back.
    set_back: SetBacks,
}

impl Past {
    /// Before the batch of the order is created.
    pub(super) async fn read(
        connection: &mut SqliteConnection,
        action: Action,
        policy: EnqueuePolicy,
    ) -> Result<Self, StoreError> {
        let exists = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM batch)")
            .fetch_one(&mut *connection)
            .await?;
        let (mut recent, mut set_back) = (String::new(), SetBacks::default());
        if let Some(due) = policy.due {
            set_back = SetBacks::read(connection, due.now_ms).await?;
            recent = sqlx::query_scalar(RECENT)
                .bind(due.before_ms())
                .bind(!set_back.is_empty())
                .bind(due.now_ms.saturating_add(time::CLOCK_STEP_MS))
                .fetch_one(connection)
                .await?;
        }
        Ok(Self {
            action,
            sieve: Sieve::new(action, policy),
            exists,
            recent,
            set_back,
        })
    }

    /// Leaves in `rows` those that become jobs: of batch `own`, where that exists already.
    pub(super) async fn settle(
        &mut self,
        connection: &mut SqliteConnection,
        own: Option<BatchId>,
        rows: &mut Vec<NewJob>,
    ) -> Result<(), StoreError> {
        if !self.exists || rows.is_empty() {
            return Ok(());
        }
        let pairs: Vec<(ServiceId, Option<ImageId>)> = rows
            .iter()
            .map(|row| (row.service, row.order.image()))
            .collect();
        let pairs = json(&pairs);
        let live: Vec<(i64, i64, bool)> = sqlx::query_as(LIVE)
            .bind(&pairs)
            .bind(own.map_or(0, |own| own.0))
            .fetch_all(&mut *connection)
            .await?;
        for (service, batch, is_held) in live {
            self.sieve.live(Live {
                service: service_id(service)?,
                batch: BatchId(batch),
                is_held,
            });
        }
        if self.sieve.due().is_some() {
            let submitted: Vec<(i64, String)> = sqlx::query_as(SUBMITTED)
                .bind(&pairs)
                .bind(self.action.as_str())
                .bind(&self.recent)
                .fetch_all(&mut *connection)
                .await?;
            for (service, last) in submitted {
                let last = self.last_submission(&last)?;
                self.sieve.submitted(service_id(service)?, &last);
            }
        }
        if self.sieve.asks_ended() {
            let ended: Vec<(i64, String, bool)> = sqlx::query_as(ENDED)
                .bind(&pairs)
                .bind(self.action.as_str())
                .fetch_all(connection)
                .await?;
            for (service, last, has_image) in ended {
                let last = self.last_submission(&last)?;
                self.sieve.ended(service_id(service)?, &last, has_image);
            }
        }
        self.sieve.keep(rows);
        Ok(())
    }

    /// What was left out, or what forbids the order.
    pub(super) fn conclude(self) -> Result<LeftOut, Conflict> {
        self.sieve.conclude()
    }

    fn last_submission(&self, text: &str) -> Result<LastSubmission, StoreError> {
        let stored: StoredSubmission =
            serde_json::from_str(text).map_err(|_| damaged("a service's last submission"))?;
        let set_back = stored
            .run
            .zip(stored.seq)
            .and_then(|(run, seq)| self.set_back.before(RunId(run), seq));
        Ok(LastSubmission {
            batch: BatchId(stored.batch),
            state: stored.state,
            executed: stored.executed,
            intent_ms: stored.intent_ms,
            is_same_image: stored.same_image != 0,
            set_back,
        })
    }
}

fn service_id(number: i64) -> Result<ServiceId, StoreError> {
    ServiceId::new(number).ok_or_else(|| damaged("a service id"))
}

/// One database is the ledger of one provider: with another, the same numbers would be other
/// instances. Its accounts share their numbers: a service that has moved to another account is still
/// the same instance, so what is live or done is compared whoever ordered it. An order that was given up before anything was sent binds nobody.
pub(super) async fn other_provider(
    connection: &mut SqliteConnection,
    batch: &NewBatch,
) -> Result<Option<Conflict>, StoreError> {
    let other: Option<(i64, String, bool)> = sqlx::query_as(
        "SELECT id, api_url, sent FROM (
             SELECT id, api_url,
                    EXISTS (SELECT 1 FROM job WHERE attempt > 0 AND job.id BETWEEN batch.id * 4294967296
                            AND batch.id * 4294967296 + 4294967295) AS sent,
                    EXISTS (SELECT 1 FROM tally WHERE batch_id = batch.id AND jobs > 0
                            AND state NOT IN ('done', 'failed', 'cancelled')) AS live
             FROM batch WHERE provider <> ?1)
         WHERE sent OR live ORDER BY sent DESC, id DESC LIMIT 1",
    )
    .bind(&batch.provider)
    .fetch_optional(connection)
    .await?;
    Ok(other.map(|(id, theirs, sent)| Conflict::OtherProvider {
        batch: BatchId(id),
        theirs,
        ours: batch.api_url.clone(),
        sent,
    }))
}
