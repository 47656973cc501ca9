//! Opening the database: which file, whose, of which version, and with which settings.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::error::OpenError;
use super::file::{close_files, prepare};
use super::files::Files;
use super::handle::SqliteQueue;
use super::lock::QueueLock;
use super::place::{self, Place};
use super::settings::{APPLICATION_ID, BUSY_TIMEOUT, Open, WRITE_AHEAD_LOG};
use crate::queue::StoreError;

impl SqliteQueue {
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
        let options = options(&path, mode).immutable(immutable);
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

    /// [`SqliteQueue::open`] with [`Open::Create`] for a writer of whole batches (`run`, `load`). The schema is
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

    /// The same database once more, for what this process does beside a run of its own. No file is opened for
    /// it but by SQLite: to close any other descriptor would give up the locks of the first connection.
    pub(in crate::queue) async fn another(&self) -> Result<Self, OpenError> {
        let connection = SqliteConnection::connect_with(&options(&self.path, Open::Change))
            .await
            .map_err(|error| unusable(&self.path, &error))?;
        let mut queue = Self {
            connection,
            path: self.path.clone(),
            files: self.files.clone(),
            notes: Vec::new(),
            marked_file: None,
        };
        queue.check_settings(Open::Change).await?;
        Ok(queue)
    }

    /// Writes everything into the main file and empties the write-ahead log, so that erased
    /// passwords stand nowhere any more; then closes. That also takes a run's mark off the main file.
    pub async fn close(mut self) -> Result<(), StoreError> {
        self.truncate_log().await?;
        self.connection.close().await?;
        Ok(())
    }

    async fn check_ours(&mut self, mode: Open) -> Result<(), OpenError> {
        // It is asked in one statement, since another process may be creating the database just now.
        // Where a first start was killed, `_sqlx_migrations` may be the only table.
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
            // This is written into the file, so that the file has to be known to be ours first.
            self.set_journal(WRITE_AHEAD_LOG).await?;
        }
        self.check_settings(mode).await
    }

    /// Reads back the settings that the promises rest on, since SQLite ignores some of them silently.
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

fn options(path: &Path, mode: Open) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .read_only(mode == Open::Read)
        .busy_timeout(BUSY_TIMEOUT)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("secure_delete", "ON")
        // A log that is begun anew is cut to its content, because its size is what tells that it
        // has grown long, and no page with an erased password may stay behind its end.
        .pragma("journal_size_limit", "0")
        // A run carries the log over itself, since it has to mark the main file each time; every
        // other writer empties the log when it closes.
        .pragma("wal_autocheckpoint", "0")
        .pragma("recursive_triggers", "ON")
        .pragma("trusted_schema", "OFF")
        .disable_statement_logging()
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
        // SQLITE_READONLY_ROLLBACK: a first load was killed, and a reader may not undo it.
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
