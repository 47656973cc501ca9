//! What a row of the database says, and how it becomes a value of the domain.

use std::borrow::Cow;

use serde::Deserialize;

use super::columns::StoredRecord;
use super::decode::{from_json, image_id, service_id, word};
use super::order::StoredOrder;
use crate::job::{
    Action, BatchId, Evidence, Executed, Expected, FailureKind, Group, HookState, JobId, JobRecord,
    ResultRow, ShownKey, State,
};
use crate::queue::{Pending, QueuedJob, StoreError, Target};

/// A job as one column of text, for [`queued_job`]: each column of a row costs sqlx two allocations
/// on each side of a channel, and a job has 29. `$array` and `$json` are as in
/// `record_as_array!`; `$record`: see [`StoredJob::record`].
macro_rules! job_as_array {
    ($array:literal, $json:literal, $record:expr) => {
        concat!(
            $array,
            "(job.id, job.line, job.service_id, (SELECT action FROM batch WHERE id = job.batch_id), job.image, job.zone, job.access, job.ssh_key,
             (SELECT password FROM secret WHERE job_id = job.id), ",
            $json,
            "(job.expected), job.group_name, job.ssh_port, job.note, ",
            $record,
            ")"
        )
    };
}
pub(in crate::queue) use job_as_array;

/// The number of the job on `line`: batch and line in one, as the schema demands.
pub fn job_id(batch: BatchId, line: u64) -> JobId {
    JobId::from_stored((batch.0 << 32) + i64::try_from(line).unwrap_or(i64::MAX))
}

/// The batch of a job.
pub fn batch_of(job: JobId) -> BatchId {
    BatchId(job.stored() >> 32)
}

/// The ids of `jobs`, as a statement takes them.
pub fn ids(jobs: &[JobId]) -> Vec<i64> {
    jobs.iter().map(|job| job.stored()).collect()
}

/// The first number that no job of `batch` has, behind all that it can have.
pub fn end_of(batch: BatchId) -> i64 {
    job_id(BatchId(batch.0 + 1), 0).stored()
}

/// The columns of [`job_as_array`], in its order.
#[derive(Deserialize)]
pub struct StoredJob<'a> {
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
    ssh_port: Option<u16>,
    note: Option<String>,
    /// `None`: as every job begins.
    record: Option<StoredRecord>,
}

/// A job, as [`job_as_array`] gives it.
pub fn queued_job(text: &str) -> Result<QueuedJob, StoreError> {
    from_json::<StoredJob<'_>>(text, "a job")?.try_into()
}

/// Jobs that are due, as one array of what [`job_as_array`] gives, in the order in which they may start.
pub fn due_jobs(text: &str) -> Result<Vec<QueuedJob>, StoreError> {
    let mut jobs: Vec<QueuedJob> = many::<StoredJob<'_>, _>(text)?;
    // An aggregate promises no order.
    jobs.sort_by_key(|job| (job.record.not_before_ms, job.id));
    Ok(jobs)
}

/// Queued jobs, as one array of what [`StoredPending`] reads, in the manifest's order.
pub fn pending_jobs(text: &str) -> Result<Vec<Pending>, StoreError> {
    let mut pending: Vec<Pending> = many::<StoredPending, _>(text)?;
    // An aggregate promises no order.
    pending.sort_unstable_by_key(|pending| pending.id);
    Ok(pending)
}

/// The values of which `text` is an array.
fn many<'a, Stored, Value>(text: &'a str) -> Result<Vec<Value>, StoreError>
where
    Stored: Deserialize<'a>,
    Value: TryFrom<Stored, Error = StoreError>,
{
    let stored: Vec<Stored> = from_json(text, "a job")?;
    stored.into_iter().map(Value::try_from).collect()
}

impl TryFrom<StoredJob<'_>> for QueuedJob {
    type Error = StoreError;

    fn try_from(job: StoredJob<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId::from_stored(job.id),
            line: job.line,
            service: service_id(job.service)?,
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
            ssh_port: job.ssh_port,
            note: job.note,
            record: job.record.map_or_else(JobRecord::queued, JobRecord::from),
        })
    }
}

/// What is queued, as one array of what [`StoredTarget`] reads: handed to `each` in the order in which it
/// may start. Returns the place of the last one, behind which the next ones are; `None`: there is none.
pub fn each_target(
    text: &str,
    each: &mut (dyn FnMut(Target) + Send),
) -> Result<Option<(i64, i64)>, StoreError> {
    let mut targets: Vec<StoredTarget<'_>> = from_json(text, "a job")?;
    // An aggregate promises no order.
    targets.sort_unstable_by_key(|target| (target.0, target.1));
    let last = targets.last().map(|last| (last.0, last.1));
    for target in targets {
        each(target.try_into()?);
    }
    Ok(last)
}

/// `not_before_ms`, the job's id, its service, its image, its access, whether it may have been touched,
/// what is expected, its group.
#[derive(Deserialize)]
struct StoredTarget<'a>(
    i64,
    i64,
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
            service: service_id(service)?,
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
struct StoredPending(i64, u64, i64, u8, Option<Expected>);

impl TryFrom<StoredPending> for Pending {
    type Error = StoreError;

    fn try_from(
        StoredPending(id, line, service, touched, expected): StoredPending,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            id: JobId::from_stored(id),
            line,
            service: service_id(service)?,
            is_touched: touched != 0,
            expected: expected.unwrap_or_default(),
        })
    }
}

/// The columns of a result.
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
    ssh_port: Option<u16>,
    host_key_before: Option<ShownKey>,
    host_key: Option<ShownKey>,
    hook: Option<HookState>,
}

/// A result, as the backends' `results` read it.
pub fn result_row(text: &str) -> Result<ResultRow, StoreError> {
    let result: StoredResult<'_> = from_json(text, "a job")?;
    Ok(ResultRow {
        line: result.line,
        service: service_id(result.service)?,
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
        ssh_port: result.ssh_port,
        host_key_before: result.host_key_before,
        host_key: result.host_key,
        hook: result.hook,
    })
}
