//! Whether the files that SQLite writes are still those in the folder.
//!
//! SQLite does not notice when its files are removed or replaced while they are open: it goes on
//! writing to files that have no name any more, and reports success. A run would rebuild a whole fleet
//! and leave no ledger. So each commit compares the files first, which costs a microsecond a file.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::queue::{Side, StoreError};

/// The database and its write-ahead log, as they were last seen. Both are there for as long as a
/// connection is open: only the last one to close removes the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    main: Option<Seen>,
    log: Option<Seen>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    device: u64,
    inode: u64,
    bytes: u64,
}

impl From<Metadata> for Seen {
    fn from(metadata: Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
        }
    }
}

impl Files {
    /// Remembers the files of the database at `path`, or says which of those that were remembered
    /// is gone. Returns the size of the log, in bytes.
    pub(super) fn look(&mut self, path: &Path) -> Result<Option<u64>, StoreError> {
        let log = Side::Log.beside(path);
        let main = same(self.main, path)?;
        // The log is emptied at checkpoints; the database never shrinks, since nothing vacuums it.
        if let (Some(before), Some(now)) = (self.main, main)
            && now.bytes < before.bytes
        {
            return Err(lost(path, "was cut short while it was in use"));
        }
        self.main = main;
        self.log = same(self.log, &log)?;
        Ok(self.log.map(|log| log.bytes))
    }
}

fn same(before: Option<Seen>, path: &Path) -> Result<Option<Seen>, StoreError> {
    let now = match std::fs::metadata(path) {
        Ok(metadata) => Some(Seen::from(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(lost(path, &format!("cannot be looked at: {error}"))),
    };
    match (before, now) {
        (Some(before), Some(now)) if (before.device, before.inode) != (now.device, now.inode) => {
            Err(lost(path, REPLACED))
        }
        (Some(_), None) => Err(lost(path, REPLACED)),
        (None | Some(_), now) => Ok(now),
    }
}

const REPLACED: &str = "was removed or replaced while it was in use";

fn lost(path: &Path, what: &str) -> StoreError {
    StoreError::Gone {
        reason: format!("{} {what}", path.display()),
    }
}
