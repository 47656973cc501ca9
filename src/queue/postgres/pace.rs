//! How quickly a run works. Nothing here changes anything.

use super::handle::PostgresQueue;
use crate::job::{BatchId, RunId};
use crate::queue::stored::{count, image_id};
use crate::queue::{RunPace, StoreError};

/// The last entries of the ledger: a run of any length is told by those.
macro_rules! of_run {
    () => {
        " FROM ledger WHERE seq > (SELECT coalesce(max(seq), 0) - 20000 FROM ledger) AND run_id = $1"
    };
}

const ENDED: &str = concat!(
    "SELECT count(*) FILTER (WHERE at_ms >= $2
                AND (kind IN ('completed', 'refused', 'broken', 'exhausted', 'held')
                     OR $3 AND kind = 'accepted')),
            min(at_ms)",
    of_run!()
);

const IN_FLIGHT: &str = "SELECT image, coalesce(submitted_ms, intent_ms) FROM job
     WHERE batch_id = $1 AND state <> 'queued' AND completed_ms IS NULL
       AND state IN ('submitting', 'in_progress') LIMIT $2";

const STARTED: &str = concat!(
    "SELECT at_ms",
    of_run!(),
    " AND kind = 'intent' ORDER BY seq DESC LIMIT $2"
);

/// Starts of which the pattern is looked at.
const STARTS_MAX: i64 = 1000;

/// More are never in flight but under `--no-wait`, where nobody looks after them.
const IN_FLIGHT_MAX: i64 = 10_000;

impl PostgresQueue {
    /// How quickly `run` works on `batch`: what has ended since `since_ms` (Unix time), and what is in
    /// flight. `no_wait`: for the run a job has ended when it is accepted.
    pub async fn run_pace(
        &mut self,
        batch: BatchId,
        run: RunId,
        since_ms: i64,
        no_wait: bool,
    ) -> Result<RunPace, StoreError> {
        let ended = sqlx::query_as(ENDED)
            .bind(run.0)
            .bind(since_ms)
            .bind(no_wait);
        let (ended, begun_ms): (i64, Option<i64>) = self.session.one(ended).await?;
        let in_flight = sqlx::query_as(IN_FLIGHT).bind(batch.0).bind(IN_FLIGHT_MAX);
        let in_flight: Vec<(Option<String>, i64)> = self.session.all(in_flight).await?;
        let started = sqlx::query_as(STARTED).bind(run.0).bind(STARTS_MAX);
        let started: Vec<(i64,)> = self.session.all(started).await?;
        let in_flight = in_flight.into_iter().map(|(image, since_ms)| {
            let image = image.as_deref().map(image_id).transpose()?;
            Ok((image, since_ms))
        });
        Ok(RunPace {
            ended: count(ended)?,
            begun_ms,
            in_flight: in_flight.collect::<Result<_, StoreError>>()?,
            started_ms: started.into_iter().rev().map(|(ms,)| ms).collect(),
        })
    }
}
