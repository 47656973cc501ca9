//! How long rebuilds took. Nothing here changes anything.

use std::time::Duration;

use super::handle::SqliteQueue;
use super::text::stored;
use crate::job::{Action, ImageId};
use crate::queue::StoreError;

/// Those of image ?1 that were seen to complete, of the provider ?2 and the action ?3, the latest first.
/// The condition of the index `job_took` is repeated word for word: else SQLite does not know that it may
/// use it.
pub(super) const TOOK: &str = "SELECT json_group_array(ms) FROM (
         SELECT completed_ms - submitted_ms AS ms FROM job
         WHERE image IS ?1 AND (evidence = 'observed' OR evidence = 'image') AND submitted_ms <= completed_ms
           AND (SELECT provider = ?2 AND action = ?3 FROM batch WHERE batch.id = job.batch_id)
         ORDER BY completed_ms DESC LIMIT ?4) AS due";

impl SqliteQueue {
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
            let row = sqlx::query(TOOK)
                .bind(image.map(|image| image.to_string()))
                .bind(provider)
                .bind(action.as_str())
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_one(&mut self.connection)
                .await?;
            let took: Vec<u64> = stored(&row, "a duration")?;
            let took = took.into_iter().rev().map(Duration::from_millis);
            durations.extend(took.map(|took| (image, took)));
        }
        Ok(durations)
    }
}
