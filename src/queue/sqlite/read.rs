//! What can be asked of the queue. Nothing here changes anything.

use sqlx::{AssertSqlSafe, QueryBuilder, Row, Sqlite};

use super::handle::SqliteQueue;
use super::lock::QueueLock;
use super::text::{job_as_text, queued_job};
use crate::job::{BatchId, Counts, JobId, RunId, ServiceId, State};
use crate::queue::stored::{
    BATCH_COLUMNS, StoredBatch, Tallies, batch_of, counts_of, damaged, due_jobs, each_target,
    end_of, ids, job_id, json, no_stray_but, options, result_row,
};
use crate::queue::{
    AtWork, Batch, Beside, LedgerLine, Oldest, QueuedJob, ResultSink, Run, StoreError, Target,
};

/// Rows that are read at once where all are walked through: memory stays flat.
const ROWS_PER_READING: i64 = 1024;

/// Fresh jobs in the manifest's order, then the delayed ones as they fall due: all as one text,
/// because a run asks for the next hundred all the time, and a row costs a walk between threads.
macro_rules! due_statement {
    ($more:expr) => {
        concat!(
            "SELECT '[' || coalesce(group_concat(text), '') || ']' FROM (SELECT ",
            crate::queue::sqlite::text::job_as_text!(concat!(
                "CASE WHEN job.attempt > 0 OR job.error_kind IS NOT NULL THEN ",
                crate::queue::sqlite::text::record_as_json!(),
                " END"
            )),
            " AS text FROM job WHERE batch_id = ?1 AND state = 'queued' AND not_before_ms <= ?2 ",
            $more,
            " ORDER BY not_before_ms, id LIMIT ?3) AS due"
        )
    };
}
pub(super) use due_statement;

pub(super) const DUE: &str =
    due_statement!(no_stray_but!("NOT IN (SELECT value FROM json_each(?4))"));

/// Of what is queued, the next ones behind (?2, ?3).
pub(super) const TARGETS: &str =
    "SELECT json_group_array(json_array(not_before_ms, id, service_id, image, access, executed <> 'no', json(expected), group_name))
     FROM (SELECT not_before_ms, id, service_id, image, access, executed, expected, group_name FROM job
           WHERE batch_id = ?1 AND state = 'queued' AND (not_before_ms, id) > (?2, ?3)
           ORDER BY not_before_ms, id LIMIT ?4) AS due";

pub(super) const NEXT_DUE: &str = "SELECT min(not_before_ms) FROM job
     WHERE batch_id = ?1 AND state = 'queued' AND not_before_ms > ?2";

/// The conditions of the index `job_unsettled` are repeated word for word: else SQLite does not
/// know that it may use it.
pub(super) const UNSETTLED: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL
        AND state IN (SELECT value FROM json_each(?2))"
);

pub(super) const OLDEST: &str = "SELECT service_id, min(intent_ms), baseline ->> '$.name' FROM job
     WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL AND state = ?2
     GROUP BY batch_id";

pub(super) const TALLY: &str = "SELECT state, jobs FROM tally WHERE batch_id = ?1";

/// Whether another batch is newer, and whether another one is open. A held doubt is one of those in doubt.
const BESIDE: &str = "SELECT
    EXISTS (SELECT 1 FROM batch WHERE id > ?1),
    EXISTS (SELECT 1 FROM tally WHERE batch_id <> ?1
                AND state IN ('queued', 'submitting', 'in_progress', 'in_doubt', 'held')
            GROUP BY batch_id HAVING sum(CASE state WHEN 'held' THEN -jobs ELSE jobs END) > 0)";

impl SqliteQueue {
    /// All batches, the oldest first.
    pub async fn batches(&mut self) -> Result<Vec<Batch>, StoreError> {
        let batches = format!("SELECT {BATCH_COLUMNS}, rows FROM batch ORDER BY id");
        let batches: Vec<StoredBatch> = sqlx::query_as(AssertSqlSafe(batches))
            .fetch_all(&mut self.connection)
            .await?;
        let tallies = sqlx::query_as("SELECT batch_id, state, jobs, moved_ms FROM tally")
            .fetch_all(&mut self.connection)
            .await?;
        let tallies = Tallies::of(tallies)?;
        let batches = batches.into_iter().map(|batch| batch.with(&tallies));
        batches.collect()
    }

