//! The queue in one SQLite file: opening it, and what every connection must be.

mod access;
mod adopt;
mod change;
mod clock;
mod command;
mod enqueue;
mod files;
mod log;
mod overview;
#[cfg(test)]
mod plans;
mod read;
mod record;
mod statement;
mod verify;

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

pub use access::Given;
pub use command::Decision;

use super::lock::hand_over;
use super::place::{self, Note, Place, Unfit};
use super::{QueueError, QueueLock};
use crate::job::{BatchId, JobId};
use files::Files;
use log::MarkedFile;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// sqlx's own table of applied migrations.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

/// `application_id` of a refleet database; also in the first migration.
pub(super) const APPLICATION_ID: u32 = 0x7265_666c;

const WRITE_AHEAD_LOG: &str = "PRAGMA journal_mode = WAL";
const ROLLBACK_JOURNAL: &str = "PRAGMA journal_mode = TRUNCATE";

/// How long a statement waits for another program's transaction before the caller is told.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

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
    connection: SqliteConnection,
    path: PathBuf,
    files: Files,
    notes: Vec<Note>,
    /// A run works with it: the main file, which says that the log belongs to it.
    marked_file: Option<MarkedFile>,
}

impl Queue {
    /// Opens the database at `path`.
    pub async fn open(path: &Path, mode: Open) -> Result<Self, QueueError> {
        let Place {
            path,
            open_to_others,
            immutable,
            mut notes,
        } = place::find(path, mode)?;
        prepare_file(&path, mode)?;
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
        let checked = queue.check(mode).await;
        if let Err(error) = checked {
            let _ = queue.connection.close().await;
            return Err(error);
        }
        queue.files.look(&queue.path)?;
        Ok(queue)
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
    pub async fn close(mut self) -> Result<(), QueueError> {
        self.truncate_log().await?;
        self.connection.close().await?;
        Ok(())
    }

    /// Empties the write-ahead log, where no reader hinders it.
    pub(super) async fn truncate_log(&mut self) -> Result<(), QueueError> {
        match sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut self.connection)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => match QueueError::from(error) {
                // A reader looks at an older state: the next checkpoint will do it.
                QueueError::Busy => Ok(()),
                other => Err(other),
            },
        }
    }

    async fn check(&mut self, mode: Open) -> Result<(), QueueError> {
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
            return Err(QueueError::Foreign {
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

    /// Changes how transactions are made safe; returns what SQLite does now.
    async fn set_journal(&mut self, statement: &'static str) -> Result<String, QueueError> {
        let now = sqlx::query_scalar(statement)
            .fetch_one(&mut self.connection)
            .await?;
        // The log comes and goes with it.
        self.files = Files::default();
        Ok(now)
    }

    async fn migrate(&mut self, mode: Open) -> Result<(), QueueError> {
        let has_history: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = '_sqlx_migrations')",
        )
        .fetch_one(&mut self.connection)
        .await?;
        let applied = if has_history {
            self.connection
                .list_applied_migrations(MIGRATIONS_TABLE)
                .await
                .map_err(|error| self.migration_error(error))?
        } else {
            Vec::new()
        };
        let known = |done: &AppliedMigration| {
            let mut ours = MIGRATIONS.iter();
            ours.any(|ours| ours.version == done.version && ours.checksum == done.checksum)
        };
        if !applied.iter().all(known) {
            return Err(QueueError::Newer {
                path: self.path.clone(),
            });
        }
        if applied.len() == MIGRATIONS.iter().count() {
            return Ok(());
        }
        if mode != Open::Create {
            return Err(match applied.len() {
                0 => QueueError::NotFound {
                    path: self.path.clone(),
                },
                _ => QueueError::Older {
                    path: self.path.clone(),
                },
            });
        }
        self.connection
            .ensure_migrations_table(MIGRATIONS_TABLE)
            .await
            .map_err(|error| self.migration_error(error))?;
        crate::failpoint!("migration_begun");
        MIGRATIONS
            .run(&mut self.connection)
            .await
            .map_err(|error| self.migration_error(error))?;
        crate::failpoint!("migration_done");
        Ok(())
    }

    fn migration_error(&self, error: MigrateError) -> QueueError {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => {
                QueueError::Newer {
                    path: self.path.clone(),
                }
            }
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => QueueError::Bug(other.to_string()),
        }
    }

    /// Reads back what the promises rest on: a setting that did not take is no setting.
    async fn check_settings(&mut self, mode: Open) -> Result<(), QueueError> {
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
            Err(QueueError::Unusable {
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

fn unusable(path: &Path, error: &sqlx::Error) -> QueueError {
    match error {
        sqlx::Error::Database(database) if database.code().as_deref() == Some("26") => {
            QueueError::Foreign {
                path: path.to_owned(),
            }
        }
        sqlx::Error::Database(database)
            if matches!(database.code().as_deref(), Some("5" | "6")) =>
        {
            QueueError::Busy
        }
        // SQLITE_READONLY_ROLLBACK: a first load was killed, and who only reads may not undo it.
        sqlx::Error::Database(database) if database.code().as_deref() == Some("776") => {
            QueueError::Unusable {
                path: path.to_owned(),
                reason: "its first load was cut off, the next `refleet load` or `refleet run` undoes that".to_owned(),
            }
        }
        sqlx::Error::Database(database) => QueueError::Unusable {
            path: path.to_owned(),
            reason: database.message().to_owned(),
        },
        other => QueueError::Unusable {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    }
}

/// Sees to it that the file is there, and ours alone before SQLite opens it: the side files copy its
/// mode.
fn prepare_file(path: &Path, mode: Open) -> Result<(), QueueError> {
    let unusable = |reason: String| QueueError::Unusable {
        path: path.to_owned(),
        reason,
    };
    if mode == Open::Create {
        create(path)?;
    }
    if !path.exists() {
        return Err(QueueError::NotFound {
            path: path.to_owned(),
        });
    }
    if mode != Open::Read {
        // SQLite would open it read-only without a word, and fail at the first write.
        OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(|error| unusable(error.to_string()))?;
    }
    Ok(())
}

/// Creates the file and its folder, where there is none.
fn create(path: &Path) -> Result<(), QueueError> {
    let unusable = |reason: String| QueueError::Unusable {
        path: path.to_owned(),
        reason,
    };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let known = folder.ancestors().find(|folder| folder.is_dir());
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| unusable(format!("cannot create its folder: {error}")))?;
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let file = match created {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(unusable(error.to_string())),
    };
    crate::failpoint!("file_created");
    let metadata = file
        .metadata()
        .map_err(|error| unusable(error.to_string()))?;
    let bits = metadata.permissions().mode() & 0o777;
    if bits & 0o077 != 0 {
        // Nothing stands in it yet, and nothing may.
        let _ = std::fs::remove_file(path);
        return Err(Unfit::cannot_close(path, bits).into());
    }
    // What root creates in somebody's folder is that somebody's: else it locks the owner out.
    if let Some(known) = known {
        for new in folder.ancestors().take_while(|folder| *folder != known) {
            if let Ok((file, metadata)) =
                File::open(new).and_then(|file| file.metadata().map(|metadata| (file, metadata)))
            {
                hand_over(&file, &metadata, known);
            }
        }
        hand_over(&file, &metadata, known);
    }
    Ok(())
}

/// Closes files of ours that others can look into: a volume that is mounted for a group opens them.
fn close_files(path: &Path, files: Vec<(PathBuf, u32)>) -> Result<Vec<Note>, QueueError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // Whoever works on it has closed them already, or does so next time.
    let lock = match QueueLock::acquire(path) {
        Ok(lock) => lock,
        Err(QueueError::Locked(_)) => {
            let open = |(path, mode)| Note::OpenToOthers { path, mode };
            return Ok(files.into_iter().map(open).collect());
        }
        Err(error) => return Err(error),
    };
    let mut notes = Vec::new();
    for (file, mode) in files {
        // One that has vanished meanwhile is open to nobody; what has failed shows in the mode.
        let _ = std::fs::set_permissions(&file, Permissions::from_mode(0o600));
        let Ok(metadata) = file.symlink_metadata() else {
            continue;
        };
        let bits = metadata.permissions().mode() & 0o777;
        if bits & 0o077 != 0 {
            return Err(Unfit::cannot_close(&file, bits).into());
        }
        notes.push(Note::Closed { path: file, mode });
    }
    drop(lock);
    Ok(notes)
}

/// The number of the job on `line`: batch and line in one, as the schema demands.
fn job_id(batch: BatchId, line: u64) -> JobId {
    JobId((batch.0 << 32) + i64::try_from(line).unwrap_or(i64::MAX))
}

/// The batch of a job.
fn batch_of(job: JobId) -> BatchId {
    BatchId(job.0 >> 32)
}

/// Opens for a writer of whole batches (`run`, `load`): the schema is only ever migrated by a
/// process that holds the queue, so that no run is surprised in its work.
impl Queue {
    /// [`Queue::open`] with [`Open::Create`], and the lock where the schema must be brought up to date.
    pub async fn open_for_load(path: &Path) -> Result<Self, QueueError> {
        match Self::open(path, Open::Change).await {
            Err(QueueError::NotFound { .. } | QueueError::Older { .. }) => {
                let place = place::find(path, Open::Create)?;
                prepare_file(&place.path, Open::Create)?;
                let _lock = QueueLock::acquire(&place.path)?;
                Self::open(path, Open::Create).await
            }
            other => other,
        }
    }
}
