//! A job as SQLite gives it: as one column of JSON.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::queue::stored::{from_json, queued_job as job_of};
use crate::queue::{QueuedJob, StoreError};

/// The record of a job as JSON.
macro_rules! record_as_json {
    () => {
        record_as_array!("json_array", "json")
    };
}
pub(super) use record_as_json;

/// A job as one column of text, for [`queued_job`]. `record`: how its record is given, if not always.
macro_rules! job_as_text {
    () => {
        crate::queue::sqlite::text::job_as_text!(crate::queue::sqlite::text::record_as_json!())
    };
    ($record:expr) => {
        crate::queue::stored::job_as_array!("json_array", "json", $record)
    };
}
pub(super) use job_as_text;

/// The job in the only column of `row`, which is [`job_as_text`].
pub(super) fn queued_job(row: &SqliteRow) -> Result<QueuedJob, StoreError> {
    job_of(row.try_get(0)?)
}

/// What stands as JSON in the only column of `row`.
pub(super) fn stored<'a, T: serde::Deserialize<'a>>(
    row: &'a SqliteRow,
    what: &str,
) -> Result<T, StoreError> {
    from_json(row.try_get(0)?, what)
}
