//! The write-ahead log while a run works: when it is emptied, and what the main file says of it.
//! What the marks are for stands in [`crate::queue::place::mark`].

use super::{Queue, QueueError};
use crate::queue::Side;
use crate::queue::place::facts::log_salt;
use crate::queue::place::mark::LogMark;

/// A log that has grown so far is carried over into the main file. As large as SQLite's own rule
/// would let it grow, which is switched off: each time the main file has to be marked anew.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// How often somebody else may empty the log just after a page was written to it.
const EMPTIED_MAX: u32 = 100;

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
        if !marked.is_carried || log_bytes > LOG_BYTES_MAX || self.salt() != Some(marked.salt) {
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
        let salt = self.mark_beside().await?;
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
        let salt = self.mark_beside().await?;
        self.marked_log = Some(MarkedLog { salt, is_carried });
        Ok(())
    }

    /// Says in the log that the main file belongs to it, and returns the log's salt. An empty log
    /// has none yet: it gets one with this page, its first.
    async fn mark_beside(&mut self) -> Result<u32, QueueError> {
        for _ in 0..EMPTIED_MAX {
            self.set_mark(LogMark::Beside).await?;
            if let Some(salt) = self.salt() {
                return Ok(salt);
            }
        }
        let log = Side::Log.beside(&self.path);
        let reason = format!("{} cannot be read back", log.display());
        Err(QueueError::Storage { reason })
    }

    /// `None`: nothing is in the log, because somebody else has carried it over and emptied it, as
    /// every operator's command does at its end.
    fn salt(&self) -> Option<u32> {
        log_salt(&Side::Log.beside(&self.path))
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

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Connection as _};

    use super::*;
    use crate::queue::Open;

    // Field case B2, found by the crash harness: an operator's command empties the log at its end.
    #[tokio::test]
    async fn a_log_that_somebody_else_has_emptied_is_marked_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refleet.db");
        let mut queue = Queue::open(&path, Open::Create).await.unwrap();
        queue.mark_work().await.unwrap();
        let options = SqliteConnectOptions::new().filename(&path);
        let mut other = options.connect().await.unwrap();
        for _ in 0..2 {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(&mut other)
                .await
                .unwrap();
            assert_eq!(queue.salt(), None);
            queue.keep_mark().await.unwrap();
            assert_eq!(queue.salt(), queue.marked_log.map(|log| log.salt));
            assert!(queue.salt().is_some());
        }
        other.close().await.unwrap();
        queue.close().await.unwrap();
    }
}
