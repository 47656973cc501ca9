//! What a report, an event stream or a journal must never be written over.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::bytes::{beginning, number};
use super::facts::HEAD_MAGIC;
use super::wal;
use super::{Side, resolve};

/// What stands in a file that is not to be written over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precious {
    /// A database: refleet's or another's.
    Database,
    /// A file that belongs to a database.
    SideFile,
    /// A manifest.
    Manifest,
    /// A file that holds a secret.
    Credentials,
    /// What somebody has approved.
    Plan,
}

impl fmt::Display for Precious {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "a database",
            Self::SideFile => "a file that belongs to a database",
            Self::Manifest => "a manifest",
            Self::Credentials => "a file with credentials",
            Self::Plan => "a plan",
        })
    }
}

/// The journal of a rollback, as it begins.
const JOURNAL_MAGIC: &[u8] = &[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
/// Enough of a file to see whether it is a manifest.
const LOOK_BYTES: u64 = 64 * 1024;

/// What would be lost if `target` were written over; `None`: nothing that refleet knows of.
/// `known`: files that are in use, under whatever name; the side files of databases are known with
/// them.
///
/// A database that is open in this process must be among the known: whatever else is there is
/// looked into, and to close a file gives up the locks that the process holds on it.
pub fn precious(target: &Path, known: &[(PathBuf, Precious)]) -> Option<Precious> {
    let target = resolve(target).ok()?;
    let is_same = |path: &Path| {
        let path = resolve(path).unwrap_or_else(|_| path.to_owned());
        path == target || identity(&path).is_some_and(|one| identity(&target) == Some(one))
    };
    for (path, what) in known {
        if is_same(path) {
            return Some(*what);
        }
        if *what == Precious::Database
            && let Ok(database) = resolve(path)
            && Side::ALL
                .iter()
                .any(|side| is_same(&side.beside(&database)))
        {
            return Some(Precious::SideFile);
        }
    }
    if belongs_to_database(&target) {
        return Some(Precious::SideFile);
    }
    by_content(&target)
}

/// Its device and its number there: the same under every name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = path.metadata().ok()?;
    metadata.is_file().then(|| (metadata.dev(), metadata.ino()))
}

/// It goes by the name of a database that lies beside it.
fn belongs_to_database(target: &Path) -> bool {
    let Some(name) = target.to_str() else {
        return false;
    };
    Side::ALL.into_iter().any(|side| {
        let database = name.strip_suffix(side.suffix()).map(Path::new);
        database.is_some_and(|database| {
            database.is_file()
                && beginning::<16>(database).is_some_and(|(bytes, _)| bytes == *HEAD_MAGIC)
        })
    })
}

fn by_content(target: &Path) -> Option<Precious> {
    // A pipe or a device gives nothing back, and is not replaced.
    if !target.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let mut file = File::open(target).ok()?.take(LOOK_BYTES);
    file.read_to_end(&mut bytes).ok()?;
    if bytes.starts_with(HEAD_MAGIC) {
        return Some(Precious::Database);
    }
    let is_log = bytes.len() >= 4 && number(&bytes, 0) & !1 == wal::MAGIC;
    if is_log || bytes.starts_with(JOURNAL_MAGIC) {
        return Some(Precious::SideFile);
    }
    crate::manifest::looks_like_one(target, &bytes).then_some(Precious::Manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str =
        "Service ID;image;password\n5113119;18d0ee2e-4d57-4f40-9b56-03c1773b5831;Mypassword1\n";

    // Field case B6.
    #[test]
    fn what_would_be_lost_is_known_by_its_name_its_inode_and_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let database = [HEAD_MAGIC, &[0; 100]].concat();
        for name in ["fleet.db", "other.db"] {
            std::fs::write(at(name), &database).unwrap();
        }
        let log = [&(wal::MAGIC | 1).to_be_bytes()[..], &[0; 40]].concat();
        std::fs::write(at("lost-log"), log).unwrap();
        std::fs::write(at("lost-journal"), JOURNAL_MAGIC).unwrap();
        std::fs::write(at("list.csv"), MANIFEST).unwrap();
        std::fs::write(at("given.csv"), "empty").unwrap();
        std::fs::write(at("token"), "secret").unwrap();
        std::fs::hard_link(at("given.csv"), at("hard.csv")).unwrap();
        std::os::unix::fs::symlink("fleet.db", at("link.db")).unwrap();
        std::os::unix::fs::symlink("fleet.db.lock", at("dangling")).unwrap();
        let known = [
            (at("link.db"), Precious::Database),
            (at("given.csv"), Precious::Manifest),
            (at("token"), Precious::Credentials),
        ];
        for (name, what) in [
            ("fleet.db", Some(Precious::Database)),
            ("link.db", Some(Precious::Database)),
            ("fleet.db-wal", Some(Precious::SideFile)),
            ("fleet.db.simulator", Some(Precious::SideFile)),
            ("dangling", Some(Precious::SideFile)),
            ("other.db", Some(Precious::Database)),
            ("other.db.lock", Some(Precious::SideFile)),
            ("lost-log", Some(Precious::SideFile)),
            ("lost-journal", Some(Precious::SideFile)),
            ("list.csv", Some(Precious::Manifest)),
            ("given.csv", Some(Precious::Manifest)),
            ("hard.csv", Some(Precious::Manifest)),
            ("token", Some(Precious::Credentials)),
            ("new.csv", None),
            ("x.lock", None),
        ] {
            assert_eq!(precious(&at(name), &known), what, "{name}");
        }
        assert_eq!(precious(Path::new("/dev/null"), &known), None);
    }
}
