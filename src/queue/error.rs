//! What can go wrong with a queue.

use std::path::PathBuf;

use super::{Holder, Unfit};
use crate::job::{BatchId, Executed, ServiceId, State};

/// Why the queue could not be used.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// There is no database yet.
    #[error("there is no database at {}", path.display())]
    NotFound {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It cannot be opened at all.
    #[error("cannot open the database {}: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why, in the system's words.
        reason: String,
    },
    /// A file, but no database of ours.
    #[error("{} is no refleet database", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The place cannot carry a ledger.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Written by a newer refleet, or by one that was never released.
    #[error("{} was written by a version of refleet that this one does not know", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// Written by an older refleet, and readers never migrate.
    #[error("{} was written by an older version of refleet", path.display())]
    Older {
        /// The file.
        path: PathBuf,
    },
    /// Another run works on it.
    #[error("another process works on this queue: {0}")]
    Locked(Holder),
    /// Another process holds a transaction for long.
    #[error("the database is locked by another program")]
    Busy,
    /// It cannot be written: disk full, I/O error, read-only, damaged.
    #[error("the database cannot be written: {reason}")]
    Storage {
        /// `SQLite`'s words.
        reason: String,
    },
    /// A fault of ours: what was to be written broke a rule of the database.
    #[error("the database refused what should have been right: {0}")]
    Bug(String),
}

/// Why a batch was not queued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError<E: std::error::Error + 'static> {
    /// The rows could not be read.
    #[error(transparent)]
    Rows(E),
    /// Rows that concern services with a past.
    #[error(transparent)]
    Conflict(Conflict),
    /// The queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// A service that may have been wiped by an order that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The instance.
    pub service: ServiceId,
    /// The order.
    pub batch: BatchId,
    /// How it ended.
    pub state: State,
    /// Whether it was wiped.
    pub executed: Executed,
}

/// A service that was last submitted after the clock had gone back: that may be less long ago than
/// its date says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undatable {
    /// The instance.
    pub service: ServiceId,
    /// The order that it was submitted for.
    pub batch: BatchId,
    /// The submission's date, as Unix time.
    pub dated_ms: i64,
    /// The latest date that was written before the clock went back, as Unix time.
    pub from_ms: i64,
    /// The first that was written afterwards, as Unix time.
    pub to_ms: i64,
}

/// Why rows may not be queued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Services that are live in another batch, with that batch and whether they are held in doubt.
    #[error("{} of these services are still live in another batch", .0.len())]
    Live(Vec<(ServiceId, BatchId, bool)>),
    /// The database holds orders of another provider: there the same numbers are other instances.
    #[error("batch {batch} belongs to another provider")]
    OtherProvider {
        /// The newest such batch.
        batch: BatchId,
        /// Its API's address.
        theirs: String,
        /// The address that was given now.
        ours: String,
        /// Something was sent to that provider, or may still be.
        sent: bool,
    },
    /// Services that an earlier order wiped, or may have wiped, without ending well.
    #[error("{} of these services may have been wiped by an order that did not end well", .touched.len())]
    Touched {
        /// Each with its last order.
        touched: Vec<Touched>,
        /// Number of other rows whose service and image are done already, where that is a conflict.
        already_done: u64,
    },
    /// Services whose last submission lies in the future, with its Unix time.
    #[error("the last submission of {} of these services lies in the future", .0.len())]
    Future(Vec<(ServiceId, i64)>),
    /// Services of which nobody can tell how long ago they were last submitted.
    #[error("the last submission of {} of these services was dated by a clock that had gone back", .0.len())]
    Undatable(Vec<Undatable>),
    /// Number of rows whose service and image are done already.
    #[error("{0} of these services already got this image")]
    AlreadyDone(u64),
}

impl From<sqlx::Error> for QueueError {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::Io(io) => Self::Storage {
                    reason: io.to_string(),
                },
                other => Self::Bug(other.to_string()),
            };
        };
        // SQLite's result codes: the primary code is the low byte of the extended one.
        let primary = database
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff);
        let reason = database.message().to_owned();
        match primary {
            Some(5 | 6) => Self::Busy,
            // PERM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB
            Some(3 | 8 | 10 | 11 | 13 | 14 | 15 | 26) => Self::Storage { reason },
            _ => Self::Bug(reason),
        }
    }
}
