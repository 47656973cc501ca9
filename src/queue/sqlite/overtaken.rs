//! What happened to instances before somebody's word: the word took its place in the row of the job, and the
//! ledger keeps it.

use super::handle::SqliteQueue;
use crate::job::{BatchId, Happened};
use crate::queue::StoreError;
use crate::queue::stored::{end_of, happened, job_id};

/// Only jobs of which somebody has said something are looked at: those the index `ledger_by_word` finds. A
/// `CROSS JOIN` keeps its order; else SQLite may walk through the whole ledger first.
pub(super) const OVERTAKEN: &str = "WITH said AS (
         SELECT DISTINCT job_id FROM ledger WHERE run_id IS NULL AND kind <> 'hook' AND job_id > ?1 AND job_id < ?2
     )
     SELECT 'submitted', min(body ->> '$.submitted_ms') FROM said CROSS JOIN ledger USING (job_id) JOIN job ON job.id = job_id
     WHERE (kind = 'accepted' OR kind = 'unknown') AND body ->> '$.submitted_ms' IS NOT NULL
         AND job.submitted_ms IS NOT body ->> '$.submitted_ms'
     GROUP BY job_id, ledger.attempt
     UNION ALL
     SELECT iif(kind = 'completed', 'done', 'failed'), at_ms
     FROM said CROSS JOIN ledger USING (job_id) JOIN job ON job.id = job_id
     WHERE kind IN ('completed', 'refused', 'broken', 'exhausted', 'untouched')
         AND (job.completed_ms IS NOT at_ms OR job.by_word)";

impl SqliteQueue {
    pub async fn overtaken(&mut self, batch: BatchId) -> Result<Vec<(Happened, i64)>, StoreError> {
        let rows = sqlx::query_as(OVERTAKEN)
            .bind(job_id(batch, 0).stored())
            .bind(end_of(batch))
            .fetch_all(&mut self.connection)
            .await?;
        happened(rows)
    }
}
