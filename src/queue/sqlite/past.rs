//! What the database knows of services that are ordered anew. Nothing here changes anything; what
//! follows from it, [`crate::queue::past`] decides.

use sqlx::SqliteConnection;

use super::clock::set_backs;
use crate::job::{Action, BatchId, NewJob};
use crate::queue::stored::Past;
use crate::queue::{Conflict, EnqueuePolicy, NewBatch, StoreError};
use crate::time;

/// The services of ?1 (pairs of service and image) that are live in another batch than ?2.
pub(super) const LIVE: &str = "SELECT job.service_id, job.batch_id, job.held
     FROM json_each(?1) AS pair CROSS JOIN job ON job.service_id = pair.value ->> 0
     WHERE job.completed_ms IS NULL AND job.batch_id <> ?2";

/// The batches in which anything moved after ?1: no other one holds a submission of that time. All
/// of them where dates cannot be trusted: ?2, or one lies later than ?3.
const RECENT: &str = "SELECT json_group_array(DISTINCT batch_id) FROM tally
     WHERE moved_ms > ?1 OR ?2 OR EXISTS (SELECT 1 FROM tally WHERE moved_ms > ?3)";

/// What [`Past`] reads of the job that had the service's last submission of the action ?2, among those
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

/// What is known before the batch of the order is created.
pub(super) async fn past(
    connection: &mut SqliteConnection,
    action: Action,
    policy: EnqueuePolicy,
) -> Result<Past, StoreError> {
    let exists = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM batch)")
        .fetch_one(&mut *connection)
        .await?;
    let past = Past::new(action, policy, exists);
    let Some(due) = policy.due else {
        return Ok(past);
    };
    let set_back = set_backs(connection, due.now_ms).await?;
    let recent = sqlx::query_scalar(RECENT)
        .bind(due.before_ms())
        .bind(!set_back.is_empty())
        .bind(due.now_ms.saturating_add(time::CLOCK_STEP_MS))
        .fetch_one(connection)
        .await?;
    Ok(past.dated(recent, set_back))
}

/// Leaves in `rows` those that become jobs: of batch `own`, where that exists already.
pub(super) async fn settle(
    connection: &mut SqliteConnection,
    past: &mut Past,
    own: Option<BatchId>,
    rows: &mut Vec<NewJob>,
) -> Result<(), StoreError> {
    let Some(pairs) = past.pairs(rows) else {
        return Ok(());
    };
    let live = sqlx::query_as(LIVE)
        .bind(&pairs)
        .bind(own.map_or(0, |own| own.0))
        .fetch_all(&mut *connection)
        .await?;
    past.live(live)?;
    if past.due().is_some() {
        let submitted = sqlx::query_as(SUBMITTED)
            .bind(&pairs)
            .bind(past.action.as_str())
            .bind(&past.recent)
            .fetch_all(&mut *connection)
            .await?;
        past.submitted(submitted)?;
    }
    if past.asks_ended() {
        let ended = sqlx::query_as(ENDED)
            .bind(&pairs)
            .bind(past.action.as_str())
            .fetch_all(connection)
            .await?;
        past.ended(ended)?;
    }
    past.keep(rows);
    Ok(())
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
