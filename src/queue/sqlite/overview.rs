//! What a run asks of its batch as a whole: what is still queued, and what has gone wrong.

use sqlx::Row as _;

use super::handle::SqliteQueue;
use super::text::{job_as_text, queued_job};
use crate::job::{BatchId, JobId};
use crate::queue::stored::{end_of, ids, job_id, json, pending_jobs};
use crate::queue::{Harm, Pending, QueuedJob, StoreError};

/// Failed jobs that nobody has dealt with. What the operator has resolved as failed is dealt with,
/// and what the account's list lacks, or shows otherwise than it was expected, was never sent: none of
/// them says that rebuilds of this batch fail.
pub(super) const FAILED: &str = "SELECT count(*) FROM job
     WHERE batch_id = ?1 AND state = 'failed' AND error_kind IS NOT 'not_listed' AND error_kind IS NOT 'plan_mismatch'
       AND (SELECT kind FROM ledger WHERE job_id = job.id ORDER BY seq DESC LIMIT 1) <> 'resolved'";

/// Failed jobs on whose instance something else stood than their order expects.
pub(super) const MISMATCHED: &str = "SELECT count(*) FROM job
     WHERE batch_id = ?1 AND state = 'failed' AND error_kind = 'plan_mismatch'";

/// Of what is queued, the next ones behind ?1, in the manifest's order, as far as they are compared with
/// the account's list.
pub(super) const PENDING: &str =
    "SELECT json_group_array(json_array(id, line, service_id, executed <> 'no', json(expected)))
     FROM (SELECT id, line, service_id, executed, expected FROM job
           WHERE id > ?1 AND id < ?2 AND state = 'queued' ORDER BY id LIMIT ?3) AS due";

pub(super) const IN_DOUBT: &str = "SELECT id FROM job
     WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL AND state = 'in_doubt'";

impl SqliteQueue {
    /// What has gone wrong with `batch` in any of its runs, and nobody has dealt with.
    pub(super) async fn harm(&mut self, batch: BatchId) -> Result<Harm, StoreError> {
        let failed: i64 = sqlx::query_scalar(FAILED)
            .bind(batch.0)
            .fetch_one(&mut self.connection)
            .await?;
        let mismatched: i64 = sqlx::query_scalar(MISMATCHED)
            .bind(batch.0)
            .fetch_one(&mut self.connection)
            .await?;
        let in_doubt: Vec<i64> = sqlx::query_scalar(IN_DOUBT)
            .bind(batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        Ok(Harm {
            failed: u64::try_from(failed).unwrap_or(0),
            mismatched: u64::try_from(mismatched).unwrap_or(0),
            in_doubt: in_doubt.into_iter().map(JobId::from_stored).collect(),
        })
    }

    /// The next queued jobs of `batch` behind `after`, `limit` at most, in the manifest's order.
    pub(super) async fn pending(
        &mut self,
        batch: BatchId,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let after = after.unwrap_or_else(|| job_id(batch, 0));
        let row = sqlx::query(PENDING)
            .bind(after.stored())
            .bind(end_of(batch))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_one(&mut self.connection)
            .await?;
        pending_jobs(row.try_get(0)?)
    }

    /// A queued job of `batch` expects something of its instance.
    pub async fn expects(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "SELECT 1 FROM job WHERE batch_id = ?1 AND state = 'queued' AND expected IS NOT NULL LIMIT 1",
        )
        .bind(batch.0)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(row.is_some())
    }

    /// Those of `jobs` that are queued.
    pub(super) async fn queued_of(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'queued'"
        ))
        .bind(json(&ids(jobs)))
        .fetch_all(&mut self.connection)
        .await?;
        let mut jobs: Vec<QueuedJob> = rows.iter().map(queued_job).collect::<Result<_, _>>()?;
        jobs.sort_unstable_by_key(|job| job.id);
        Ok(jobs)
    }

    /// A job of `batch` is queued, due or not.
    pub(super) async fn any_queued(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT 1 FROM job WHERE batch_id = ?1 AND state = 'queued' LIMIT 1")
            .bind(batch.0)
            .fetch_optional(&mut self.connection)
            .await?;
        Ok(row.is_some_and(|row| row.get::<i64, _>(0) == 1))
    }
}
