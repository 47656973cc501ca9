//! What can be asked of the queue. Nothing here changes anything.

use std::collections::HashMap;

use secrecy::SecretString;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::Queue;
use super::record::json;
use crate::job::{BatchId, Counts, Failure, JobId, ResultRow, RunId, ServiceId, Standing, State};
use crate::queue::lock::host;
use crate::queue::{Batch, LedgerLine, NewRun, QueueError, QueuedJob, ResultSink, Run};

/// Rows that are read at once where all are walked through: memory stays flat.
const ROWS_PER_READING: i64 = 1024;

/// The columns of [`queued_job`], in its order.
macro_rules! job_columns {
    () => {
        "job.id, job.line, job.service_id, job.image, job.zone, job.access, job.ssh_key,
         (SELECT password FROM secret WHERE job_id = job.id), job.note,
         job.state, job.attempt, job.retries, job.executed_before, job.executed_now, job.evidence,
         job.held, job.rebuilding_seen, job.not_before_ms, job.intent_ms, job.submitted_ms,
         job.completed_ms, job.error_kind, job.error, job.baseline, job.target, job.accepted"
    };
}
pub(super) use job_columns;

/// Fresh jobs in the manifest's order, then the delayed ones as they fall due.
pub(super) const DUE: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM job WHERE batch_id = ?1 AND state = 'queued' AND not_before_ms <= ?2
      ORDER BY not_before_ms, id LIMIT ?3"
);

pub(super) const NEXT_DUE: &str = "SELECT min(not_before_ms) FROM job
     WHERE batch_id = ?1 AND state = 'queued' AND not_before_ms > ?2";

/// The conditions of the index `job_unsettled` are repeated word for word: else SQLite does not
/// know that it may use it.
pub(super) const UNSETTLED: &str = concat!(
    "SELECT ",
    job_columns!(),
    " FROM job WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL
        AND state IN (SELECT value FROM json_each(?2))"
);

pub(super) const OLDEST_DOUBT: &str = "SELECT service_id, min(intent_ms) FROM job
     WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL AND state = 'in_doubt'
     GROUP BY batch_id";

