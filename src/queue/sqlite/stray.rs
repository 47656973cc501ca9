//! Submissions that may still take effect. Whoever sent them has ended, says the lock, or has said what it
//! knows.

use super::handle::SqliteQueue;
use crate::job::BatchId;
use crate::queue::stored::{StrayRow, may_be_stray, stray};
use crate::queue::{StoreError, Strays};

/// Those of the services of batch ?1.
pub(super) const STRAYS: &str = concat!(
    "SELECT stray.id, stray.attempt, stray.service_id, job.state = 'queued',
            coalesce(stray.submitted_ms,
                (SELECT max(at_ms) FROM ledger WHERE job_id = stray.id AND attempt = stray.attempt AND kind IN ('unknown', 'interrupted')),
                stray.intent_ms, 0)
     FROM job AS stray INDEXED BY job_stray
     JOIN job ON job.service_id = stray.service_id AND job.batch_id = ?1
     WHERE ",
    may_be_stray!("stray")
);

impl SqliteQueue {
    /// The strays that `batch` has to do with.
    pub(super) async fn strays_of(&mut self, batch: BatchId) -> Result<Strays, StoreError> {
        let rows: Vec<StrayRow> = sqlx::query_as(STRAYS)
            .bind(batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        let all = rows.into_iter().map(|row| stray(batch, row, None));
        Ok(Strays {
            all: all.collect::<Result<_, _>>()?,
            ..Strays::default()
        })
    }
}
