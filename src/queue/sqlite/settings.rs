//! What a database of ours is told from others by, and how it is opened.

use std::time::Duration;

/// `application_id` of a refleet database; also in the first migration.
pub(super) const APPLICATION_ID: u32 = 0x7265_666c;

/// How long a statement waits for another program's transaction before the caller is told.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) const WRITE_AHEAD_LOG: &str = "PRAGMA journal_mode = WAL";
pub(super) const ROLLBACK_JOURNAL: &str = "PRAGMA journal_mode = TRUNCATE";

/// What the caller means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Read only: never creates, migrates or changes anything.
    Read,
    /// Change what stands there: never creates or migrates.
    Change,
    /// The same, although the log that belongs to it is lost: on the operator's word.
    WithoutLog,
    /// Create it where there is none, and bring its schema up to date.
    Create,
}
