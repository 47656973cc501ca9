//! What the database knows of services that are ordered anew. Nothing here changes anything; what
//! follows from it, [`crate::queue::past`] decides.

use super::session::Session;
use crate::job::{Action, BatchId, NewJob};
use crate::queue::stored::{Past, SetBacks};
use crate::queue::{Conflict, EnqueuePolicy, NewBatch, StoreError};
use crate::time;

/// The pairs of service and image of $1.
macro_rules! pairs {
    () => {
        "(SELECT (given.value ->> 0)::bigint AS service_id, given.value ->> 1 AS image
          FROM json_array_elements($1::json) AS given(value)) AS pair"
    };
}

/// The services of $1 that are live in another batch than $2.
pub(super) const LIVE: &str = concat!(
    "SELECT job.service_id, job.batch_id, job.held <> 0 FROM ",
    pairs!(),
    " JOIN job ON job.service_id = pair.service_id WHERE job.completed_ms IS NULL AND job.batch_id <> $2"
);

/// The batches in which anything moved after $1: no other one holds a submission of that time. All
/// of them where dates cannot be trusted: $2, or one lies later than $3.
const RECENT: &str = "SELECT coalesce(json_agg(DISTINCT batch_id), '[]')::text FROM tally
     WHERE moved_ms > $1 OR $2 OR EXISTS (SELECT 1 FROM tally WHERE moved_ms > $3)";

/// What [`Past`] reads of the job that had the service's last submission of the action $2, among those
/// that may have touched it.
macro_rules! last_submitted {
    ($condition:literal) => {
        concat!(
            "CROSS JOIN LATERAL (
                 SELECT json_build_array(job.batch_id, job.state, job.executed, job.intent_ms,
                            (job.image IS NOT DISTINCT FROM pair.image)::int, intent.run_id, intent.seq)::text AS text
                 FROM job LEFT JOIN ledger AS intent
                          ON intent.kind = 'intent' AND intent.job_id = job.id AND intent.attempt = job.attempt
                 WHERE job.service_id = pair.service_id AND job.executed <> 'no'
                       AND (SELECT action FROM batch WHERE batch.id = job.batch_id) = $2 ",
            $condition,
            " ORDER BY intent.seq DESC NULLS LAST LIMIT 1) AS last"
        )
    };
}

/// The last submission of each service of $1, of the action $2, in the batches $3.
pub(super) const SUBMITTED: &str = concat!(
    "SELECT pair.service_id, last.text FROM ",
    pairs!(),
    " ",
    last_submitted!(
        "AND job.batch_id IN (SELECT recent.value::bigint FROM json_array_elements_text($3::json) AS recent(value))"
    )
);

/// The last submission of each service of $1, of the action $2, and whether any made it the image that it
/// asks for.
pub(super) const ENDED: &str = concat!(
    "SELECT pair.service_id, last.text,
            EXISTS (SELECT 1 FROM job WHERE job.service_id = pair.service_id AND job.state = 'done'
                    AND job.image IS NOT DISTINCT FROM pair.image
                    AND (SELECT action FROM batch WHERE batch.id = job.batch_id) = $2)
     FROM ",
    pairs!(),
    " ",
    last_submitted!("")
);

/// Of each run with an entry that is dated more than $2 before something that stood there already
/// and is not dated later than $1: the first such entry, its date, and the latest that stood there.
///
/// What stood there before an entry includes its order and the beginning of its run.
const SET_BACK: &str = "WITH entry AS (
         SELECT ledger.seq, ledger.run_id, ledger.at_ms,
                greatest(CASE WHEN ledger.at_ms <= $1 THEN ledger.at_ms END,
                         CASE WHEN run.started_ms <= $1 THEN run.started_ms END,
                         CASE WHEN batch.created_ms <= $1 THEN batch.created_ms END, 0) AS known_ms
         FROM ledger LEFT JOIN run ON run.id = ledger.run_id
                     LEFT JOIN batch ON batch.id = ledger.job_id >> 32)
     SELECT DISTINCT ON (run_id) run_id, seq, at_ms, latest_ms
     FROM (SELECT seq, run_id, at_ms, max(known_ms) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS latest_ms
           FROM entry) AS dated
     WHERE run_id IS NOT NULL AND at_ms < latest_ms - $2 ORDER BY run_id, seq";

/// What is known before the batch of the order is created. The whole ledger is read for an order by the
/// clock: an index of the dates would make every entry dearer, and only such an order asks for them.
pub(super) async fn past(
    session: &mut Session,
    action: Action,
    policy: EnqueuePolicy,
) -> Result<Past, StoreError> {
    let exists = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM batch)");
    let (exists,) = session.one(exists).await?;
    let past = Past::new(action, policy, exists);
    let Some(due) = policy.due else {
        return Ok(past);
    };
    let latest_ms = due.now_ms.saturating_add(time::CLOCK_STEP_MS);
    let set_back = sqlx::query_as(SET_BACK)
        .bind(latest_ms)
        .bind(time::CLOCK_STEP_MS);
    let set_back = SetBacks::of(session.all(set_back).await?);
    let recent = sqlx::query_as(RECENT)
        .bind(due.before_ms())
        .bind(!set_back.is_empty())
        .bind(latest_ms);
    let (recent,) = session.one(recent).await?;
    Ok(past.dated(recent, set_back))
}

/// Leaves in `rows` those that become jobs: of batch `own`, where that exists already.
pub(super) async fn settle(
    session: &mut Session,
    past: &mut Past,
    own: Option<BatchId>,
    rows: &mut Vec<NewJob>,
) -> Result<(), StoreError> {
    let Some(pairs) = past.pairs(rows) else {
        return Ok(());
    };
    let live = sqlx::query_as(LIVE)
        .bind(&pairs)
        .bind(own.map_or(0, |own| own.0));
    past.live(session.all(live).await?)?;
    let action = past.action.as_str();
    if past.due().is_some() {
        let submitted = sqlx::query_as(SUBMITTED)
            .bind(&pairs)
            .bind(action)
            .bind(&past.recent);
        let submitted = session.all(submitted).await?;
        past.submitted(submitted)?;
    }
    if past.asks_ended() {
        let ended = sqlx::query_as(ENDED).bind(&pairs).bind(action);
        past.ended(session.all(ended).await?)?;
    }
    past.keep(rows);
    Ok(())
}

/// One database is the ledger of one provider: with another, the same numbers would be other
/// instances. Its accounts share their numbers: a service that has moved to another account is still
/// the same instance, so what is live or done is compared whoever ordered it. An order that was given up
/// before anything was sent binds nobody.
pub(super) async fn other_provider(
    session: &mut Session,
    batch: &NewBatch,
) -> Result<Option<Conflict>, StoreError> {
    let other = sqlx::query_as(
        "SELECT id, api_url, sent FROM (
             SELECT id, api_url,
                    EXISTS (SELECT 1 FROM job WHERE attempt > 0 AND job.id BETWEEN batch.id * 4294967296
                            AND batch.id * 4294967296 + 4294967295) AS sent,
                    (SELECT sum(jobs) FROM tally WHERE batch_id = batch.id
                            AND state NOT IN ('done', 'failed', 'cancelled')) > 0 AS live
             FROM batch WHERE provider <> $1) AS other
         WHERE sent OR live ORDER BY sent DESC, id DESC LIMIT 1",
    );
    let other: Option<(i64, String, bool)> = session.maybe(other.bind(&batch.provider)).await?;
    Ok(other.map(|(id, theirs, sent)| Conflict::OtherProvider {
        batch: BatchId(id),
        theirs,
        ours: batch.api_url.clone(),
        sent,
    }))
}