impl Queue {
    /// All batches, the oldest first.
    pub async fn batches(&mut self) -> Result<Vec<Batch>, QueueError> {
        let rows = sqlx::query(
            "SELECT id, identity, api_url, number, manifest, created_ms, touched_ms FROM batch ORDER BY id",
        )
        .fetch_all(&mut self.connection)
        .await?;
        let tallies: Vec<(i64, String, i64)> =
            sqlx::query_as("SELECT batch_id, state, jobs FROM tally")
                .fetch_all(&mut self.connection)
                .await?;
        let mut counts: HashMap<i64, Counts> = HashMap::new();
        for (batch, state, jobs) in tallies {
            let jobs = u64::try_from(jobs).map_err(|_| damaged("a negative tally"))?;
            let counts = counts.entry(batch).or_default();
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
                Ok(Batch {
                    id: BatchId(id),
                    identity: identity
                        .try_into()
                        .map_err(|_| damaged("a batch's identity"))?,
                    api_url: row.try_get(2)?,
                    number: u32::try_from(number).map_err(|_| damaged("a batch's number"))?,
                    manifest: row.try_get(4)?,
                    created_ms: row.try_get(5)?,
                    touched_ms: row.try_get(6)?,
                    counts: counts.get(&id).copied().unwrap_or_default(),
                })
            })
            .collect()
    }

    /// Jobs of `batch` that may start at `now_ms` (Unix time), at most `limit`, in the order in
    /// which they do: fresh ones in the manifest's order, then the delayed ones as they fall due.
    pub async fn due(
        &mut self,
        batch: BatchId,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<QueuedJob>, QueueError> {
        let rows = sqlx::query(DUE)
            .bind(batch.0)
            .bind(now_ms)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(queued_job).collect()
    }

    /// When the next queued job of `batch` falls due after `after_ms` (both as Unix time); `None`:
    /// none is delayed beyond it.
    pub async fn next_due_ms(
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
    pub async fn unsettled(
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
            job_columns!(),
            ", job.batch_id FROM job WHERE service_id = ?1 ORDER BY batch_id DESC"
        ))
        .bind(service.get())
        .fetch_all(&mut self.connection)
        .await?;
        rows.iter()
            .map(|row| Ok((BatchId(row.try_get(26)?), queued_job(row)?)))
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
        let mut after = 0;
        loop {
            let mut query = QueryBuilder::<Sqlite>::new(
                "SELECT id, line, service_id, image, state, executed, evidence, attempt, submitted_ms,
                        completed_ms, error_kind, error, note, held
                 FROM job WHERE id > ",
            );
            query
                .push_bind(after.max(batch.0 << 32))
                .push(" AND id < ")
                .push_bind((batch.0 + 1) << 32);
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
                after = row.try_get(0)?;
                if let Err(error) = sink(result_row(row)?) {
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

    /// The oldest doubt of `batch`: its service, and since when it may have been wiped, as Unix time.
    pub async fn oldest_doubt(
        &mut self,
        batch: BatchId,
    ) -> Result<Option<(ServiceId, i64)>, QueueError> {
        let row: Option<(i64, i64)> = sqlx::query_as(OLDEST_DOUBT)
            .bind(batch.0)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(row.and_then(|(service, since_ms)| Some((ServiceId::new(service)?, since_ms))))
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

    /// Records that this process begins to work.
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

pub(super) fn queued_job(row: &SqliteRow) -> Result<QueuedJob, QueueError> {
    let service: i64 = row.try_get(2)?;
    let image: &str = row.try_get(3)?;
    let baseline: Option<&str> = row.try_get(23)?;
    let error_kind: Option<String> = row.try_get(21)?;
    let error: Option<String> = row.try_get(22)?;
    Ok(QueuedJob {
        id: JobId(row.try_get(0)?),
        line: row.try_get(1)?,
        service: ServiceId::new(service).ok_or_else(|| damaged("a service id"))?,
        image: image.parse().map_err(|_| damaged("an image id"))?,
        zone: row.try_get(4)?,
        access: word(row.try_get(5)?)?,
        ssh_key: row.try_get(6)?,
        password: row.try_get::<Option<String>, _>(7)?.map(SecretString::from),
        note: row.try_get(8)?,
        standing: Standing {
            state: word(row.try_get(9)?)?,
            attempt: row.try_get(10)?,
            retries: row.try_get(11)?,
            executed_before: word(row.try_get(12)?)?,
            executed_now: word(row.try_get(13)?)?,
            evidence: row.try_get::<Option<&str>, _>(14)?.map(word).transpose()?,
            held: row.try_get(15)?,
            accepted: row.try_get(25)?,
            rebuilding_seen: row.try_get(16)?,
            not_before_ms: row.try_get(17)?,
            intent_ms: row.try_get(18)?,
            submitted_ms: row.try_get(19)?,
            completed_ms: row.try_get(20)?,
            failure: error_kind
                .zip(error)
                .map(|(kind, error)| Failure::new(kind, error)),
            baseline: baseline
                .map(serde_json::from_str)
                .transpose()
                .map_err(|_| damaged("a baseline"))?,
            target: row.try_get(24)?,
        },
    })
}

fn result_row(row: &SqliteRow) -> Result<ResultRow, QueueError> {
    let service: i64 = row.try_get(2)?;
    let image: &str = row.try_get(3)?;
    Ok(ResultRow {
        line: row.try_get(1)?,
        service: ServiceId::new(service).ok_or_else(|| damaged("a service id"))?,
        image: image.parse().map_err(|_| damaged("an image id"))?,
        state: word(row.try_get(4)?)?,
        executed: word(row.try_get(5)?)?,
        evidence: row.try_get::<Option<&str>, _>(6)?.map(word).transpose()?,
        attempts: row.try_get(7)?,
        submitted_ms: row.try_get(8)?,
        completed_ms: row.try_get(9)?,
        error_kind: row.try_get(10)?,
        error: row.try_get(11)?,
        note: row.try_get(12)?,
        held: row.try_get(13)?,
    })
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
