//! What can go wrong with a queue.

use std::fmt;

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
    /// A server did not do it, for want of something that is no disk.
    #[error("the database server {trouble}: {reason}")]
    Server {
        /// What has to be seen to.
        trouble: Trouble,
        /// The server's own words, or those of the way to it.
        reason: String,
    },
    /// It is not the one in which the ledger was written: what was sent last may be missing in it.
    #[error("this is not the database that it was: {why}; what was sent last may be missing in it")]
    Another {
        /// What shows it.
        why: String,
    },
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

/// What is wrong with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// It is down, or the way to it is, or it has ended the connection.
    Away,
    /// It does not let this role do it.
    Refuses,
    /// It is a standby, or was made one, or takes no writes for another reason.
    ReadOnly,
    /// It lacks connections, memory or time.
    Overloaded,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Away => "can't be reached",
            Self::Refuses => "refuses it",
            Self::ReadOnly => "can only be read",
            Self::Overloaded => "did not do it",
        })
    }
}