    /// One batch; `None`: there is none of that number.
    pub async fn batch(&mut self, batch: BatchId) -> Result<Option<Batch>, StoreError> {
        let one = format!("SELECT {BATCH_COLUMNS}, rows FROM batch WHERE id = ?1");
        let one: Option<StoredBatch> = sqlx::query_as(AssertSqlSafe(one))
            .bind(batch.0)
            .fetch_optional(&mut self.connection)
            .await?;
        let tally = "SELECT batch_id, state, jobs, moved_ms FROM tally WHERE batch_id = ?1";
        let tally = sqlx::query_as(tally)
            .bind(batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        let tally = Tallies::of(tally)?;
        one.map(|one| one.with(&tally)).transpose()
    }

    /// What else there is beside `batch`.
    pub async fn beside(&mut self, batch: BatchId) -> Result<Beside, StoreError> {
        let (newer, open) = sqlx::query_as(BESIDE)
            .bind(batch.0)
            .fetch_one(&mut self.connection)
            .await?;
        Ok(Beside { newer, open })
    }

    /// The jobs of `batch` per state.
    pub async fn tally(&mut self, batch: BatchId) -> Result<Counts, StoreError> {
        let tallies = sqlx::query_as(TALLY)
            .bind(batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        counts_of(tallies)
    }

    /// Jobs of `batch` that may start at `now_ms` (Unix time), at most `limit`, in the order in
    /// which they do: fresh ones in the manifest's order, then the delayed ones as they fall due. None that
    /// a stray holds back which is not `over`.
    pub(super) async fn due(
        &mut self,
        batch: BatchId,
        now_ms: i64,
        limit: usize,
        over: &[String],
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let row = sqlx::query(DUE)
            .bind(batch.0)
            .bind(now_ms)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(json(over))
            .fetch_one(&mut self.connection)
            .await?;
        due_jobs(row.try_get(0)?)
    }

    /// Hands what is queued of `batch` to `each`, in the order in which it may start. All of it is of
    /// one state of the database.
    pub async fn targets(
        &mut self,
        batch: BatchId,
        each: &mut (dyn FnMut(Target) + Send),
    ) -> Result<(), StoreError> {
        self.begin_reading().await?;
        let result = self.each_target(batch, each).await;
        self.rollback().await;
        result
    }

    async fn each_target(
        &mut self,
        batch: BatchId,
        each: &mut (dyn FnMut(Target) + Send),
    ) -> Result<(), StoreError> {
        let mut after = (i64::MIN, 0);
        loop {
            let row = sqlx::query(TARGETS)
                .bind(batch.0)
                .bind(after.0)
                .bind(after.1)
                .bind(ROWS_PER_READING)
                .fetch_one(&mut self.connection)
                .await?;
            match each_target(row.try_get(0)?, each)? {
                Some(last) => after = last,
                None => return Ok(()),
            }
        }
    }

    /// When the next queued job of `batch` falls due after `after_ms` (both as Unix time); `None`:
    /// none is delayed beyond it.
    pub(super) async fn next_due_ms(
        &mut self,
        batch: BatchId,
        after_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar(NEXT_DUE)
            .bind(batch.0)
            .bind(after_ms)
            .fetch_one(&mut self.connection)
            .await?)
    }

    /// Jobs of `batch` in one of `states`, of those that an earlier run can have left behind:
    /// submitting, in progress or in doubt.
    pub(super) async fn unsettled(
        &mut self,
        batch: BatchId,
        states: &[State],
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let rows = sqlx::query(UNSETTLED)
            .bind(batch.0)
            .bind(json(&words))
            .fetch_all(&mut self.connection)
            .await?;
        let mut jobs: Vec<QueuedJob> = rows.iter().map(queued_job).collect::<Result<_, _>>()?;
        jobs.sort_unstable_by_key(|job| job.id);
        Ok(jobs)
    }

    /// All jobs of `service`, the newest batch first.
    pub async fn jobs_of(
        &mut self,
        service: ServiceId,
    ) -> Result<Vec<(BatchId, QueuedJob)>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE service_id = ?1 ORDER BY batch_id DESC"
        ))
        .bind(service.get())
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter()
            .map(|row| queued_job(row).map(|job| (batch_of(job.id), job)))
            .collect()
    }

    /// These jobs, in the manifest's order.
    pub async fn jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id"
        ))
        .bind(json(&ids(jobs)))
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter().map(queued_job).collect()
    }

    /// Everything that the ledger says of `job`, in its order.
    pub async fn history(&mut self, job: JobId) -> Result<Vec<LedgerLine>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, run_id, attempt, at_ms, body FROM ledger WHERE job_id = ?1 ORDER BY seq",
        )
        .bind(job.stored())
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter()
            .map(|row| {
                let body: &str = row.try_get(4)?;
                Ok(LedgerLine {
                    seq: row.try_get(0)?,
                    run: row.try_get::<Option<i64>, _>(1)?.map(RunId),
                    attempt: row.try_get::<u32, _>(2)?,
                    at_ms: row.try_get(3)?,
                    entry: serde_json::from_str(body).map_err(|_| damaged("a ledger entry"))?,
                })
            })
            .collect()
    }

    /// Hands the results of `batch` to `sink`, in the manifest's order; only those in `states`,
    /// where it names any.
    pub async fn results(
        &mut self,
        batch: BatchId,
        states: &[State],
        sink: &mut ResultSink<'_>,
    ) -> Result<std::io::Result<()>, StoreError> {
        let mut after = job_id(batch, 0).stored();
        loop {
            let mut query = QueryBuilder::<Sqlite>::new(
                "SELECT json_array(line, service_id, image, state, executed, evidence, attempt, submitted_ms,
                        completed_ms, error_kind, error, note, group_name, held, by_word,
                        baseline ->> '$.name', baseline ->> '$.ip', target, ssh_port, json(baseline -> '$.host_key'), json(host_key), hook)
                 FROM job WHERE id > ",
            );
            query
                .push_bind(after)
                .push(" AND id < ")
                .push_bind(end_of(batch));
            if !states.is_empty() {
                let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
                query
                    .push(" AND state IN (SELECT value FROM json_each(")
                    .push_bind(json(&words))
                    .push("))");
            }
            query
                .push(" ORDER BY id LIMIT ")
                .push_bind(ROWS_PER_READING);
            let rows = query.build().fetch_all(&mut self.connection).await?;
            for row in &rows {
                let result = result_row(row.try_get(0)?)?;
                after = job_id(batch, result.line).stored();
                if let Err(error) = sink(result) {
                    return Ok(Err(error));
                }
            }
            if rows.len() < usize::try_from(ROWS_PER_READING).unwrap_or(usize::MAX) {
                return Ok(Ok(()));
            }
        }
    }

    /// By which options `batch` is worked on: those of its last run, or of the one that has ordered it and
    /// did not come to work on it; `None`: it was only loaded.
    pub async fn options(
        &mut self,
        batch: BatchId,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let stored: Option<String> = sqlx::query_scalar(
            "SELECT coalesce((SELECT options FROM run WHERE batch_id = ?1 ORDER BY id DESC LIMIT 1),
                             (SELECT options FROM batch WHERE id = ?1))",
        )
        .bind(batch.0)
        .fetch_one(&mut self.connection)
        .await?;
        options(stored.as_deref())
    }

    /// The options of the run that has ordered `batch`; `None`: it was only loaded.
    pub async fn ordered_with(
        &mut self,
        batch: BatchId,
    ) -> Result<Option<serde_json::Value>, StoreError> {
        let stored: Option<String> = sqlx::query_scalar("SELECT options FROM batch WHERE id = ?1")
            .bind(batch.0)
            .fetch_one(&mut self.connection)
            .await?;
        options(stored.as_deref())
    }

    /// The runs that worked on `batch`, the newest first, at most `limit`.
    pub async fn runs(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Run>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, started_ms, ended_ms, exit_code, pid, host, options, halted FROM run WHERE batch_id = ?1
             ORDER BY id DESC LIMIT ?2",
        )
        .bind(batch.0)
        .bind(limit)
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(Run {
                    id: RunId(row.try_get(0)?),
                    started_ms: row.try_get(1)?,
                    ended_ms: row.try_get(2)?,
                    exit_code: row.try_get(3)?,
                    halted: row.try_get(7)?,
                    pid: row.try_get(4)?,
                    host: row.try_get(5)?,
                    options: serde_json::from_str(row.try_get(6)?)
                        .map_err(|_| damaged("a run's options"))?,
                })
            })
            .collect()
    }

    /// Who works, and on what. The lock says it, since a run that died has written no end.
    pub async fn at_work(&mut self) -> Result<Vec<AtWork>, StoreError> {
        let Some(holder) = QueueLock::holder(&self.path) else {
            return Ok(Vec::new());
        };
        let run: Option<(i64, i64)> = sqlx::query_as(
            "SELECT id, batch_id FROM run WHERE ended_ms IS NULL AND pid = ?1 AND (host = ?2 OR ?2 = '')
             AND started_ms >= ?3 ORDER BY id DESC LIMIT 1",
        )
        .bind(holder.pid)
        .bind(&holder.host)
        .bind(holder.since_ms)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(vec![AtWork {
            holder,
            run: run.map(|(run, batch)| (BatchId(batch), RunId(run))),
        }])
    }

    /// The job of `batch` that was submitted first of those in `state`, which is none of the queued or
    /// ended ones.
    pub async fn oldest(
        &mut self,
        batch: BatchId,
        state: State,
    ) -> Result<Option<Oldest>, StoreError> {
        let row: Option<(i64, i64, Option<String>)> = sqlx::query_as(OLDEST)
            .bind(batch.0)
            .bind(state.as_str())
            .fetch_optional(&mut self.connection)
            .await?;
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
        let jobs: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM job WHERE batch_id = ?1 AND state = 'failed' AND executed <> 'no'",
        )
        .bind(batch.0)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(u64::try_from(jobs).unwrap_or(0))
    }

    /// Finished jobs of `batch` that a human should look at.
    pub async fn flagged(&mut self, batch: BatchId) -> Result<u64, StoreError> {
        let jobs: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM job
             WHERE batch_id = ?1 AND state = 'done' AND error_kind IS NOT NULL",
        )
        .bind(batch.0)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(u64::try_from(jobs).unwrap_or(0))
    }
}
