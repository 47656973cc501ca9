//! Bringing the schema up to date, which only `load` and `run` do, and refusing one that is not ours.

use std::path::PathBuf;
use std::sync::LazyLock;

use sqlx::migrate::{Migrate as _, MigrateError, Migrator};

use super::connect::refused;
use super::session::Session;
use crate::queue::stored::{MigrationFile, SchemaAge, migrator};
use crate::queue::{Open, OpenError, StoreError};

const MIGRATION_FILES: &[MigrationFile] = &[(
    1,
    "queue and ledger",
    include_str!("../../../migrations/postgres/0001_queue_and_ledger.sql"),
)];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(MIGRATION_FILES));

/// sqlx's own table of applied migrations.
const MIGRATIONS_TABLE: &str = "_sqlx_migrations";

/// One process at a time brings a schema up to date. The number is refleet's own: "refleet" in ASCII.
const LOCK: &str = "SELECT pg_advisory_lock(32199637924668788)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(32199637924668788)";

pub(super) async fn migrate(session: &mut Session, mode: Open) -> Result<(), OpenError> {
    let age = age(session).await?;
    let path = || PathBuf::from(session.server.to_string());
    match (age, mode) {
        (SchemaAge::Current, _) => Ok(()),
        (SchemaAge::Newer, _) => Err(OpenError::Newer { path: path() }),
        (SchemaAge::Older | SchemaAge::None, Open::Create) => {
            session.run(LOCK).await?;
            let migrated = run(session).await;
            session.run(UNLOCK).await?;
            migrated
        }
        (SchemaAge::None, Open::Read | Open::Change | Open::WithoutLog) => {
            Err(OpenError::NotFound { path: path() })
        }
        (SchemaAge::Older, Open::Read | Open::Change | Open::WithoutLog) => {
            Err(OpenError::Older { path: path() })
        }
    }
}

async fn age(session: &mut Session) -> Result<SchemaAge, OpenError> {
    let server = session.server.clone();
    let there = sqlx::query_as(
        "SELECT to_regclass('refleet._sqlx_migrations') IS NOT NULL,
                EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('refleet'))",
    );
    let there = there.fetch_one(session.raw().await?).await;
    // A role that has no right to the schema learns that here.
    let (has_history, has_tables): (bool, bool) = there.map_err(|error| refused(&server, error))?;
    if !has_history && has_tables {
        return Err(OpenError::Foreign {
            path: PathBuf::from(format!("schema refleet of {}", session.server)),
        });
    }
    let applied = if has_history {
        let connection = session.raw().await?;
        let applied = connection.list_applied_migrations(MIGRATIONS_TABLE).await;
        applied.map_err(|error| unmigrated(&server, error))?
    } else {
        Vec::new()
    };
    Ok(SchemaAge::of(&applied, &MIGRATIONS))
}

async fn run(session: &mut Session) -> Result<(), OpenError> {
    let server = session.server.clone();
    let connection = session.raw().await?;
    connection
        .create_schema_if_not_exists("refleet")
        .await
        .map_err(|error| unmigrated(&server, error))?;
    crate::failpoint!("migration_begun");
    MIGRATIONS
        .run(connection)
        .await
        .map_err(|error| unmigrated(&server, error))?;
    crate::failpoint!("migration_done");
    Ok(())
}

fn unmigrated(server: &super::server::Server, error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..) => OpenError::Newer {
            path: PathBuf::from(server.to_string()),
        },
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            refused(server, error)
        }
        other => StoreError::Bug(other.to_string()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::stored::assert_all_are_listed;

    #[test]
    fn every_file_of_migrations_is_listed() {
        assert_all_are_listed(MIGRATION_FILES, "postgres");
    }
}
