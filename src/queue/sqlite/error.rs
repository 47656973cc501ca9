//! What SQLite's errors mean.

use crate::queue::{OpenError, StoreError};

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
