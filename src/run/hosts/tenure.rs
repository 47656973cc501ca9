//! Who held the lease of an account, and since when.

use uuid::Uuid;

/// One stretch for which a process holds the lease.
///
/// The epoch alone does not name it: a database that was restored from an older copy counts the same
/// epochs once more. So each acquisition draws an id of its own, and whatever is guarded by a tenure
/// compares both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// Drawn for this acquisition.
    pub id: Uuid,
    /// How often the lease had been acquired by then, this time included.
    pub epoch: i64,
    /// The machine, by its name.
    pub host: String,
    /// When it was acquired, as Unix time by the database's clock.
    pub since_ms: i64,
}

impl Tenure {
    /// It is the same stretch, and not another one with the same epoch.
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id && self.epoch == other.epoch
    }
}
