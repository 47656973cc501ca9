//! What a row of the database says, and how it becomes a value of the domain.

use std::borrow::Cow;

use serde::Deserialize;
use sqlx::sqlite::SqliteRow;

use super::columns::StoredRecord;
use super::order::StoredOrder;
use super::statement::json;
use super::stored::{damaged, image_id, stored, word};
use crate::job::{
    Action, BatchId, Evidence, Executed, Expected, FailureKind, Group, JobId, JobRecord, ResultRow,
    ServiceId, State,
};
use crate::queue::{Pending, QueuedJob, StoreError, Target};

/// A job as one column of text, for [`queued_job`]: each column of a row costs sqlx two allocations
/// on each side of a channel, and a job has 27. `record`: see [`StoredJob::record`].
macro_rules! job_as_text {
    () => {
        job_as_text!(record_as_json!())
    };
    ($($record:tt)*) => {
        concat!(
            "json_array(job.id, job.line, job.service_id, (SELECT action FROM batch WHERE id = job.batch_id), job.image, job.zone, job.access, job.ssh_key,
             (SELECT password FROM secret WHERE job_id = job.id), json(job.expected), job.group_name, job.note, ",
            $($record)*,
            ")"
        )
    };
}
pub(super) use job_as_text;

/// The number of the job on `line`: batch and line in one, as the schema demands.
pub(super) fn job_id(batch: BatchId, line: u64) -> JobId {
    JobId::from_stored((batch.0 << 32) + i64::try_from(line).unwrap_or(i64::MAX))
}

/// The batch of a job.
pub(super) fn batch_of(job: JobId) -> BatchId {
    BatchId(job.stored() >> 32)
}

/// `jobs` as a statement takes them for `json_each`.
pub(super) fn ids(jobs: &[JobId]) -> String {
    let ids: Vec<i64> = jobs.iter().map(|job| job.stored()).collect();
    json(&ids)
}

/// The columns of [`job_as_text`], in its order.
#[derive(Deserialize)]
pub(super) struct StoredJob<'a> {
    id: i64,
    line: u64,
    service: i64,
    action: Action,
    #[serde(borrow)]
    image: Option<Cow<'a, str>>,
    zone: Option<String>,
    #[serde(borrow)]
    access: Option<Cow<'a, str>>,
    ssh_key: Option<String>,
    password: Option<String>,
    expected: Option<Expected>,
    group: Option<Group>,
    note: Option<String>,
    /// `None`: as every job begins.
    record: Option<StoredRecord>,
}

/// The job in the only column of `row`, which is [`job_as_text`].
pub(super) fn queued_job(row: &SqliteRow) -> Result<QueuedJob, StoreError> {
    stored::<StoredJob<'_>>(row, "a job")?.try_into()
}

impl TryFrom<StoredJob<'_>> for QueuedJob {
    type Error = StoreError;

    fn try_from(job: StoredJob<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId::from_stored(job.id),
            line: job.line,
            service: ServiceId::new(job.service).ok_or_else(|| damaged("a service id"))?,
            order: StoredOrder {
                action: job.action,
                image: job.image,
                zone: job.zone,
                access: job.access,
                ssh_key: job.ssh_key,
                password: job.password,
            }
            .try_into()?,
            expected: job.expected.unwrap_or_default(),
            group: job.group,
            note: job.note,
            record: job.record.map_or_else(JobRecord::queued, JobRecord::from),
        })
    }
}

/// `not_before_ms`, the job's id, its service, its image, its access, whether it may have been touched,
/// what is expected, its group.
#[derive(Deserialize)]
pub(super) struct StoredTarget<'a>(
    pub(super) i64,
    pub(super) i64,
    i64,
    #[serde(borrow)] Option<Cow<'a, str>>,
    #[serde(borrow)] Option<Cow<'a, str>>,
    u8,
    Option<Expected>,
    Option<Group>,
);

impl TryFrom<StoredTarget<'_>> for Target {
    type Error = StoreError;

    fn try_from(target: StoredTarget<'_>) -> Result<Self, StoreError> {
        let StoredTarget(_, _, service, image, access, touched, expected, group) = target;
        Ok(Self {
            service: ServiceId::new(service).ok_or_else(|| damaged("a service id"))?,
            image: image.as_deref().map(image_id).transpose()?,
            access: access.as_deref().map(word).transpose()?,
            is_touched: touched != 0,
            expected: expected.unwrap_or_default(),
            group,
        })
    }
}

/// The job's id, its line, its service, whether it may have been touched, what is expected.
#[derive(Deserialize)]
pub(super) struct StoredPending(i64, u64, i64, u8, Option<Expected>);

impl TryFrom<StoredPending> for Pending {
    type Error = StoreError;

    fn try_from(
        StoredPending(id, line, service, touched, expected): StoredPending,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId::from_stored(id),
            line,
            service: ServiceId::new(service).ok_or_else(|| damaged("a service id"))?,
            is_touched: touched != 0,
            expected: expected.unwrap_or_default(),
        })
    }
}

/// The columns of a result, in the order of [`super::SqliteQueue::results`].
#[derive(Deserialize)]
struct StoredResult<'a> {
    line: u64,
    service: i64,
    #[serde(borrow)]
    image: Option<Cow<'a, str>>,
    state: State,
    executed: Executed,
    evidence: Option<Evidence>,
    attempts: u32,
    submitted_ms: Option<i64>,
    completed_ms: Option<i64>,
    error_kind: Option<String>,
    error: Option<String>,
    note: Option<String>,
    group: Option<Group>,
    held: u8,
    by_word: u8,
    name: Option<String>,
    ip: Option<String>,
    image_name: Option<String>,
}

pub(super) fn result_row(row: &SqliteRow) -> Result<ResultRow, StoreError> {
    let result: StoredResult<'_> = stored(row, "a job")?;
    Ok(ResultRow {
        line: result.line,
        service: ServiceId::new(result.service).ok_or_else(|| damaged("a service id"))?,
        image: result.image.as_deref().map(image_id).transpose()?,
        image_name: result.image_name,
        state: result.state,
        executed: result.executed,
        evidence: result.evidence,
        attempts: result.attempts,
        submitted_ms: result.submitted_ms,
        completed_ms: result.completed_ms,
        error_kind: result.error_kind.map(FailureKind::from),
        error: result.error,
        note: result.note,
        group: result.group,
        held: result.held != 0,
        by_word: result.by_word != 0,
        name: result.name,
        ip: result.ip,
    })
}
