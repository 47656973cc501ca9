//! What happens after successes (`--on-done`): which hooks there are.

use super::handle::PostgresQueue;
use super::text::{job_as_text, queued_jobs};
use crate::job::{BatchId, HookCounts, HookState, JobId};
use crate::queue::stored::{hook_counts, job_id};
use crate::queue::{QueuedJob, StoreError};

/// Hooks of batch $1 behind the job $2. Those that have ended well are found by no index.
const HOOKS: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE batch_id = $1 AND id > $2 AND hook <> 'done' AND hook = ANY($3) ORDER BY id LIMIT $4"
);

const COUNTS: &str =
    "SELECT hook, count(*) FROM job WHERE batch_id = $1 AND hook <> 'done' GROUP BY hook";

impl PostgresQueue {
    pub async fn hooks(
        &mut self,
        batch: BatchId,
        states: &[HookState],
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let hooks = sqlx::query_as(HOOKS)
            .bind(batch.0)
            .bind(after.unwrap_or_else(|| job_id(batch, 0)).stored())
            .bind(words)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX));
        queued_jobs(&self.session.all(hooks).await?)
    }

    pub async fn hook_counts(&mut self, batch: BatchId) -> Result<HookCounts, StoreError> {
        hook_counts(
            self.session
                .all(sqlx::query_as(COUNTS).bind(batch.0))
                .await?,
        )
    }
}
