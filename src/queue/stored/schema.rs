//! How old a schema is, by the migrations that were applied to it.

use sqlx::migrate::{AppliedMigration, Migrator};

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
