//! What can be asked of batches and runs. Nothing here changes anything.

use super::handle::PostgresQueue;
use super::open_orders::TALLIES;
use crate::job::{BatchId, Counts, Happened, RunId, ServiceId, State};
use crate::queue::stored::{
    BATCH_COLUMNS, StoredBatch, Tallies, count, counts_of, damaged, end_of, from_json, happened,
    job_id, options,
};
use crate::queue::{Batch, Beside, Oldest, Run, StoreError};

pub(super) const TALLY: &str =
    "SELECT state, sum(jobs)::bigint FROM tally WHERE batch_id = $1 GROUP BY state";

pub(super) const OLDEST: &str = "SELECT service_id, intent_ms, baseline ->> 'name' FROM job
     WHERE batch_id = $1 AND state <> 'queued' AND completed_ms IS NULL AND state = $2
     ORDER BY intent_ms, id LIMIT 1";

/// What happened to instances of the batch between the numbers $1 and $2 before somebody's word, which took
/// its place in the row of the job. Only jobs of which somebody has said something are looked at.
pub(super) const OVERTAKEN: &str = "WITH said AS MATERIALIZED (
         SELECT DISTINCT job_id FROM ledger WHERE run_id IS NULL AND kind <> 'hook' AND job_id > $1 AND job_id < $2)
     SELECT 'submitted', min((body ->> 'submitted_ms')::bigint)
     FROM said JOIN ledger USING (job_id) JOIN job ON job.id = job_id
     WHERE kind IN ('accepted', 'unknown') AND body ->> 'submitted_ms' IS NOT NULL
         AND job.submitted_ms IS DISTINCT FROM (body ->> 'submitted_ms')::bigint
     GROUP BY job_id, ledger.attempt
     UNION ALL
     SELECT CASE kind WHEN 'completed' THEN 'done' ELSE 'failed' END, at_ms
     FROM said JOIN ledger USING (job_id) JOIN job ON job.id = job_id
     WHERE kind IN ('completed', 'refused', 'broken', 'exhausted', 'untouched')
         AND (job.completed_ms IS DISTINCT FROM at_ms OR job.by_word <> 0)";

/// Whether another batch is newer, and whether another one is open. The order is what makes the server take
/// one step through an index, however it believes the jobs to be spread.
pub(super) const BESIDE: &str = "SELECT EXISTS (SELECT 1 FROM batch WHERE id > $1),
     coalesce(
         (SELECT batch_id FROM job WHERE state = 'queued' AND batch_id < $1 ORDER BY batch_id DESC LIMIT 1),
         (SELECT batch_id FROM job WHERE state = 'queued' AND batch_id > $1 ORDER BY batch_id LIMIT 1),
         (SELECT batch_id FROM job WHERE state <> 'queued' AND completed_ms IS NULL AND held = 0
              AND batch_id < $1 ORDER BY batch_id DESC LIMIT 1),
         (SELECT batch_id FROM job WHERE state <> 'queued' AND completed_ms IS NULL AND held = 0
              AND batch_id > $1 ORDER BY batch_id LIMIT 1)) IS NOT NULL";

/// Number, start, end, exit code, process, host, options, why it ended early.
type RunRow = (
    i64,
    i64,
    Option<i64>,
    Option<i16>,
    i64,
    String,
    String,
    Option<String>,
);

impl PostgresQueue {
    /// All batches, the oldest first.
    pub async fn batches(&mut self) -> Result<Vec<Batch>, StoreError> {
        let mut transaction = self.session.begin_reading().await?;
        let batches = format!("SELECT {BATCH_COLUMNS}, rows::text AS rows FROM batch ORDER BY id");
        let batches: Vec<StoredBatch> = transaction
            .all(sqlx::query_as(sqlx::AssertSqlSafe(batches)))
            .await?;
        let tallies = sqlx::query_as(
            "SELECT batch_id, state, sum(jobs)::bigint, max(moved_ms) FROM tally GROUP BY batch_id, state",
        );
        let tallies = Tallies::of(transaction.all(tallies).await?)?;
        transaction.rollback().await;
        let batches = batches.into_iter().map(|batch| batch.with(&tallies));
        batches.collect()
    }

    /// One batch; `None`: there is none of that number.
    pub async fn batch(&mut self, batch: BatchId) -> Result<Option<Batch>, StoreError> {
        let mut transaction = self.session.begin_reading().await?;
        let one = format!("SELECT {BATCH_COLUMNS}, rows::text AS rows FROM batch WHERE id = $1");
        let one = sqlx::query_as(sqlx::AssertSqlSafe(one)).bind(batch.0);
        let one: Option<StoredBatch> = transaction.maybe(one).await?;
        let tally = sqlx::query_as(TALLIES).bind(vec![batch.0]);
        let tally = Tallies::of(transaction.all(tally).await?)?;
        transaction.rollback().await;
        one.map(|one| one.with(&tally)).transpose()
    }

