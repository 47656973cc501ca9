//! Who held the lease of an account, since when, and how it is known that it is gone.

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

/// Somebody knows that a sender is gone, and its connections with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The machine.
    pub host: String,
    /// `None`: all of it is down, by an operator's word. Otherwise only the process with this tenure has
    /// ended, as its own machine says.
    pub tenure: Option<Uuid>,
    /// Since when, as Unix time by the database's clock.
    pub at_ms: i64,
}

impl Fence {
    /// It is about the sender with this tenure: a machine that was down before it sent proves nothing.
    pub fn ends(&self, tenure: &Tenure) -> bool {
        let is_meant = self.tenure.is_none_or(|id| id == tenure.id);
        is_meant && self.host == tenure.host && self.at_ms >= tenure.since_ms
    }
}
