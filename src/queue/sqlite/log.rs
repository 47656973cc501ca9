//! The write-ahead log while a run works: when it is emptied, and what the main file says of it.
//! What the mark is for, and why it can be trusted, stands in [`super::place::mark`].

use std::io;
use std::time::{Duration, Instant};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::handle::SqliteQueue;
use super::marked_file::MarkedFile;
use super::place::mark::LogMark;
use super::place::{Side, wal};
use super::settings::BUSY_TIMEOUT;
use crate::queue::StoreError;

/// A log that has grown so far is carried over into the main file. As large as SQLite's own rule
/// would let it grow, which is switched off: each time the main file has to be marked anew.
const LOG_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Carries over what no reader still needs, and waits for nobody.
const CARRY_SOME: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// How long to wait between two looks at whether somebody else still carries the log over.
const PAUSE: Duration = Duration::from_millis(10);

impl SqliteQueue {
    /// A run begins: from now on the main file says that the log belongs to it, and holds all that
    /// was committed so far. Nothing may be sent before.
    pub(super) async fn mark_work(&mut self) -> Result<(), StoreError> {
        // A reader of an older state keeps the log from being carried over whole.
        if !self.carry_over("PRAGMA wal_checkpoint(FULL)").await? {
            return Err(StoreError::Busy);
        }
        if self.marked_file.is_none() {
            let file = MarkedFile::open(&self.path).map_err(|error| self.not_marked(&error))?;
            self.marked_file = Some(file);
        }
        self.mark_log().await
    }

    /// Marks the main file anew where the log was carried over, by another process or by this run
    /// because it had grown long. It is called after each commit and before the run acts upon what it
    /// committed: a main file that was copied without its log in between would look whole.
    pub(super) async fn keep_mark(&mut self) -> Result<(), StoreError> {
        if self.marked_file.is_none() {
            return Ok(());
        }
        if self.files.look(&self.path)?.unwrap_or(0) > LOG_BYTES_MAX {
            // What a reader still needs is carried over after a later commit.
            self.carry_over(CARRY_SOME).await?;
        }
        match self.mark()? {
            LogMark::Awaited(_) => self.note_frames(),
            LogMark::Whole => self.mark_log().await,
        }
    }

    /// Puts a new first page into the log, keeps it from being carried over, and writes the mark over
    /// the first page in the main file.
    ///
    /// The page stays in the log meanwhile, because a connection of our own still reads the state
    /// before it, and SQLite carries nothing over that is newer than what any reader sees. A process
    /// that had begun to carry the log over before that could write an older first page over the mark:
    /// it is waited for.
    async fn mark_log(&mut self) -> Result<(), StoreError> {
        let reader = self.hold_state().await?;
        self.put_page().await?;
        crate::failpoint!("log_carried");
        self.write_mark().map_err(|error| self.not_marked(&error))?;
        crate::failpoint!("log_awaited");
        reader.close().await?;
        Ok(())
    }

    /// Commits a first page without a mark, and waits until no process carries older pages over.
    async fn put_page(&mut self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA user_version = 0")
            .execute(&mut self.connection)
            .await?;
        crate::failpoint!("log_begun");
        self.carry_over(CARRY_SOME).await?;
        Ok(())
    }

    fn write_mark(&self) -> io::Result<()> {
        let salt = wal::salt(&Side::Log.beside(&self.path));
        match (salt, &self.marked_file) {
            (Some(salt), Some(file)) => {
                file.write_frames()?;
                LogMark::awaited(salt).write(&file.main)
            }
            (None, _) | (_, None) => Err(io::Error::other("its log cannot be read back")),
        }
    }

