//! The write-ahead log while a run works: when it is emptied, and what the main file says of it.
//! What the marks are for stands in [`crate::queue::place::mark`].

use super::{Queue, QueueError};
use crate::queue::Side;
use crate::queue::place::facts::log_salt;
use crate::queue::place::mark::LogMark;

/// A log that has grown so far is carried over into the main file. As large as SQLite's own rule
/// would let it grow, which is switched off: each time the main file has to be marked anew.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How a log is carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carry {
    /// All of it, or an error: others are waited for.
    All,
    /// As much as nobody else still reads; the rest next time.
    Most,
}

/// The log of a run at work.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarkedLog {
    /// Its salt, which changes whenever it is begun anew.
    salt: u32,
    /// The mark stands in the main file.
    is_carried: bool,
}

impl Queue {
    /// A run begins: from now on the main file says that the log belongs to it. Nothing may be sent
    /// before.
    pub(super) async fn mark_work(&mut self) -> Result<(), QueueError> {
        self.mark_log(Carry::All).await
    }

    /// Marks the log anew, where it has grown long, or where somebody else has carried it over so
    /// that it was begun anew. After each commit, and before anything of it is acted upon: a main
    /// file that was taken away alone in between would look whole.
    pub(super) async fn keep_mark(&mut self) -> Result<(), QueueError> {
        let Some(marked) = self.marked_log else {
            return Ok(());
        };
        let log_bytes = self.files.look(&self.path)?.unwrap_or(0);
        if !marked.is_carried || log_bytes > LOG_BYTES_MAX || self.salt()? != marked.salt {
            self.mark_log(Carry::Most).await?;
        }
        Ok(())
    }

    /// Nothing of a run is in the log any more once it has been carried over.
    pub(super) async fn unmark(&mut self) -> Result<(), QueueError> {
        self.set_mark(LogMark::Complete).await?;
        self.marked_log = None;
        Ok(())
    }

    async fn mark_log(&mut self, carry: Carry) -> Result<(), QueueError> {
        // An empty log has no salt yet: it gets one with its first page.
        self.set_mark(LogMark::Beside).await?;
        let salt = self.salt()?;
        self.set_mark(LogMark::awaited(salt)).await?;
        crate::failpoint!("log_awaited");
        let statement = match carry {
            Carry::All => "PRAGMA wal_checkpoint(FULL)",
            Carry::Most => "PRAGMA wal_checkpoint(PASSIVE)",
        };
        let (busy, pages, carried): (i64, i64, i64) = sqlx::query_as(statement)
            .fetch_one(&mut self.connection)
            .await?;
        // Somebody may read an older state, and keep it.
        let is_carried = busy == 0 && pages == carried;
        if carry == Carry::All && !is_carried {
            return Err(QueueError::Busy);
        }
        crate::failpoint!("log_carried");
        self.set_mark(LogMark::Beside).await?;
        // That was the first page of the log that has been begun anew.
        self.marked_log = Some(MarkedLog {
            salt: self.salt()?,
            is_carried,
        });
        Ok(())
    }

    fn salt(&self) -> Result<u32, QueueError> {
        let log = Side::Log.beside(&self.path);
        log_salt(&log).ok_or_else(|| QueueError::Storage {
            reason: format!("{} cannot be read back", log.display()),
        })
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
