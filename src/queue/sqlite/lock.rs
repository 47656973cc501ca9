//! One run per queue: a lock on a file beside the database, and one on the database itself.
//!
//! The operating system holds the locks for the process and drops them with the process, however
//! that ends. The file beside is never removed: a lock file that can vanish can be locked twice. So
//! a stale lock can't exist, and nobody ever has to remove one. Where somebody has removed the file
//! all the same, the second lock still keeps a second run away, because it lies on the database itself.
//!
//! The one fact to know: SQLite's own locks on the database belong to the process, and to close
//! *any* descriptor of the file gives them all up. So the descriptor of the second lock is never
//! closed, and nobody but [`QueueLock::acquire`] opens the file for its lock.

use std::fs::{File, Metadata, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use super::error::OpenError;
use super::place::{self, Side};
use crate::queue::lease::host;
use crate::queue::{Holder, StoreError};
use crate::time;

/// Holds the queue until it is dropped.
#[derive(Debug)]
pub struct QueueLock {
    beside: File,
    database: Option<File>,
}

/// How often it is tried: a reader that asks who works here holds the lock for an instant.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(10);

impl QueueLock {
    /// Takes the locks that belong to the database at `database`, or says who has them.
    pub fn acquire(database: &Path) -> Result<Self, OpenError> {
        let database = place::resolve(database)?;
        let path = Side::Lock.beside(&database);
        let unusable = |error: io::Error| OpenError::Unusable {
            path: path.clone(),
            reason: error.to_string(),
        };
        for _ in 0..TRIES {
            let mut beside = open(&path, &database).map_err(unusable)?;
            if !try_lock(&beside).map_err(unusable)? {
                return Err(StoreError::Locked(read_holder(&mut beside)).into());
            }
            // Somebody may have removed it between the two steps.
            if !names(&path, &beside) {
                continue;
            }
            let own = match lock_database(&database).map_err(unusable)? {
                Second::Held(file) => Some(file),
                Second::NoDatabase => None,
                Second::Taken(file) => {
                    let holder = holder_of(&file).unwrap_or_else(Holder::unknown);
                    std::mem::forget(file);
                    return Err(StoreError::Locked(holder).into());
                }
            };
            let lock = Self {
                beside,
                database: own,
            };
            lock.sign();
            return Ok(lock);
        }
        Err(unusable(io::Error::other("it is removed again and again")))
    }

    /// Writes into the lock file who holds it, for whoever is refused. The lock holds even where this
    /// fails.
    fn sign(&self) {
        let holder = Holder {
            pid: std::process::id(),
            host: host(),
            since_ms: time::now_ms(),
            until_ms: None,
        };
        let line = serde_json::to_vec(&holder).expect("plain data is always JSON");
        let mut file = &self.beside;
        let _ = file
            .set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(&line))
            .and_then(|()| file.flush());
    }

    /// Who works on the database at `database` now. Creates and changes nothing.
    pub fn holder(database: &Path) -> Option<Holder> {
        let database = place::resolve(database).ok()?;
        let beside = File::options()
            .read(true)
            .custom_flags(NO_LINK)
            .open(Side::Lock.beside(&database));
        if let Ok(mut beside) = beside
            && matches!(beside.try_lock_shared(), Err(TryLockError::WouldBlock))
        {
            return Some(read_holder(&mut beside));
        }
        // The lock file may have been removed, so the second lock is looked up in the kernel's list. To
        // try it would open the database, and to close that again would give up SQLite's locks.
        let metadata = database.metadata().ok()?;
        locked_by(&metadata)
    }
}

impl Drop for QueueLock {
    fn drop(&mut self) {
        if let Some(file) = self.database.take() {
            let _ = file.unlock();
            // To close it would give up SQLite's locks: see the module.
            std::mem::forget(file);
        }
    }
}

/// A link is no lock file of ours, and nothing is created through one.
const NO_LINK: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Opens or creates the lock file. What root creates belongs to the owner of the database, who
/// must be able to take the lock tomorrow.
fn open(path: &Path, database: &Path) -> io::Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(NO_LINK)
        .open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    hand_over(&file, &metadata, database);
    Ok(file)
}

