//! Opening the database: which file, whose, of which version, and with which settings.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::QueueLock;
use super::file::{close_files, prepare};
use super::files::Files;
use super::log::MarkedFile;
use super::place::{self, Note, Place};
use super::transaction::WRITE_AHEAD_LOG;
use crate::queue::{OpenError, StoreError};

/// `application_id` of a refleet database; also in the first migration.
pub(in crate::queue) const APPLICATION_ID: u32 = 0x7265_666c;

/// How long a statement waits for another program's transaction before the caller is told.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the caller means to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// Read only: never creates, migrates or changes anything.
    Read,
    /// Change what stands there: never creates or migrates.
    Change,
    /// The same, although the log that belongs to it is lost: on the operator's word.
    WithoutLog,
    /// Create it where there is none, and bring its schema up to date.
    Create,
}

/// The queue.
#[derive(Debug)]
pub struct Queue {
    pub(super) connection: SqliteConnection,
    pub(super) path: PathBuf,
    pub(super) files: Files,
    notes: Vec<Note>,
    /// A run works with it: the main file, which says that the log belongs to it.
    pub(super) marked_file: Option<MarkedFile>,
}

impl Queue {
    /// Opens the database at `path`.
    pub async fn open(path: &Path, mode: Open) -> Result<Self, OpenError> {
        let Place {
            path,
            open_to_others,
            immutable,
            mut notes,
        } = place::find(path, mode)?;
        prepare(&path, mode)?;
        notes.extend(close_files(&path, open_to_others)?);
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(false)
            .read_only(mode == Open::Read)
            .immutable(immutable)
            .busy_timeout(BUSY_TIMEOUT)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("secure_delete", "ON")
            // A log that was begun anew is cut to what is in it: its size tells, and no page with
            // an erased password stays behind its end.
            .pragma("journal_size_limit", "0")
            // A run does it itself, since it marks the main file each time; whoever else writes
            // empties the log at its end.
            .pragma("wal_autocheckpoint", "0")
            .pragma("recursive_triggers", "ON")
            .pragma("trusted_schema", "OFF")
            .disable_statement_logging();
        let connection = SqliteConnection::connect_with(&options)
            .await
            .map_err(|error| unusable(&path, &error))?;
        let mut queue = Self {
            connection,
            path,
            files: Files::default(),
            notes,
            marked_file: None,
        };
        let checked = queue.check_ours(mode).await;
        if let Err(error) = checked {
            let _ = queue.connection.close().await;
            return Err(error);
        }
        queue.files.look(&queue.path)?;
        Ok(queue)
    }

    /// [`Queue::open`] with [`Open::Create`] for a writer of whole batches (`run`, `load`). The schema is
    /// only ever migrated by a process that holds the lock, so that no run is surprised in its work.
    pub async fn open_for_load(path: &Path) -> Result<Self, OpenError> {
        match Self::open(path, Open::Change).await {
            Err(OpenError::NotFound { .. } | OpenError::Older { .. }) => {
                let place = place::find(path, Open::Create)?;
                prepare(&place.path, Open::Create)?;
                let _lock = QueueLock::acquire(&place.path)?;
                Self::open(path, Open::Create).await
            }
            other => other,
        }
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the operator should know about where it lies.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Writes everything into the main file and empties the write-ahead log, so that erased
    /// passwords stand nowhere any more; then closes. What a run has marked is whole by that.
    pub async fn close(mut self) -> Result<(), StoreError> {
        self.truncate_log().await?;
        self.connection.close().await?;
        Ok(())
    }

    async fn check_ours(&mut self, mode: Open) -> Result<(), OpenError> {
        // In one statement, since somebody else may be making it just now. `_sqlx_migrations` may
        // stand alone where a first start was killed.
        let (id, tables): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT application_id FROM pragma_application_id),
                    (SELECT count(*) FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations')",
        )
        .fetch_one(&mut self.connection)
        .await
        .map_err(|error| unusable(&self.path, &error))?;
        let ours = id == i64::from(APPLICATION_ID) || tables == 0;
        if !ours {
            return Err(OpenError::Foreign {
                path: self.path.clone(),
            });
        }
        self.migrate(mode).await?;
        if mode != Open::Read {
            // Not before it is known to be ours: this is written into the file.
            self.set_journal(WRITE_AHEAD_LOG).await?;
        }
        self.check_settings(mode).await
    }

    /// Reads back what the promises rest on: a setting that did not take is no setting.
    async fn check_settings(&mut self, mode: Open) -> Result<(), OpenError> {
        let (journal, synchronous, foreign_keys, secure_delete, recursive_triggers): (
            String,
            i64,
            i64,
            i64,
            i64,
        ) = sqlx::query_as(
            "SELECT (SELECT journal_mode FROM pragma_journal_mode),
                        (SELECT synchronous FROM pragma_synchronous),
                        (SELECT foreign_keys FROM pragma_foreign_keys),
                        (SELECT secure_delete FROM pragma_secure_delete),
                        (SELECT recursive_triggers FROM pragma_recursive_triggers)",
        )
        .fetch_one(&mut self.connection)
        .await?;
        let as_wanted = (mode == Open::Read || journal == "wal")
            && synchronous == 2
            && foreign_keys == 1
            && secure_delete == 1
            && recursive_triggers == 1;
        if as_wanted {
            Ok(())
        } else {
            Err(OpenError::Unusable {
                path: self.path.clone(),
                reason: format!(
                    "SQLite did not take the settings that refleet's promises rest on (journal_mode={journal}, \
                     synchronous={synchronous}, foreign_keys={foreign_keys}, secure_delete={secure_delete}, \
                     recursive_triggers={recursive_triggers})"
                ),
            })
        }
    }
}

fn unusable(path: &Path, error: &sqlx::Error) -> OpenError {
    match error {
        sqlx::Error::Database(database) if database.code().as_deref() == Some("26") => {
            OpenError::Foreign {
                path: path.to_owned(),
            }
        }
        sqlx::Error::Database(database)
            if matches!(database.code().as_deref(), Some("5" | "6")) =>
        {
            StoreError::Busy.into()
        }
        // SQLITE_READONLY_ROLLBACK: a first load was killed, and who only reads may not undo it.
        sqlx::Error::Database(database) if database.code().as_deref() == Some("776") => {
            OpenError::Unusable {
                path: path.to_owned(),
                reason: "its first load was cut off, the next `refleet load` or `refleet run` undoes that".to_owned(),
            }
        }
        sqlx::Error::Database(database) => OpenError::Unusable {
            path: path.to_owned(),
            reason: database.message().to_owned(),
        },
        other => OpenError::Unusable {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    }
}
