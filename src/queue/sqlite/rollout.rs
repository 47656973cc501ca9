//! What the rules of a roll-out ask of the database.

use std::collections::HashMap;
use std::num::NonZeroU32;

use sqlx::Row as _;

use super::handle::SqliteQueue;
use super::read::due_statement;
use super::text::{job_as_text, queued_job};
use crate::job::{BatchId, Group, ImageId};
use crate::queue::stored::{damaged, down, due_jobs, ids, image_id, json, no_stray_but};
use crate::queue::{Admission, Down, QueuedJob, RolloutProgress, StoreError};

/// Jobs that are due, as [`DUE`](super::read::DUE) gives them, without those of the groups ?4, but with the
/// jobs ?5, and without all those of the images ?6. An absent image has to equal another one, which NULL never
/// does.
pub(super) const DUE_BUT_OF: &str = due_statement!(concat!(
    no_stray_but!("NOT IN (SELECT value FROM json_each(?7))"),
    " AND (group_name IS NULL OR group_name NOT IN (SELECT value FROM json_each(?4)) OR id IN (SELECT value FROM json_each(?5)))
     AND coalesce(image, '') NOT IN (SELECT coalesce(value, '') FROM json_each(?6))"
));

/// Members of groups that are down, by the rules of
/// [`JobRecord::is_down`](crate::job::JobRecord::is_down), unless somebody has given his word on them; with
/// their jobs in batch ?1, where they have one there. What another batch has left counts until a later one
/// has touched the instance, or its job here was cancelled.
pub(super) const DOWN: &str = "SELECT down.batch_id, coalesce(now.id, down.id), down.service_id,
            CASE WHEN now.id IS NULL THEN down.group_name ELSE now.group_name END,
            coalesce(now.state, down.state),
            EXISTS (SELECT 1 FROM job AS waiting WHERE waiting.batch_id = ?1
                    AND waiting.group_name = CASE WHEN now.id IS NULL THEN down.group_name ELSE now.group_name END
                    AND waiting.state = 'queued' AND waiting.executed = 'no')
     FROM job AS down INDEXED BY job_grouped_down
     LEFT JOIN job AS now ON now.service_id = down.service_id AND now.batch_id = ?1
     WHERE down.group_name IS NOT NULL AND down.attempt > 0 AND down.state <> 'done' AND down.state <> 'cancelled'
       AND down.executed <> 'no'
       AND NOT (down.state = 'failed'
                AND (SELECT kind FROM ledger WHERE job_id = down.id ORDER BY seq DESC LIMIT 1) = 'resolved')
       AND (down.batch_id = ?1
            OR now.state IS NOT 'cancelled'
               AND NOT EXISTS (SELECT 1 FROM job AS later WHERE later.service_id = down.service_id
                               AND later.batch_id > down.batch_id AND later.executed <> 'no'))";

const HAS_GROUPS: &str =
    "SELECT EXISTS (SELECT 1 FROM job WHERE batch_id = ?1 AND group_name IS NOT NULL)";

/// The first jobs of each image that nobody has cancelled. Walks through all of the batch: it is asked
/// once in a while, as long as the first ones are not proven.
const CANARIES: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (PARTITION BY image ORDER BY id) AS place
            FROM job WHERE id > ?1 AND id < ?2 AND state <> 'cancelled')
        WHERE place <= ?3)"
);

impl SqliteQueue {
    /// How far the roll-out of `batch` has come, where of each image `canaries` go first, or none.
    pub async fn rollout_progress(
        &mut self,
        batch: BatchId,
        canaries: Option<NonZeroU32>,
    ) -> Result<RolloutProgress, StoreError> {
        Ok(RolloutProgress {
            down: self.down(batch).await?,
            canaries: match canaries {
                Some(each) => Some(self.canaries(batch, each).await?),
                None => None,
            },
        })
    }

    /// Members of these groups that are queued and were never touched: how many of each group.
    pub async fn waiting_by_group(
        &mut self,
        batch: BatchId,
        groups: &[&Group],
    ) -> Result<HashMap<Group, u64>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT group_name, count(*) FROM job
             WHERE batch_id = ?1 AND group_name IN (SELECT value FROM json_each(?2))
               AND state = 'queued' AND executed = 'no'
             GROUP BY group_name",
        )
        .bind(batch.0)
        .bind(json(&groups))
        .fetch_all(&mut self.connection)
        .await?;
        rows.into_iter()
            .map(|(group, waiting)| {
                let group = Group::new(&group).ok_or_else(|| damaged("a group"))?;
                Ok((group, u64::try_from(waiting).unwrap_or(0)))
            })
            .collect()
    }

    /// The images that queued jobs of `batch` get, and how many get each; `None`: what gets none.
    pub async fn queued_images(
        &mut self,
        batch: BatchId,
    ) -> Result<Vec<(Option<ImageId>, u64)>, StoreError> {
        let rows: Vec<(Option<String>, i64)> = sqlx::query_as(
            "SELECT image, count(*) FROM job WHERE batch_id = ?1 AND state = 'queued' GROUP BY image",
        )
        .bind(batch.0)
        .fetch_all(&mut self.connection)
        .await?;
        let images = rows.into_iter().map(|(image, jobs)| {
            let image = image.as_deref().map(image_id).transpose()?;
            Ok((image, u64::try_from(jobs).unwrap_or(0)))
        });
        images.collect()
    }

    /// Some of its jobs are in groups.
    pub async fn has_groups(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        let has_groups = sqlx::query_scalar(HAS_GROUPS).bind(batch.0);
        Ok(has_groups.fetch_one(&mut self.connection).await?)
    }

    async fn down(&mut self, batch: BatchId) -> Result<Vec<Down>, StoreError> {
        let rows = sqlx::query_as(DOWN)
            .bind(batch.0)
            .fetch_all(&mut self.connection)
            .await?;
        down(batch, rows)
    }

    async fn canaries(
        &mut self,
        batch: BatchId,
        each: NonZeroU32,
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let rows = sqlx::query(CANARIES)
            .bind(batch.0 << 32)
            .bind((batch.0 + 1) << 32)
            .bind(each.get())
            .fetch_all(&mut self.connection)
            .await?;
        let mut jobs: Vec<QueuedJob> = rows.iter().map(queued_job).collect::<Result<_, _>>()?;
        jobs.sort_unstable_by_key(|job| job.id);
        Ok(jobs)
    }

    /// Jobs of `batch` that are due and admitted by group and image, with no stray in the way that is not
    /// `over`.
    pub(super) async fn due_but_of(
        &mut self,
        batch: BatchId,
        now_ms: i64,
        limit: usize,
        admission: &Admission,
        over: &[String],
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let row = sqlx::query(DUE_BUT_OF)
            .bind(batch.0)
            .bind(now_ms)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(json(&admission.not_of))
            .bind(json(&ids(&admission.but)))
            .bind(json(&admission.not_images))
            .bind(json(over))
            .fetch_one(&mut self.connection)
            .await?;
        due_jobs(row.try_get(0)?)
    }
}
