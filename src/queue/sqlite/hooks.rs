//! What happens after successes (`--on-done`): which hooks there are.

use super::handle::SqliteQueue;
use super::text::{job_as_text, queued_job};
use crate::job::{BatchId, HookCounts, HookState, JobId};
use crate::queue::stored::{end_of, hook_counts, job_id, json};
use crate::queue::{QueuedJob, StoreError};

/// Hooks of batch ?1 behind the job ?2. Those that have ended well are found by no index.
pub(super) const HOOKS: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE id > ?1 AND id < ?2 AND batch_id = ?3 AND hook <> 'done'
       AND hook IN (SELECT value FROM json_each(?4)) ORDER BY id LIMIT ?5"
);

pub(super) const COUNTS: &str =
    "SELECT hook, count(*) FROM job WHERE batch_id = ?1 AND hook <> 'done' GROUP BY hook";

impl SqliteQueue {
    pub async fn hooks(
        &mut self,
        batch: BatchId,
        states: &[HookState],
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let rows = sqlx::query(HOOKS)
            .bind(after.unwrap_or_else(|| job_id(batch, 0)).stored())
            .bind(end_of(batch))
            .bind(batch.0)
            .bind(json(&words))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&mut self.connection)
            .await?;
        rows.iter().map(queued_job).collect()
    }

    pub async fn hook_counts(&mut self, batch: BatchId) -> Result<HookCounts, StoreError> {
        let rows = sqlx::query_as(COUNTS)
            .bind(batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        hook_counts(rows)
    }
}
