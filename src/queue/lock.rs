//! One run per queue: a lock on a file beside the database.
//!
//! The operating system holds the lock for the process and drops it with the process, however that
//! ends. The file itself is never removed: a lock file that can vanish can be locked twice. So a
//! stale lock cannot exist, and no hand is ever needed.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::QueueError;
use crate::{text, time};

/// Who holds the queue, as the lock file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Since when, as Unix time.
    pub since_ms: i64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("it has not yet said who it is");
        }
        write!(
            f,
            "process {} on {}, since {}",
            self.pid,
            text::brief(&self.host, 64),
            time::human(self.since_ms)
        )
    }
}

/// Holds the queue until it is dropped.
#[derive(Debug)]
pub struct QueueLock {
    _file: File,
}

impl QueueLock {
    /// Takes the lock that belongs to the database at `database`, or says who has it.
    pub fn acquire(database: &Path) -> Result<Self, QueueError> {
        let path = path_beside(database);
        let unusable = |error: std::io::Error| QueueError::Unusable {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(unusable)?;
        // A reader that asks who works here holds the lock for an instant (`holder`).
        let mut tries_left = 5;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries_left == 0 => {
                    return Err(QueueError::Locked(read_holder(&mut file)));
                }
                Err(TryLockError::WouldBlock) => {
                    tries_left -= 1;
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::Error(error)) => return Err(unusable(error)),
            }
        }
        let holder = Holder {
            pid: std::process::id(),
            host: host(),
            since_ms: time::now_ms(),
        };
        let line = serde_json::to_vec(&holder).expect("plain data is always JSON");
        // For the eyes of the one who comes second; the lock holds even where this fails.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(&line))
            .and_then(|()| file.flush());
        Ok(Self { _file: file })
    }

    /// Who works on the database at `database` now. Creates and changes nothing.
    pub fn holder(database: &Path) -> Option<Holder> {
        let mut file = File::open(path_beside(database)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

fn path_beside(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

fn read_holder(file: &mut File) -> Holder {
    let mut line = Vec::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(4096).read_to_end(&mut line));
    read.ok()
        .and_then(|_| serde_json::from_slice(&line).ok())
        .unwrap_or(Holder {
            pid: 0,
            host: String::new(),
            since_ms: 0,
        })
}

/// This machine's name.
pub(super) fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_one_learns_who_the_first_is_and_gets_the_lock_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("refleet.db");
        let first = QueueLock::acquire(&database).unwrap();
        match QueueLock::acquire(&database) {
            Err(QueueError::Locked(holder)) => assert_eq!(holder.pid, std::process::id()),
            other => panic!("expected the lock to be held: {other:?}"),
        }
        drop(first);
        QueueLock::acquire(&database).unwrap();
    }
}
