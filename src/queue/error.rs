//! What can go wrong with a queue.

use super::Holder;
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
    /// Its file is not what it was any more: somebody has taken it away while it was in use. What was wiped
    /// nobody else knows.
    #[error("the database {reason}")]
    Gone {
        /// Which file, and what has become of it.
        reason: String,
    },
    /// A fault of ours: what was to be written broke a rule of the database.
    #[error("the database refused what should have been right: {0}")]
    Bug(String),
}
