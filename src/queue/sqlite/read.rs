//! What can be asked of the queue. Nothing here changes anything.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::Deserialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::Queue;
use super::record::json;
use super::{batch_of, job_id};
use crate::job::{
    Baseline, BatchId, Counts, Evidence, Executed, Failure, JobId, JobRecord, ResultRow, RunId,
    ServiceId, State,
};
use crate::queue::lock::host;
use crate::queue::{Batch, Holder, LedgerLine, NewRun, QueueError, QueuedJob, ResultSink, Run};

/// Rows that are read at once where all are walked through: memory stays flat.
const ROWS_PER_READING: i64 = 1024;

/// The record of a job as JSON.
macro_rules! standing_as_json {
    () => {
        "json_array(job.state, job.attempt, job.retries, job.executed_before, job.executed_now, job.evidence,
             job.held, job.accepted, job.rebuilding_seen, job.not_before_ms, job.intent_ms,
             job.submitted_ms, job.completed_ms, job.error_kind, job.error, json(job.baseline), job.target)"
    };
}

/// A job as one column of text, for [`queued_job`]: each column of a row costs sqlx two allocations
/// on each side of a channel, and a job has 26. `record`: see [`StoredJob::record`].
macro_rules! job_as_text {
    () => {
        job_as_text!(crate::queue::sqlite::read::standing_as_json!())
    };
    ($($record:tt)*) => {
        concat!(
            "json_array(job.id, job.line, job.service_id, job.image, job.zone, job.access, job.ssh_key,
             (SELECT password FROM secret WHERE job_id = job.id), job.note, ",
            $($record)*,
            ")"
        )
    };
}
pub(super) use job_as_text;
pub(super) use standing_as_json;

/// Fresh jobs in the manifest's order, then the delayed ones as they fall due: all as one text,
/// because a run asks for the next hundred all the time, and a row costs a walk between threads.
pub(super) const DUE: &str = concat!(
    "SELECT '[' || coalesce(group_concat(text), '') || ']' FROM (SELECT ",
    job_as_text!(concat!(
        "CASE WHEN job.attempt > 0 OR job.error_kind IS NOT NULL THEN ",
        standing_as_json!(),
        " END"
    )),
    " AS text FROM job WHERE batch_id = ?1 AND state = 'queued' AND not_before_ms <= ?2
      ORDER BY not_before_ms, id LIMIT ?3) AS due"
);

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

pub(super) const OLDEST_DOUBT: &str =
    "SELECT service_id, min(intent_ms), baseline ->> '$.name' FROM job
     WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL AND state = 'in_doubt'
     GROUP BY batch_id";

impl Queue {
    /// All batches, the oldest first.
    pub async fn batches(&mut self) -> Result<Vec<Batch>, QueueError> {
        let rows = sqlx::query(
            "SELECT id, identity, provider, number, manifest, created_ms, api_url, path FROM batch ORDER BY id",
        )
        .fetch_all(&mut self.connection)
        .await?;
        let tallies: Vec<(i64, String, i64, i64)> =
            sqlx::query_as("SELECT batch_id, state, jobs, moved_ms FROM tally")
                .fetch_all(&mut self.connection)
                .await?;
        let mut by_batch: HashMap<i64, (Counts, i64)> = HashMap::new();
        for (batch, state, jobs, moved) in tallies {
            let jobs = u64::try_from(jobs).map_err(|_| damaged("a negative tally"))?;
            let (counts, moved_ms) = by_batch.entry(batch).or_default();
            *moved_ms = moved.max(*moved_ms);
            match state.as_str() {
                "held" => counts.held = jobs,
                state => *counts.of_mut(word(state)?) = jobs,
            }
        }
        rows.iter()
            .map(|row| {
                let id: i64 = row.try_get(0)?;
                let identity: &[u8] = row.try_get(1)?;
                let number: i64 = row.try_get(3)?;
                let created_ms: i64 = row.try_get(5)?;
                let (counts, moved_ms) = by_batch.get(&id).copied().unwrap_or_default();
                Ok(Batch {
                    id: BatchId(id),
                    identity: identity
                        .try_into()
                        .map_err(|_| damaged("a batch's identity"))?,
                    provider: row.try_get(2)?,
                    api_url: row.try_get(6)?,
                    number: u32::try_from(number).map_err(|_| damaged("a batch's number"))?,
                    manifest: row.try_get(4)?,
                    path: PathBuf::from(OsStr::from_bytes(row.try_get(7)?)),
                    created_ms,
                    touched_ms: moved_ms.max(created_ms),
                    counts,
                })
            })
            .collect()
    }

