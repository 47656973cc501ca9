//! What a run asks of its batch as a whole: what is still queued, and what has gone wrong.

use sqlx::Row as _;

use super::handle::Queue;
use super::rows::{job_as_text, queued_job};
use super::statement::json;
use super::stored::damaged;
use crate::job::{BatchId, JobId, ServiceId};
use crate::queue::{Harm, QueuedJob, StoreError};

/// Failed jobs that nobody has dealt with. What the operator has resolved as failed is dealt with,
/// and what the account's list lacks was never sent: neither says that rebuilds of this batch fail.
pub(super) const FAILED: &str = "SELECT count(*) FROM job
     WHERE batch_id = ?1 AND state = 'failed' AND error_kind IS NOT 'not_listed'
       AND (SELECT kind FROM ledger WHERE job_id = job.id ORDER BY seq DESC LIMIT 1) <> 'resolved'";

pub(super) const IN_DOUBT: &str = "SELECT id FROM job
     WHERE batch_id = ?1 AND state <> 'queued' AND completed_ms IS NULL AND state = 'in_doubt'";

impl Queue {
    /// What has gone wrong with `batch` in any of its runs, and nobody has dealt with.
    pub(super) async fn harm(&mut self, batch: BatchId) -> Result<Harm, StoreError> {
        let failed: i64 = sqlx::query_scalar(FAILED)
            .bind(batch.0)
            .fetch_one(&mut self.connection)
            .await?;
        let in_doubt: Vec<i64> = sqlx::query_scalar(IN_DOUBT)
            .bind(batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        Ok(Harm {
            failed: u64::try_from(failed).unwrap_or(0),
            in_doubt: in_doubt.into_iter().map(JobId::from_stored).collect(),
        })
    }

    /// The queued jobs of `batch` and their services, in the manifest's order.
    pub(super) async fn queued_services(
        &mut self,
        batch: BatchId,
    ) -> Result<Vec<(JobId, ServiceId)>, StoreError> {
        let mut queued = Vec::new();
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT id, service_id FROM job WHERE batch_id = ?1 AND state = 'queued'",
        )
        .bind(batch.0)
        .fetch_all(&mut self.connection)
        .await?;
        for (job, service) in rows {
            let service = ServiceId::new(service).ok_or_else(|| damaged("a service's id"))?;
            queued.push((JobId::from_stored(job), service));
        }
        queued.sort_unstable();
        Ok(queued)
    }

    /// Those of `jobs` that are queued.
    pub(super) async fn queued_of(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        let ids: Vec<i64> = jobs.iter().map(|job| job.stored()).collect();
        let rows = sqlx::query(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE id IN (SELECT value FROM json_each(?1)) AND state = 'queued'"
        ))
        .bind(json(&ids))
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
