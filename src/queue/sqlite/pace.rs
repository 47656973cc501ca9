//! How quickly a run works. Nothing here changes anything.

use std::time::Duration;

use super::handle::SqliteQueue;
use crate::job::{BatchId, RunId};
use crate::queue::{RunPace, StoreError};

/// The last entries of the ledger: a run of any length is told by those.
macro_rules! of_run {
    () => {
        " FROM ledger WHERE seq > (SELECT coalesce(max(seq), 0) - 20000 FROM ledger) AND run_id = ?1"
    };
}

/// Completions of which the duration is looked at.
const COMPLETIONS_MAX: i64 = 1000;

/// Starts of which the pattern is looked at.
const STARTS_MAX: i64 = 1000;

/// More are never in flight but under `--no-wait`, where nobody looks after them.
const IN_FLIGHT_MAX: i64 = 10_000;

impl SqliteQueue {
    /// How quickly `run` works on `batch`: what has ended since `since_ms` (Unix time), and what is in
    /// flight. `no_wait`: for the run a job has ended when it is accepted.
    pub async fn run_pace(
        &mut self,
        batch: BatchId,
        run: RunId,
        since_ms: i64,
        no_wait: bool,
    ) -> Result<RunPace, StoreError> {
        let (ended, begun_ms): (i64, Option<i64>) = sqlx::query_as(concat!(
            "SELECT count(*) FILTER (WHERE at_ms >= ?2
                        AND (kind IN ('completed', 'refused', 'broken', 'exhausted', 'held')
                             OR ?3 AND kind = 'accepted')),
                    min(at_ms)",
            of_run!()
        ))
        .bind(run.0)
        .bind(since_ms)
        .bind(no_wait)
        .fetch_one(&mut self.connection)
        .await?;
        let (completed, mean_ms): (i64, Option<f64>) = sqlx::query_as(concat!(
            "SELECT count(*), avg(completed_ms - submitted_ms) FROM job WHERE id IN (SELECT job_id",
            of_run!(),
            " AND kind = 'completed' ORDER BY seq DESC LIMIT ?2)
             AND state = 'done' AND submitted_ms <= completed_ms"
        ))
        .bind(run.0)
        .bind(COMPLETIONS_MAX)
        .fetch_one(&mut self.connection)
        .await?;
        let in_flight: Vec<i64> = sqlx::query_scalar(
            "SELECT coalesce(submitted_ms, intent_ms) FROM job
             WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL
               AND state IN ('submitting', 'in_progress') LIMIT ?2",
        )
        .bind(batch.0)
        .bind(IN_FLIGHT_MAX)
        .fetch_all(&mut self.connection)
        .await?;
        let mut started: Vec<i64> = sqlx::query_scalar(concat!(
            "SELECT at_ms",
            of_run!(),
            " AND kind = 'intent' ORDER BY seq DESC LIMIT ?2"
        ))
        .bind(run.0)
        .bind(STARTS_MAX)
        .fetch_all(&mut self.connection)
        .await?;
        started.reverse();
        let mean = mean_ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok());
        Ok(RunPace {
            ended: u64::try_from(ended).unwrap_or(0),
            begun_ms,
            completed: u64::try_from(completed).unwrap_or(0),
            mean,
            in_flight_since_ms: in_flight,
            started_ms: started,
        })
    }
}
