//! What can be asked of jobs. Nothing here changes anything.

use super::handle::PostgresQueue;
use super::session::Session;
use super::text::{job_as_text, queued_jobs};
use crate::job::{BatchId, JobId, RunId, ServiceId, State};
use crate::queue::stored::{
    batch_of, due_jobs, each_target, end_of, from_json, ids, job_id, no_stray_but, result_row,
};
use crate::queue::{LedgerLine, QueuedJob, ResultSink, StoreError, Target};

/// Rows that are read at once where all are walked through: memory stays flat.
const ROWS_PER_READING: i64 = 4096;

/// Fresh jobs in the manifest's order, then the delayed ones as they fall due: all as one text.
macro_rules! due_statement {
    ($more:expr) => {
        concat!(
            "SELECT '[' || coalesce(string_agg(text, ','), '') || ']' FROM (SELECT ",
            crate::queue::postgres::text::job_as_text!(concat!(
                "CASE WHEN job.attempt > 0 OR job.error_kind IS NOT NULL THEN ",
                record_as_array!("json_build_array", ""),
                " END"
            )),
            " AS text FROM job WHERE batch_id = $1 AND state = 'queued' AND not_before_ms <= $2 ",
            $more,
            " ORDER BY not_before_ms, id LIMIT $3) AS due"
        )
    };
}
pub(super) use due_statement;

pub(super) const DUE: &str = due_statement!(no_stray_but!("<> ALL($4)"));

/// Of what is queued, the next ones behind ($2, $3).
pub(super) const TARGETS: &str =
    "SELECT '[' || coalesce(string_agg(text, ','), '') || ']' FROM (
         SELECT json_build_array(not_before_ms, id, service_id, image, access, (executed <> 'no')::int, expected, group_name)::text AS text
         FROM job WHERE batch_id = $1 AND state = 'queued' AND (not_before_ms, id) > ($2, $3)
         ORDER BY not_before_ms, id LIMIT $4) AS due";

pub(super) const NEXT_DUE: &str = "SELECT min(not_before_ms) FROM job
     WHERE batch_id = $1 AND state = 'queued' AND not_before_ms > $2";

pub(super) const UNSETTLED: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE batch_id = $1 AND state <> 'queued' AND completed_ms IS NULL
        AND state = ANY($2) ORDER BY id"
);

/// Those of batch ($1, $2) in one of the states $3, of which there may be none.
const RESULTS: &str = "SELECT json_build_array(line, service_id, image, state, executed, evidence, attempt, submitted_ms,
            completed_ms, error_kind, error, note, group_name, held, by_word,
            baseline ->> 'name', baseline ->> 'ip', target, ssh_port, baseline -> 'host_key', host_key, hook)::text
     FROM job WHERE id > $1 AND id < $2 AND (cardinality($3) = 0 OR state = ANY($3)) ORDER BY id LIMIT $4";

impl PostgresQueue {
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
        let due = sqlx::query_as(DUE)
            .bind(batch.0)
            .bind(now_ms)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(over.to_vec());
        let (text,): (String,) = self.session.one(due).await?;
        due_jobs(&text)
    }

    /// When the next queued job of `batch` falls due after `after_ms` (both as Unix time); `None`:
    /// none is delayed beyond it.
    pub(super) async fn next_due_ms(
        &mut self,
        batch: BatchId,
        after_ms: i64,
    ) -> Result<Option<i64>, StoreError> {
        let next = sqlx::query_as(NEXT_DUE).bind(batch.0).bind(after_ms);
        let (next_ms,) = self.session.one(next).await?;
        Ok(next_ms)
    }

    /// Jobs of `batch` in one of `states`, of those that an earlier run can have left behind:
    /// submitting, in progress or in doubt.
    pub(super) async fn unsettled(
        &mut self,
        batch: BatchId,
        states: &[State],
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let unsettled = sqlx::query_as(UNSETTLED).bind(batch.0).bind(words);
        queued_jobs(&self.session.all(unsettled).await?)
    }

    /// Hands what is queued of `batch` to `each`, in the order in which it may start. All of it is of
    /// one state of the database.
    pub async fn targets(
        &mut self,
        batch: BatchId,
        each: &mut (dyn FnMut(Target) + Send),
    ) -> Result<(), StoreError> {
        let mut transaction = self.session.begin_reading().await?;
        let mut after = (i64::MIN, 0);
        loop {
            let targets = sqlx::query_as(TARGETS)
                .bind(batch.0)
                .bind(after.0)
                .bind(after.1)
                .bind(ROWS_PER_READING);
            let (text,): (String,) = transaction.one(targets).await?;
            match each_target(&text, each)? {
                Some(last) => after = last,
                None => break,
            }
        }
        transaction.rollback().await;
        Ok(())
    }

    /// All jobs of `service`, the newest batch first.
    pub async fn jobs_of(
        &mut self,
        service: ServiceId,
    ) -> Result<Vec<(BatchId, QueuedJob)>, StoreError> {
        let jobs = sqlx::query_as(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE service_id = $1 ORDER BY batch_id DESC"
        ));
        let jobs = queued_jobs(&self.session.all(jobs.bind(service.get())).await?)?;
        Ok(jobs
            .into_iter()
            .map(|job| (batch_of(job.id), job))
            .collect())
    }

    /// These jobs, in the manifest's order.
    pub async fn jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        let found = sqlx::query_as(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE id = ANY($1) ORDER BY id"
        ));
        queued_jobs(&self.session.all(found.bind(ids(jobs))).await?)
    }

    /// Everything that the ledger says of `job`, in its order.
    pub async fn history(&mut self, job: JobId) -> Result<Vec<LedgerLine>, StoreError> {
        let rows = sqlx::query_as(
            "SELECT seq, run_id, attempt, at_ms, body::text FROM ledger WHERE job_id = $1 ORDER BY seq",
        );
        let rows: Vec<(i64, Option<i64>, i32, i64, String)> =
            self.session.all(rows.bind(job.stored())).await?;
        let line = |(seq, run, attempt, at_ms, body): (i64, Option<i64>, i32, i64, String)| {
            Ok(LedgerLine {
                seq,
                run: run.map(RunId),
                attempt: attempt.cast_unsigned(),
                at_ms,
                entry: from_json(&body, "a ledger entry")?,
            })
        };
        rows.into_iter().map(line).collect()
    }

    /// Hands the results of `batch` to `sink`, in the manifest's order; only those in `states`,
    /// where it names any. All of it is of one state of the database.
    pub async fn results(
        &mut self,
        batch: BatchId,
        states: &[State],
        sink: &mut ResultSink<'_>,
    ) -> Result<std::io::Result<()>, StoreError> {
        let mut transaction = self.session.begin_reading().await?;
        let written = results(&mut transaction, batch, states, sink).await?;
        transaction.rollback().await;
        Ok(written)
    }
}

async fn results(
    session: &mut Session,
    batch: BatchId,
    states: &[State],
    sink: &mut ResultSink<'_>,
) -> Result<std::io::Result<()>, StoreError> {
    let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let mut after = job_id(batch, 0).stored();
    loop {
        let results = sqlx::query_as(RESULTS)
            .bind(after)
            .bind(end_of(batch))
            .bind(&words)
            .bind(ROWS_PER_READING);
        let rows: Vec<(String,)> = session.all(results).await?;
        for (text,) in &rows {
            let result = result_row(text)?;
            after = job_id(batch, result.line).stored();
            if let Err(error) = sink(result) {
                return Ok(Err(error));
            }
        }
        if rows.is_empty() {
            return Ok(Ok(()));
        }
    }
}
