//! What a run asks of its batch as a whole: what is still queued, what has gone wrong, and how long it
//! takes.

use std::time::Duration;

use super::handle::PostgresQueue;
use super::text::{job_as_text, queued_jobs};
use crate::job::{Action, BatchId, ImageId, JobId};
use crate::queue::stored::{damaged, end_of, ids, job_id, pending_jobs};
use crate::queue::{Harm, Pending, QueuedJob, StoreError};

/// Failed jobs that nobody has dealt with. What the operator has resolved as failed is dealt with,
/// and what the account's list lacks, or shows otherwise than it was expected, was never sent: none of
/// them says that rebuilds of this batch fail.
pub(super) const FAILED: &str = "SELECT count(*) FROM job
     WHERE batch_id = $1 AND state = 'failed' AND error_kind IS DISTINCT FROM 'not_listed'
       AND error_kind IS DISTINCT FROM 'plan_mismatch'
       AND (SELECT kind FROM ledger WHERE job_id = job.id ORDER BY seq DESC LIMIT 1) <> 'resolved'";

/// Failed jobs on whose instance something else stood than their order expects.
pub(super) const MISMATCHED: &str = "SELECT count(*) FROM job
     WHERE batch_id = $1 AND state = 'failed' AND error_kind = 'plan_mismatch'";

/// Of what is queued, the next ones behind $1, in the manifest's order, as far as they are compared with
/// the account's list.
pub(super) const PENDING: &str = "SELECT '[' || coalesce(string_agg(text, ','), '') || ']' FROM (
         SELECT json_build_array(id, line, service_id, (executed <> 'no')::int, expected)::text AS text FROM job
         WHERE id > $1 AND id < $2 AND state = 'queued' ORDER BY id LIMIT $3) AS due";

pub(super) const IN_DOUBT: &str = "SELECT id FROM job
     WHERE batch_id = $1 AND state <> 'queued' AND completed_ms IS NULL AND state = 'in_doubt'";

/// Those of image $1 that were seen to complete, of the provider $2 and the action $3, the latest first.
pub(super) const TOOK: &str = "SELECT completed_ms - submitted_ms FROM job
     WHERE coalesce(image, '') = coalesce($1, '') AND evidence IN ('observed', 'image') AND submitted_ms <= completed_ms
       AND (SELECT provider = $2 AND action = $3 FROM batch WHERE batch.id = job.batch_id)
     ORDER BY completed_ms DESC LIMIT $4";

impl PostgresQueue {
    /// What has gone wrong with `batch` in any of its runs, and nobody has dealt with.
    pub(super) async fn harm(&mut self, batch: BatchId) -> Result<Harm, StoreError> {
        let in_doubt = sqlx::query_as(IN_DOUBT).bind(batch.0);
        let in_doubt: Vec<(i64,)> = self.session.all(in_doubt).await?;
        let in_doubt = in_doubt.into_iter().map(|(id,)| JobId::from_stored(id));
        Ok(Harm {
            failed: self.number(FAILED, batch).await?,
            mismatched: self.number(MISMATCHED, batch).await?,
            in_doubt: in_doubt.collect(),
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
        let pending = sqlx::query_as(PENDING)
            .bind(after.stored())
            .bind(end_of(batch))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let (text,): (String,) = self.session.one(pending).await?;
        pending_jobs(&text)
    }

    /// A queued job of `batch` expects something of its instance.
    pub async fn expects(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        let expects = "SELECT EXISTS (SELECT 1 FROM job
             WHERE batch_id = $1 AND state = 'queued' AND expected IS NOT NULL)";
        self.says(expects, batch).await
    }

    /// Those of `jobs` that are queued.
    pub(super) async fn queued_of(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        let queued = sqlx::query_as(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE id = ANY($1) AND state = 'queued' ORDER BY id"
        ));
        queued_jobs(&self.session.all(queued.bind(ids(jobs))).await?)
    }

    /// A job of `batch` is queued, due or not.
    pub(super) async fn any_queued(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        let queued = "SELECT EXISTS (SELECT 1 FROM job WHERE batch_id = $1 AND state = 'queued')";
        self.says(queued, batch).await
    }

    /// Some of its jobs are in groups.
    pub async fn has_groups(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        let has_groups =
            "SELECT EXISTS (SELECT 1 FROM job WHERE batch_id = $1 AND group_name IS NOT NULL)";
        self.says(has_groups, batch).await
    }

    async fn says(&mut self, statement: &'static str, batch: BatchId) -> Result<bool, StoreError> {
        let asked = sqlx::query_as(statement).bind(batch.0);
        let (is_so,) = self.session.one(asked).await?;
        Ok(is_so)
    }

    /// How long it took to rebuild with each of `images`, of those that were seen to complete: of each
    /// the `limit` latest, the one that completed first first.
    pub async fn durations(
        &mut self,
        provider: &str,
        action: Action,
        images: &[Option<ImageId>],
        limit: usize,
    ) -> Result<Vec<(Option<ImageId>, Duration)>, StoreError> {
        let mut durations = Vec::new();
        for &image in images {
            let took = sqlx::query_as(TOOK)
                .bind(image.map(|image| image.to_string()))
                .bind(provider)
                .bind(action.as_str())
                .bind(i64::try_from(limit).unwrap_or(i64::MAX));
            let took: Vec<(i64,)> = self.session.all(took).await?;
            for (ms,) in took.into_iter().rev() {
                let ms = u64::try_from(ms).map_err(|_| damaged("a duration"))?;
                durations.push((image, Duration::from_millis(ms)));
            }
        }
        Ok(durations)
    }
}