    /// Jobs of `batch` that may start at `now_ms` (Unix time), at most `limit`, in the order in
    /// which they do: fresh ones in the manifest's order, then the delayed ones as they fall due.
    pub async fn ready(
        &mut self,
        batch: BatchId,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<QueuedJob>, QueueError> {
        let row = sqlx::query(DUE)
            .bind(batch.0)
            .bind(now_ms)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_one(&mut self.connection)
            .await?;
        let jobs: Vec<StoredJob<'_>> = stored(&row, "a job")?;
        let mut jobs: Vec<QueuedJob> = jobs
            .into_iter()
            .map(QueuedJob::try_from)
            .collect::<Result<_, _>>()?;
        // An aggregate promises no order.
        jobs.sort_by_key(|job| (job.record.not_before_ms, job.id));
        Ok(jobs)
    }

    /// When the next queued job of `batch` falls due after `after_ms` (both as Unix time); `None`:
    /// none is delayed beyond it.
    pub async fn next_ready_ms(
        &mut self,
        batch: BatchId,
        after_ms: i64,
    ) -> Result<Option<i64>, QueueError> {
        Ok(sqlx::query_scalar(NEXT_DUE)
            .bind(batch.0)
            .bind(after_ms)
            .fetch_one(&mut self.connection)
            .await?)
    }

    /// Jobs of `batch` in one of `states`, of those that an earlier run can have left behind:
    /// submitting, rebuilding or in doubt.
    pub async fn in_flight(
        &mut self,
        batch: BatchId,
        states: &[State],
    ) -> Result<Vec<QueuedJob>, QueueError> {
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
    ) -> Result<Vec<(BatchId, QueuedJob)>, QueueError> {
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

    /// Everything that the ledger says of `job`, in its order.
    pub async fn history(&mut self, job: JobId) -> Result<Vec<LedgerLine>, QueueError> {
        let rows = sqlx::query(
            "SELECT seq, run_id, attempt, at_ms, body FROM ledger WHERE job_id = ?1 ORDER BY seq",
        )
        .bind(job.0)
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
    ) -> Result<std::io::Result<()>, QueueError> {
        let mut after = job_id(batch, 0).0;
        loop {
            let mut query = QueryBuilder::<Sqlite>::new(
                "SELECT json_array(line, service_id, image, state, executed, evidence, attempt, submitted_ms,
                        completed_ms, error_kind, error, note, held,
                        baseline ->> '$.name', baseline ->> '$.ip')
                 FROM job WHERE id > ",
            );
            query
                .push_bind(after)
                .push(" AND id < ")
                .push_bind(job_id(BatchId(batch.0 + 1), 0).0);
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
                let result = result_row(row)?;
                after = job_id(batch, result.line).0;
                if let Err(error) = sink(result) {
                    return Ok(Err(error));
                }
            }
            if rows.len() < usize::try_from(ROWS_PER_READING).unwrap_or(usize::MAX) {
                return Ok(Ok(()));
            }
        }
    }