    /// A connection that reads the present state until it is closed.
    async fn hold_state(&self) -> Result<SqliteConnection, StoreError> {
        let mut reader = SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .read_only(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging()
            .connect()
            .await?;
        sqlx::query("BEGIN").execute(&mut reader).await?;
        // A transaction that was only begun reads no state yet; its first statement chooses one.
        sqlx::query("SELECT count(*) FROM sqlite_schema")
            .execute(&mut reader)
            .await?;
        Ok(reader)
    }

    /// Carries the log over by `statement`, as soon as no other process does: SQLite itself doesn't
    /// wait for it. Returns whether all of the log was carried over.
    async fn carry_over(&mut self, statement: &'static str) -> Result<bool, StoreError> {
        let began = Instant::now();
        loop {
            let (busy, pages, carried): (i64, i64, i64) = sqlx::query_as(statement)
                .fetch_one(&mut self.connection)
                .await?;
            if busy == 0 {
                return Ok(pages == carried);
            }
            if began.elapsed() >= BUSY_TIMEOUT {
                return Err(StoreError::Busy);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The mark in the main file, while a run works; otherwise it counts as whole.
    fn mark(&self) -> Result<LogMark, StoreError> {
        match &self.marked_file {
            Some(file) => LogMark::read(&file.main).map_err(|error| self.not_marked(&error)),
            None => Ok(LogMark::Whole),
        }
    }

    fn note_frames(&self) -> Result<(), StoreError> {
        match &self.marked_file {
            Some(file) => file.write_frames().map_err(|error| self.not_marked(&error)),
            None => Ok(()),
        }
    }

    fn not_marked(&self, error: &io::Error) -> StoreError {
        StoreError::Storage {
            reason: format!("{} cannot be marked: {error}", self.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sqlx::sqlite::SqliteSynchronous;

    use super::*;
    use crate::queue::sqlite::place;
    use crate::queue::{Open, Unfit};

    /// What somebody else does between two steps of a run.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Other {
        Nothing,
        Commits,
        CarriesOver,
        Empties,
        /// Looks, and goes on to look at the same state.
        Reads,
    }

    const OTHERS: [Other; 5] = [
        Other::Nothing,
        Other::Commits,
        Other::CarriesOver,
        Other::Empties,
        Other::Reads,
    ];

    async fn connect(path: &Path) -> SqliteConnection {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(Duration::ZERO);
        options.connect().await.unwrap()
    }

    async fn act(writer: &mut SqliteConnection, reader: &mut SqliteConnection, other: Other) {
        let statements: &[&str] = match other {
            Other::Nothing => &[],
            Other::Commits => &["UPDATE kept SET number = number + 1"],
            Other::CarriesOver => &["PRAGMA wal_checkpoint(PASSIVE)"],
            Other::Empties => &["PRAGMA wal_checkpoint(TRUNCATE)"],
            Other::Reads => {
                let _ = sqlx::query("ROLLBACK").execute(&mut *reader).await;
                for statement in ["BEGIN", "SELECT * FROM kept"] {
                    sqlx::query(statement).execute(&mut *reader).await.unwrap();
                }
                &[]
            }
        };
        for statement in statements {
            // A statement that another connection blocks is given up.
            let _ = sqlx::query(*statement).execute(&mut *writer).await;
        }
    }

    /// All processes die now, and somebody opens a copy with another program: is everything there, and
    /// does the main file say so?
    async fn die_and_look(path: &Path, number: i64) {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        for from in [path.to_owned(), Side::Log.beside(path)] {
            let name = from.file_name().unwrap().to_str().unwrap();
            let to = folder.path().join(name.replace("refleet.db", "copy.db"));
            std::fs::copy(from, to).unwrap();
        }
        assert!(place::find(&copy, Open::Change).is_ok(), "with its log");
        let mut looker = connect(&copy).await;
        let found: i64 = sqlx::query_scalar("SELECT number FROM kept")
            .fetch_one(&mut looker)
            .await
            .unwrap();
        assert_eq!(found, number);
        looker.close().await.unwrap();
        assert!(!Side::Log.beside(&copy).exists());
        assert!(place::find(&copy, Open::Change).is_ok(), "without it");
    }

    async fn number(queue: &mut SqliteQueue) -> i64 {
        sqlx::query_scalar("SELECT number FROM kept")
            .fetch_one(&mut queue.connection)
            .await
            .unwrap()
    }

    // Field case B2.
    // The crash harness found this: whoever carried the log over while a run was about
    // to mark the main file, or was dead before it had, left a mark without a log.
    #[tokio::test]
    async fn the_main_file_is_marked_only_while_its_log_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("refleet.db");
        let mut queue = SqliteQueue::open(&path, Open::Create).await.unwrap();
        let mut writer = connect(&path).await;
        let mut reader = connect(&path).await;
        for statement in ["CREATE TABLE kept (number)", "INSERT INTO kept VALUES (0)"] {
            sqlx::query(statement).execute(&mut writer).await.unwrap();
        }
        queue.mark_work().await.unwrap();
        for first in [Other::Nothing, Other::Empties, Other::Reads] {
            for second in OTHERS {
                for third in OTHERS {
                    let _ = sqlx::query("ROLLBACK").execute(&mut reader).await;
                    act(&mut writer, &mut reader, first).await;
                    let held = queue.hold_state().await.unwrap();
                    act(&mut writer, &mut reader, second).await;
                    queue.put_page().await.unwrap();
                    act(&mut writer, &mut reader, third).await;
                    let number = number(&mut queue).await;
                    die_and_look(&path, number).await;
                    queue.write_mark().unwrap();
                    die_and_look(&path, number).await;
                    for last in OTHERS {
                        act(&mut writer, &mut reader, last).await;
                        assert_ne!(queue.mark().unwrap(), LogMark::Whole, "it is held");
                    }
                    held.close().await.unwrap();
                    let _ = sqlx::query("ROLLBACK").execute(&mut reader).await;
                    let alone = folder.path().join("alone.db");
                    std::fs::copy(&path, &alone).unwrap();
                    assert!(matches!(
                        place::find(&alone, Open::Change),
                        Err(Unfit::LogMissing { .. })
                    ));
                }
            }
        }
        for other in [Other::CarriesOver, Other::Commits, Other::Empties] {
            queue.keep_mark().await.unwrap();
            assert_ne!(queue.mark().unwrap(), LogMark::Whole);
            act(&mut writer, &mut reader, other).await;
            let is_marked = queue.mark().unwrap() != LogMark::Whole;
            assert_eq!(is_marked, other == Other::Commits, "{other:?}");
        }
        writer.close().await.unwrap();
        reader.close().await.unwrap();
        queue.close().await.unwrap();
    }
}
