//! Bringing the schema up to date, which only `load` and `run` do, and refusing one that is not ours.

use std::sync::LazyLock;

use sqlx::migrate::{Migrate, MigrateError, Migrator};

use super::error::OpenError;
use super::handle::SqliteQueue;
use super::settings::Open;
use crate::queue::StoreError;
use crate::queue::stored::{MigrationFile, SchemaAge, migrator};

const MIGRATION_FILES: &[MigrationFile] = &[(
    1,
    "queue and ledger",
    include_str!("../../../migrations/sqlite/0001_queue_and_ledger.sql"),
)];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(MIGRATION_FILES));

/// sqlx's own table of applied migrations.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

impl SqliteQueue {
    pub(super) async fn migrate(&mut self, mode: Open) -> Result<(), OpenError> {
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
        let path = || self.path.clone();
        match SchemaAge::of(&applied, &MIGRATIONS) {
            SchemaAge::Current => return Ok(()),
            SchemaAge::Newer => return Err(OpenError::Newer { path: path() }),
            SchemaAge::None if mode != Open::Create => {
                return Err(OpenError::NotFound { path: path() });
            }
            SchemaAge::Older if mode != Open::Create => {
                return Err(OpenError::Older { path: path() });
            }
            SchemaAge::None | SchemaAge::Older => {}
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

    fn migration_error(&self, error: MigrateError) -> OpenError {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => OpenError::Newer {
                path: self.path.clone(),
            },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            other => StoreError::Bug(other.to_string()).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::stored::assert_all_are_listed;

    #[test]
    fn every_file_of_migrations_is_listed() {
        assert_all_are_listed(MIGRATION_FILES, "sqlite");
    }
}