    /// The runs that worked on `batch`, the newest first, at most `limit`.
    pub async fn runs(&mut self, batch: BatchId, limit: u32) -> Result<Vec<Run>, QueueError> {
        let rows = sqlx::query(
            "SELECT id, started_ms, ended_ms, exit_code, pid, host FROM run WHERE batch_id = ?1
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
                    pid: row.try_get(4)?,
                    host: row.try_get(5)?,
                })
            })
            .collect()
    }

    /// The batch on which `process` works; `None`: it has not begun to.
    pub async fn worked_on_by(&mut self, process: &Holder) -> Result<Option<BatchId>, QueueError> {
        let batch: Option<i64> = sqlx::query_scalar(
            "SELECT batch_id FROM run WHERE ended_ms IS NULL AND pid = ?1 AND (host = ?2 OR ?2 = '')
             AND started_ms >= ?3 ORDER BY id DESC LIMIT 1",
        )
        .bind(process.pid)
        .bind(&process.host)
        .bind(process.since_ms)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(batch.map(BatchId))
    }

    /// The oldest doubt of `batch`: its service, since when it may have been wiped (Unix time), and
    /// the owner's name for it.
    pub async fn oldest_doubt(
        &mut self,
        batch: BatchId,
    ) -> Result<Option<(ServiceId, i64, Option<String>)>, QueueError> {
        let row: Option<(i64, i64, Option<String>)> = sqlx::query_as(OLDEST_DOUBT)
            .bind(batch.0)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(row
            .and_then(|(service, since_ms, name)| Some((ServiceId::new(service)?, since_ms, name))))
    }

    /// Jobs of `batch` that were done since `since_ms` (Unix time), and when the first of them was.
    pub async fn done_since(&mut self, batch: BatchId, since_ms: i64) -> Result<u64, QueueError> {
        let entries: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM ledger
             WHERE seq > (SELECT coalesce(max(seq), 0) - 20000 FROM ledger)
               AND at_ms >= ?2 AND kind = 'completed' AND job_id / 4294967296 = ?1",
        )
        .bind(batch.0)
        .bind(since_ms)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(u64::try_from(entries).unwrap_or(0))
    }

    /// Failed jobs of `batch` that were, or may have been, wiped.
    pub async fn failed_wiped(&mut self, batch: BatchId) -> Result<u64, QueueError> {
        let jobs: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM job WHERE batch_id = ?1 AND state = 'failed' AND executed <> 'no'",
        )
        .bind(batch.0)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(u64::try_from(jobs).unwrap_or(0))
    }

    /// Finished jobs of `batch` that a human should look at.
    pub async fn flagged(&mut self, batch: BatchId) -> Result<u64, QueueError> {
        let jobs: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM job
             WHERE batch_id = ?1 AND state = 'done' AND error_kind IS NOT NULL",
        )
        .bind(batch.0)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(u64::try_from(jobs).unwrap_or(0))
    }

    /// Records that this process begins to work, in the main file too: who later finds that file
    /// without its log is to know that something is missing.
    pub async fn begin_run(&mut self, run: &NewRun) -> Result<RunId, QueueError> {
        let id = sqlx::query_scalar(
            "INSERT INTO run (batch_id, started_ms, pid, host, version, options)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
        )
        .bind(run.batch.0)
        .bind(run.started_ms)
        .bind(std::process::id())
        .bind(host())
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(run.options.to_string())
        .fetch_one(&mut self.connection)
        .await?;
        self.mark_work().await?;
        Ok(RunId(id))
    }

    /// Records how it ended.
    pub async fn end_run(
        &mut self,
        run: RunId,
        ended_ms: i64,
        exit_code: u8,
    ) -> Result<(), QueueError> {
        sqlx::query(
            "UPDATE run SET ended_ms = ?2, exit_code = ?3 WHERE id = ?1 AND ended_ms IS NULL",
        )
        .bind(run.0)
        .bind(ended_ms)
        .bind(exit_code)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}

/// The columns of [`job_as_text`], in its order.
#[derive(Deserialize)]
struct StoredJob<'a> {
    id: i64,
    line: u64,
    service: i64,
    #[serde(borrow)]
    image: Cow<'a, str>,
    zone: Option<String>,
    #[serde(borrow)]
    access: Cow<'a, str>,
    ssh_key: Option<String>,
    password: Option<String>,
    note: Option<String>,
    /// `None`: as every job begins.
    record: Option<StoredStanding>,
}

