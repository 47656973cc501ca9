//! What the rules of a roll-out ask of the database.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::handle::PostgresQueue;
use super::read::due_statement;
use super::text::{job_as_text, queued_jobs};
use crate::job::{BatchId, Group, ImageId};
use crate::queue::stored::{
    DownRow, count, damaged, down, due_jobs, end_of, ids, image_id, job_id, no_stray_but,
};
use crate::queue::{Admission, QueuedJob, RolloutProgress, StoreError};

/// Jobs that are due, as [`DUE`](super::read::DUE) gives them, without those of the groups $4, but with the
/// jobs $5, and without all those of the images $6, among which an absent image is the empty one.
pub(super) const DUE_BUT_OF: &str = due_statement!(concat!(
    no_stray_but!("<> ALL($7)"),
    " AND (group_name IS NULL OR group_name <> ALL($4) OR id = ANY($5)) AND coalesce(image, '') <> ALL($6)"
));

/// Members of groups that are down, by the rules of
/// [`JobRecord::is_down`](crate::job::JobRecord::is_down), unless somebody has given his word on them; with
/// their jobs in batch $1, where they have one there. What another batch has left counts until a later one
/// has touched the instance, or its job here was cancelled.
///
/// Few are down at once, which the server does not know of columns that it counts one by one: `LIMIT` and
/// `OFFSET 0` keep it from reading the whole batch instead of looking each of them up.
pub(super) const DOWN: &str = "SELECT down.batch_id, coalesce(now.id, down.id), down.service_id,
            CASE WHEN now.id IS NULL THEN down.group_name ELSE now.group_name END,
            coalesce(now.state, down.state),
            (SELECT true FROM job AS waiting WHERE waiting.batch_id = $1
                 AND waiting.group_name = CASE WHEN now.id IS NULL THEN down.group_name ELSE now.group_name END
                 AND waiting.state = 'queued' AND waiting.executed = 'no' LIMIT 1) IS NOT NULL
     FROM job AS down
     LEFT JOIN LATERAL (SELECT id, state, group_name FROM job
                        WHERE service_id = down.service_id AND batch_id = $1 OFFSET 0) AS now ON true
     WHERE down.group_name IS NOT NULL AND down.attempt > 0 AND down.state <> 'done' AND down.state <> 'cancelled'
       AND down.executed <> 'no'
       AND NOT (down.state = 'failed'
                AND (SELECT kind FROM ledger WHERE job_id = down.id ORDER BY seq DESC LIMIT 1) = 'resolved')
       AND (down.batch_id = $1
            OR now.state IS DISTINCT FROM 'cancelled'
               AND NOT EXISTS (SELECT 1 FROM job AS later WHERE later.service_id = down.service_id
                               AND later.batch_id > down.batch_id AND later.executed <> 'no'))";

/// The first jobs of each image that nobody has cancelled. Walks through all of the batch: it is asked
/// once in a while, as long as the first ones are not proven.
const CANARIES: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE id IN (
        SELECT id FROM (
            SELECT id, row_number() OVER (PARTITION BY image ORDER BY id) AS place
            FROM job WHERE id > $1 AND id < $2 AND state <> 'cancelled') AS placed
        WHERE place <= $3) ORDER BY id"
);

impl PostgresQueue {
    /// How far the roll-out of `batch` has come, where of each image `canaries` go first, or none.
    pub async fn rollout_progress(
        &mut self,
        batch: BatchId,
        canaries: Option<NonZeroU32>,
    ) -> Result<RolloutProgress, StoreError> {
        let rows: Vec<DownRow> = self.session.all(sqlx::query_as(DOWN).bind(batch.0)).await?;
        Ok(RolloutProgress {
            down: down(batch, rows)?,
            canaries: match canaries {
                Some(each) => Some(self.canaries(batch, each).await?),
                None => None,
            },
        })
    }

    async fn canaries(
        &mut self,
        batch: BatchId,
        each: NonZeroU32,
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let canaries = sqlx::query_as(CANARIES)
            .bind(job_id(batch, 0).stored())
            .bind(end_of(batch))
            .bind(i64::from(each.get()));
        queued_jobs(&self.session.all(canaries).await?)
    }

    /// Members of these groups that are queued and were never touched: how many of each group.
    pub async fn waiting_by_group(
        &mut self,
        batch: BatchId,
        groups: &[&Group],
    ) -> Result<HashMap<Group, u64>, StoreError> {
        let groups: Vec<&str> = groups.iter().map(|group| group.as_str()).collect();
        let waiting = sqlx::query_as(
            "SELECT group_name, count(*) FROM job
             WHERE batch_id = $1 AND group_name = ANY($2) AND state = 'queued' AND executed = 'no'
             GROUP BY group_name",
        );
        let waiting = waiting.bind(batch.0).bind(groups);
        let rows: Vec<(String, i64)> = self.session.all(waiting).await?;
        rows.into_iter()
            .map(|(group, waiting)| {
                let group = Group::new(&group).ok_or_else(|| damaged("a group"))?;
                Ok((group, count(waiting)?))
            })
            .collect()
    }

    /// The images that queued jobs of `batch` get, and how many get each; `None`: what gets none.
    pub async fn queued_images(
        &mut self,
        batch: BatchId,
    ) -> Result<Vec<(Option<ImageId>, u64)>, StoreError> {
        let images = sqlx::query_as(
            "SELECT image, count(*) FROM job WHERE batch_id = $1 AND state = 'queued'
             GROUP BY image ORDER BY image COLLATE \"C\" NULLS FIRST",
        );
        let rows: Vec<(Option<String>, i64)> = self.session.all(images.bind(batch.0)).await?;
        let image = |(image, jobs): (Option<String>, i64)| {
            let image = image.as_deref().map(image_id).transpose()?;
            Ok((image, count(jobs)?))
        };
        rows.into_iter().map(image).collect()
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
        let groups: Vec<&str> = admission.not_of.iter().map(Group::as_str).collect();
        let images = admission.not_images.iter();
        let images: Vec<String> = images
            .map(|image| image.map_or_else(String::new, |image| image.to_string()))
            .collect();
        let due = sqlx::query_as(DUE_BUT_OF)
            .bind(batch.0)
            .bind(now_ms)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .bind(groups)
            .bind(ids(&admission.but))
            .bind(images)
            .bind(over.to_vec());
        let (text,): (String,) = self.session.one(due).await?;
        due_jobs(&text)
    }
}
