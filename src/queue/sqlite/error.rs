//! Why a database could not be opened.

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
    /// A server that does not let us in, or could not keep what refleet promises.
    #[error("cannot use the database {server}: {reason}")]
    Server {
        /// Its address, without a password.
        server: String,
        /// Why.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// A server that can only be read.
    #[error("{server} is a standby, which can only be read")]
    Standby {
        /// Its address, without a password.
        server: String,
    },
    /// It is there, and did not do what opening it asks.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        StoreError::from(error).into()
    }
}
