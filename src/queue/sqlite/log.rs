//! The write-ahead log while a run works: when it is emptied, and what the main file says of it.
//! What the marks are for stands in [`crate::queue::place::mark`].

use super::{Queue, QueueError};
use crate::queue::Side;
use crate::queue::place::facts::log_salt;
use crate::queue::place::mark::LogMark;

/// A log that has grown so far is carried over into the main file. As large as SQLite's own rule
/// would let it grow, which is switched off: each time, the main file has to be marked anew.
pub(super) const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How a log is carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carry {
    /// All of it, or an error: others are waited for.
    All,
    /// As much as nobody else still reads; the rest next time.
    Most,
}

impl Queue {
    /// A run begins: from now on the main file says that the log belongs to it. Nothing may be sent
    /// before.
    pub(super) async fn mark_work(&mut self) -> Result<(), QueueError> {
        self.mark_log(Carry::All).await?;
        self.at_work = true;
        Ok(())
    }

    /// The log has grown long, or somebody else has emptied it: it is marked anew.
    pub(super) async fn renew_mark(&mut self) -> Result<(), QueueError> {
        self.mark_log(Carry::Most).await
    }

    /// Nothing of a run is in the log any more once it has been carried over.
    pub(super) async fn unmark(&mut self) -> Result<(), QueueError> {
        self.set_mark(LogMark::Complete).await?;
        self.at_work = false;
        Ok(())
    }

    async fn mark_log(&mut self, carry: Carry) -> Result<(), QueueError> {
        // An empty log has no salt yet: it gets one with its first page.
        self.set_mark(LogMark::Beside).await?;
        let log = Side::Log.beside(&self.path);
        let salt = log_salt(&log).ok_or_else(|| QueueError::Storage {
            reason: format!("{} cannot be read back", log.display()),
        })?;
        self.set_mark(LogMark::Awaited(salt & 0x7fff_ffff)).await?;
        let statement = match carry {
            Carry::All => "PRAGMA wal_checkpoint(FULL)",
            Carry::Most => "PRAGMA wal_checkpoint(PASSIVE)",
        };
        let (busy, pages, carried): (i64, i64, i64) = sqlx::query_as(statement)
            .fetch_one(&mut self.connection)
            .await?;
        if carry == Carry::All && (busy != 0 || pages != carried) {
            // Somebody reads an older state, and keeps it.
            return Err(QueueError::Busy);
        }
        self.set_mark(LogMark::Beside).await?;
        self.files.look(&self.path)?;
        Ok(())
    }

    async fn set_mark(&mut self, mark: LogMark) -> Result<(), QueueError> {
        // A pragma takes no bound values; a number is safe.
        let statement = format!("PRAGMA user_version = {}", mark.version());
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }
}