    /// What else there is beside `batch`.
    pub async fn beside(&mut self, batch: BatchId) -> Result<Beside, StoreError> {
        let beside = sqlx::query_as(BESIDE).bind(batch.0);
        let (newer, open) = self.session.one(beside).await?;
        Ok(Beside { newer, open })
    }

    /// The jobs of `batch` per state.
    pub async fn tally(&mut self, batch: BatchId) -> Result<Counts, StoreError> {
        let tally = sqlx::query_as(TALLY).bind(batch.0);
        counts_of(self.session.all(tally).await?)
    }

    /// By which options `batch` is worked on: those of its last run, or of the one that has ordered it and
    /// did not come to work on it; `None`: it was only loaded.
    pub async fn options(
        &mut self,
        batch: BatchId,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let stored = sqlx::query_as(
            "SELECT coalesce((SELECT options FROM run WHERE batch_id = $1 ORDER BY id DESC LIMIT 1),
                             (SELECT options FROM batch WHERE id = $1))::text",
        );
        let (stored,): (Option<String>,) = self.session.one(stored.bind(batch.0)).await?;
        options(stored.as_deref())
    }

    /// The options of the run that has ordered `batch`; `None`: it was only loaded.
    pub async fn ordered_with(
        &mut self,
        batch: BatchId,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let stored = sqlx::query_as("SELECT options::text FROM batch WHERE id = $1");
        let (stored,): (Option<String>,) = self.session.one(stored.bind(batch.0)).await?;
        options(stored.as_deref())
    }

    /// The runs that worked on `batch`, the newest first, at most `limit`.
    pub async fn runs(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Run>, StoreError> {
        let runs = sqlx::query_as(
            "SELECT id, started_ms, ended_ms, exit_code, pid, host, options::text, halted FROM run
             WHERE batch_id = $1 ORDER BY id DESC LIMIT $2",
        );
        let runs = runs.bind(batch.0).bind(i64::from(limit));
        let rows: Vec<RunRow> = self.session.all(runs).await?;
        let run = |(id, started_ms, ended_ms, code, pid, host, options, halted): RunRow| {
            let code = code.map(u8::try_from).transpose();
            Ok(Run {
                id: RunId(id),
                started_ms,
                ended_ms,
                exit_code: code.map_err(|_| damaged("an exit code"))?,
                halted,
                pid: u32::try_from(pid).map_err(|_| damaged("a process's number"))?,
                host,
                options: from_json(&options, "a run's options")?,
            })
        };
        rows.into_iter().map(run).collect()
    }

    /// The job of `batch` that was submitted first of those in `state`, which is none of the queued or
    /// ended ones.
    pub async fn oldest(
        &mut self,
        batch: BatchId,
        state: State,
    ) -> Result<Option<Oldest>, StoreError> {
        let oldest = sqlx::query_as(OLDEST).bind(batch.0).bind(state.as_str());
        let row: Option<(i64, i64, Option<String>)> = self.session.maybe(oldest).await?;
        Ok(row.and_then(|(service, since_ms, name)| {
            Some(Oldest {
                service: ServiceId::new(service)?,
                since_ms,
                name,
            })
        }))
    }

    /// Failed jobs of `batch` that were, or may have been, touched.
    pub async fn failed_touched(&mut self, batch: BatchId) -> Result<u64, StoreError> {
        let touched = "SELECT count(*) FROM job WHERE batch_id = $1 AND state = 'failed' AND executed <> 'no'";
        self.number(touched, batch).await
    }

    pub async fn overtaken(&mut self, batch: BatchId) -> Result<Vec<(Happened, i64)>, StoreError> {
        let overtaken = sqlx::query_as(OVERTAKEN)
            .bind(job_id(batch, 0).stored())
            .bind(end_of(batch));
        happened(self.session.all(overtaken).await?)
    }

    /// Finished jobs of `batch` that a human should look at.
    pub async fn flagged(&mut self, batch: BatchId) -> Result<u64, StoreError> {
        let flagged = "SELECT count(*) FROM job
             WHERE batch_id = $1 AND state = 'done' AND error_kind IS NOT NULL";
        self.number(flagged, batch).await
    }

    /// What `statement` counts of `batch`.
    pub(super) async fn number(
        &mut self,
        statement: &'static str,
        batch: BatchId,
    ) -> Result<u64, StoreError> {
        let counted = sqlx::query_as(statement).bind(batch.0);
        let (counted,) = self.session.one(counted).await?;
        count(counted)
    }
}
