//! The files beside a database that go by its name.

use std::path::{Path, PathBuf};

/// A file that goes by the database's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// SQLite's write-ahead log: what was committed last stands only there.
    Log,
    /// The index of the log, shared by all who have it open.
    Index,
    /// What a transaction that was cut off is undone with.
    Journal,
    /// Who works.
    Lock,
    /// What the instances of a rehearsal have been through.
    Simulation,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Log,
        Self::Index,
        Self::Journal,
        Self::Lock,
        Self::Simulation,
    ];

    /// What is put behind the database's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Log => "-wal",
            Self::Index => "-shm",
            Self::Journal => "-journal",
            Self::Lock => ".lock",
            Self::Simulation => ".simulator",
        }
    }

    /// Where it lies, given the resolved path of the database.
    pub fn beside(self, database: &Path) -> PathBuf {
        let mut name = database.as_os_str().to_owned();
        name.push(self.suffix());
        PathBuf::from(name)
    }
}
