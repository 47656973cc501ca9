//! Why a database file could not be opened, and what SQLite's errors mean.

use std::path::PathBuf;

use super::place::Unfit;
use crate::queue::StoreError;

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

impl From<sqlx::Error> for StoreError {
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

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}
