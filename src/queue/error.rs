//! What can go wrong with a queue.

use std::path::PathBuf;

use super::{Holder, Unfit};
use crate::job::BatchId;

/// Why a store did not do what it was asked. Knows no place and no remedy: whoever knows where the
/// store is adds them.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another run works on it.
    #[error("another process works on this queue: {0}")]
    Locked(Holder),
    /// Another run has taken the batch over: nothing was written.
    #[error("another process has taken batch {batch} over")]
    LeaseLost {
        /// The batch.
        batch: BatchId,
    },
    /// Another process holds a transaction for long.
    #[error("the database is locked by another program")]
    Busy,
    /// It cannot be written: disk full, I/O error, read-only, damaged.
    #[error("the database cannot be written: {reason}")]
    Storage {
        /// The store's own words.
        reason: String,
    },
    /// A fault of ours: what was to be written broke a rule of the database.
    #[error("the database refused what should have been right: {0}")]
    Bug(String),
}

/// Why a database file could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is none yet.
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
    /// It is there, and did not do what opening it asks.
    #[error(transparent)]
    Store(#[from] StoreError),
}