/// The columns of [`standing_as_json`], in its order.
#[derive(Deserialize)]
struct StoredStanding {
    state: State,
    attempt: u32,
    retries: u32,
    executed_before: Executed,
    executed_now: Executed,
    evidence: Option<Evidence>,
    held: u8,
    accepted: u8,
    rebuilding_seen: u8,
    not_before_ms: i64,
    intent_ms: Option<i64>,
    submitted_ms: Option<i64>,
    completed_ms: Option<i64>,
    error_kind: Option<String>,
    error: Option<String>,
    baseline: Option<Baseline>,
    target: Option<String>,
}

/// The job in the only column of `row`, which is [`job_as_text`].
pub(super) fn queued_job(row: &SqliteRow) -> Result<QueuedJob, QueueError> {
    stored::<StoredJob<'_>>(row, "a job")?.try_into()
}

impl TryFrom<StoredJob<'_>> for QueuedJob {
    type Error = QueueError;

    fn try_from(job: StoredJob<'_>) -> Result<Self, QueueError> {
        Ok(Self {
            id: JobId(job.id),
            line: job.line,
            service: ServiceId::new(job.service).ok_or_else(|| damaged("a service id"))?,
            image: job.image.parse().map_err(|_| damaged("an image id"))?,
            zone: job.zone,
            access: word(&job.access)?,
            ssh_key: job.ssh_key,
            password: job.password.map(SecretString::from),
            note: job.note,
            record: job.record.map_or_else(JobRecord::queued, JobRecord::from),
        })
    }
}

impl From<StoredStanding> for JobRecord {
    fn from(stored: StoredStanding) -> Self {
        Self {
            state: stored.state,
            attempt: stored.attempt,
            retries: stored.retries,
            executed_before: stored.executed_before,
            executed_now: stored.executed_now,
            evidence: stored.evidence,
            held: stored.held != 0,
            accepted: stored.accepted != 0,
            rebuilding_seen: stored.rebuilding_seen != 0,
            not_before_ms: stored.not_before_ms,
            intent_ms: stored.intent_ms,
            submitted_ms: stored.submitted_ms,
            completed_ms: stored.completed_ms,
            failure: stored
                .error_kind
                .zip(stored.error)
                .map(|(kind, error)| Failure::new(kind, error)),
            baseline: stored.baseline,
            target: stored.target,
        }
    }
}

/// The columns of a result, in the order of [`Queue::results`].
#[derive(Deserialize)]
struct StoredResult<'a> {
    line: u64,
    service: i64,
    #[serde(borrow)]
    image: Cow<'a, str>,
    state: State,
    executed: Executed,
    evidence: Option<Evidence>,
    attempts: u32,
    submitted_ms: Option<i64>,
    completed_ms: Option<i64>,
    error_kind: Option<String>,
    error: Option<String>,
    note: Option<String>,
    held: u8,
    name: Option<String>,
    ip: Option<String>,
}

fn result_row(row: &SqliteRow) -> Result<ResultRow, QueueError> {
    let result: StoredResult<'_> = stored(row, "a job")?;
    Ok(ResultRow {
        line: result.line,
        service: ServiceId::new(result.service).ok_or_else(|| damaged("a service id"))?,
        image: result.image.parse().map_err(|_| damaged("an image id"))?,
        state: result.state,
        executed: result.executed,
        evidence: result.evidence,
        attempts: result.attempts,
        submitted_ms: result.submitted_ms,
        completed_ms: result.completed_ms,
        error_kind: result.error_kind,
        error: result.error,
        note: result.note,
        held: result.held != 0,
        name: result.name,
        ip: result.ip,
    })
}

/// What stands as JSON in the only column of `row`.
fn stored<'a, T: Deserialize<'a>>(row: &'a SqliteRow, what: &str) -> Result<T, QueueError> {
    serde_json::from_str(row.try_get(0)?).map_err(|_| damaged(what))
}

fn word<T: std::str::FromStr<Err = crate::job::UnknownWord>>(word: &str) -> Result<T, QueueError> {
    word.parse()
        .map_err(|error: crate::job::UnknownWord| damaged(&error.to_string()))
}

pub(super) fn damaged(what: &str) -> QueueError {
    QueueError::Storage {
        reason: format!("the database is damaged: {what} cannot be read"),
    }
}
