//! The migrations of a backend, and how old a schema is by those that were applied to it.

use sqlx::SqlStr;
use sqlx::migrate::{AppliedMigration, Migration, MigrationType, Migrator};

/// One file of `migrations/`: its number, its name in words, and its text.
pub type MigrationFile = (i64, &'static str, &'static str);

/// They are listed by hand: sqlx's macro, which reads the folder instead, builds both database drivers and
/// SQLite a second time, for the compiler.
pub fn migrator(files: &[MigrationFile]) -> Migrator {
    let migrations = files.iter().map(|&(version, name, sql)| {
        Migration::new(
            version,
            name.into(),
            MigrationType::Simple,
            SqlStr::from_static(sql),
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaAge {
    /// There is none yet.
    None,
    Older,
    Current,
    /// A newer refleet has made it, or one that was never released.
    Newer,
}

impl SchemaAge {
    pub fn of(applied: &[AppliedMigration], ours: &Migrator) -> Self {
        let is_known = |done: &AppliedMigration| {
            let mut ours = ours.iter();
            ours.any(|ours| ours.version == done.version && ours.checksum == done.checksum)
        };
        if !applied.iter().all(is_known) {
            Self::Newer
        } else if applied.len() == ours.iter().count() {
            Self::Current
        } else if applied.is_empty() {
            Self::None
        } else {
            Self::Older
        }
    }
}

/// A file of `migrations/` that its backend has forgotten would never be applied.
#[cfg(test)]
pub fn assert_all_are_listed(listed: &[MigrationFile], folder: &str) {
    let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut there: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    there.sort();
    let listed: Vec<_> = listed
        .iter()
        .map(|(version, name, sql)| {
            let name = format!("{version:04}_{}.sql", name.replace(' ', "_"));
            (name, (*sql).to_owned())
        })
        .collect();
    assert_eq!(listed, there);
}