/// Where root has created `file`, it belongs to whoever owns `like`.
pub(super) fn hand_over(file: &File, metadata: &Metadata, like: &Path) {
    if metadata.uid() == 0
        && rustix::process::geteuid().is_root()
        && let Ok(like) = like.metadata()
        && like.uid() != 0
    {
        // This fails on a file system without owners, and in a user namespace without that owner.
        let _ = std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()));
    }
}

/// `false`: another process has the lock, and still has it after a few tries.
fn try_lock(file: &File) -> io::Result<bool> {
    for tries_left in (0..TRIES).rev() {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if tries_left == 0 => return Ok(false),
            Err(TryLockError::WouldBlock) => std::thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

/// `path` names this very file.
fn names(path: &Path, file: &File) -> bool {
    let inode = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let named = path.symlink_metadata().map(inode);
    named.is_ok_and(|named| file.metadata().is_ok_and(|own| inode(own) == named))
}

enum Second {
    Held(File),
    Taken(File),
    NoDatabase,
}

/// The lock on the database itself, which cannot be removed without taking the database away.
/// Linux keeps such locks (flock) apart from those that SQLite uses (fcntl). Elsewhere the two would
/// collide, so that there is only the lock on the file beside.
fn lock_database(database: &Path) -> io::Result<Second> {
    if !cfg!(target_os = "linux") {
        return Ok(Second::NoDatabase);
    }
    let file = match File::open(database) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Second::NoDatabase),
        Err(error) => return Err(error),
    };
    match file.try_lock() {
        Ok(()) => Ok(Second::Held(file)),
        Err(TryLockError::WouldBlock) => Ok(Second::Taken(file)),
        Err(TryLockError::Error(error)) => {
            std::mem::forget(file);
            Err(error)
        }
    }
}

fn holder_of(database: &File) -> Option<Holder> {
    locked_by(&database.metadata().ok()?)
}

/// Who holds the second lock, as the kernel lists it: `1: FLOCK  ADVISORY  WRITE 371 00:1a:3077 0 EOF`.
/// (See `proc_locks(5)`; processes that this one cannot see have the number 0 or -1.)
fn locked_by(database: &Metadata) -> Option<Holder> {
    (0..TRIES).find_map(|_| listed(database))
}

/// Between two pieces that are read of its list the kernel counts lines anew: where a lock is given
/// up meanwhile, the next piece begins one line too late. So the pieces are large, and a lock that is
/// not seen may be there all the same.
fn listed(database: &Metadata) -> Option<Holder> {
    let mut locks = String::with_capacity(64 * 1024);
    File::open("/proc/locks")
        .and_then(|mut list| list.read_to_string(&mut locks))
        .ok()?;
    let inode = format!(":{}", database.ino());
    locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, file, ..] = words.as_slice() else {
            return None;
        };
        let device = file.strip_suffix(inode.as_str())?;
        (device == device_words(database.dev())).then(|| Holder {
            pid: pid.parse().unwrap_or(0),
            ..Holder::unknown()
        })
    })
}

fn device_words(device: u64) -> String {
    // A device is a number of another type on macOS.
    let (major, minor) = (
        rustix::fs::major(device as _),
        rustix::fs::minor(device as _),
    );
    format!("{major:02x}:{minor:02x}")
}

fn read_holder(file: &mut File) -> Holder {
    let mut line = Vec::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(4096).read_to_end(&mut line));
    read.ok()
        .and_then(|_| serde_json::from_slice(&line).ok())
        .unwrap_or_else(Holder::unknown)
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
            Err(OpenError::Store(StoreError::Locked(holder))) => {
                assert_eq!(holder.pid, std::process::id());
            }
            other => panic!("expected the lock to be held: {other:?}"),
        }
        drop(first);
        QueueLock::acquire(&database).unwrap();
    }
}
