//! Whether a path can carry the ledger.
//!
//! The one fact to know: what happened to a fleet stands in *several* files: SQLite's log and its
//! index lie beside the database and go by its name, and so does the lock. Whoever reaches the
//! database by another name finds no log, another lock, and wipes twice. So a path is resolved
//! before anything is put beside it, and a place where one file can have two names is refused.
//!
//! `facts` and `wal` ask the system, `decide` is pure, and `unfit` says what is wrong and what to do about
//! it. `target` keeps everything else that is written away from such files.

mod decide;
pub(super) mod facts;
pub(super) mod mark;
mod target;
mod unfit;
pub(super) mod wal;

use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

pub use target::{Precious, precious};
pub use unfit::{Note, Unfit};

use super::Open;
use decide::decide;
use facts::Facts;

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

/// A path that can carry the ledger.
#[derive(Debug)]
pub(super) struct Place {
    /// The database's own name: no link, no `..`.
    pub(super) path: PathBuf,
    /// Files of ours that others can look into, with their mode bits: whoever holds the lock
    /// closes them.
    pub(super) open_to_others: Vec<(PathBuf, u32)>,
    /// Nothing can be put beside it, and nothing has to be: all of it stands in the main file.
    pub(super) immutable: bool,
    /// What the operator should know.
    pub(super) notes: Vec<Note>,
}

/// Looks at `path`, resolved, and decides whether it will do.
pub(super) fn find(path: &Path, mode: Open) -> Result<Place, Unfit> {
    let path = resolve(path)?;
    decide(&Facts::gather(&path), mode)
}

/// Links that are followed before it is called a loop, as Linux does.
const LINKS_MAX: usize = 40;

/// The own name of the file that `path` leads to, whether it exists or not: absolute, without
/// links, `.` and `..`. Links that lead nowhere yet are followed too: the file would be created
/// where they point.
pub fn resolve(path: &Path) -> Result<PathBuf, Unfit> {
    let broken = |reason: io::Error| match facts::closed_folder(path) {
        Some(closed) if reason.kind() == io::ErrorKind::PermissionDenied => closed,
        Some(_) | None => Unfit::Unreachable {
            path: path.to_owned(),
            reason: reason.to_string(),
        },
    };
    if path.as_os_str().is_empty() {
        return Err(broken(io::Error::other("the path is empty")));
    }
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Unfit::Directory {
            path: path.to_owned(),
        });
    }
    let mut rest = std::path::absolute(path).map_err(broken)?;
    for _ in 0..LINKS_MAX {
        match rest.canonicalize() {
            Ok(real) => return Ok(real),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(broken(error)),
            Err(_) => {}
        }
        // Something on the way does not exist: what comes before it is resolved, what comes
        // behind is taken as it stands.
        let (known, missing) = known_part(&rest).map_err(broken)?;
        let mut names = missing.components();
        let first = names.next().map(|first| known.join(first));
        let Some(first) = first else {
            return Ok(known);
        };
        match std::fs::read_link(&first) {
            Ok(target) => rest = known.join(target).join(names.as_path()),
            Err(_)
                if missing
                    .components()
                    .any(|part| part == Component::ParentDir) =>
            {
                return Err(broken(io::ErrorKind::NotFound.into()));
            }
            Err(_) => return Ok(known.join(missing)),
        }
    }
    Err(broken(io::Error::other("too many symbolic links")))
}

/// The longest part of `path` that exists, resolved, and the rest.
fn known_part(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    for ancestor in path.ancestors().skip(1) {
        match ancestor.canonicalize() {
            Ok(real) => {
                let rest = path.strip_prefix(ancestor).unwrap_or(Path::new(""));
                return Ok((real, rest.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

/// Why a path is surely not what was meant; `None`: it may well be. Such a path names no file that
/// exists: in a crontab, a unit or an env-file nobody expands it, and it would be created as it stands.
pub fn unexpanded(path: &Path) -> Option<&'static str> {
    if path.symlink_metadata().is_ok() {
        return None;
    }
    let text = path.as_os_str().to_string_lossy();
    let quoted = |quote: char| text.starts_with(quote) && text.ends_with(quote);
    let strange_end = |end: Option<char>| end.is_some_and(char::is_whitespace);
    if text.is_empty() {
        return Some("is empty");
    }
    if quoted('"') || quoted('\'') {
        return Some("stands in quotes that nobody took off");
    }
    if strange_end(text.chars().next()) || strange_end(text.chars().next_back()) {
        return Some("begins or ends with a space or a line end");
    }
    if text.starts_with('~') {
        return Some("begins with ~, which only a shell expands, and only unquoted");
    }
    if text.contains("$(") || text.contains("${") || has_variable(&text) {
        return Some("names a variable, which nobody has expanded");
    }
    if text.contains("{{") {
        return Some("holds a template that nobody has filled in");
    }
    if has_percent_variable(&text) {
        return Some("holds a %-specifier, which nobody has expanded");
    }
    if text
        .split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains('/'))
    {
        return Some("is an address, and a file's path is wanted");
    }
    None
}

/// Why a path that names no file is surely not meant for a database; `None`: it may well be. Other
/// programs take such words for more than a name, and what they mean may be an old ledger; and what
/// bears the name of a side file is thrown away by whoever opens the database that it goes by.
pub fn no_database(path: &Path) -> Option<&'static str> {
    if path.symlink_metadata().is_ok() {
        return None;
    }
    let text = path.as_os_str().to_string_lossy();
    if text == ":memory:" {
        return Some("would keep the ledger in memory: it would be gone with the process");
    }
    let is_scheme = |scheme: &&str| {
        text.strip_prefix(*scheme)
            .is_some_and(|rest| rest.starts_with(':'))
    };
    if ["file", "sqlite", "sqlite3", "postgres", "postgresql"]
        .iter()
        .any(is_scheme)
    {
        return Some("is an address, and a file's path is wanted");
    }
    if text
        .split_once('?')
        .is_some_and(|(_, options)| options.contains('='))
    {
        return Some("ends with options of an address, and a file's path is wanted");
    }
    let goes_by_another = |side: Side| {
        text.strip_suffix(side.suffix())
            .is_some_and(|database| !database.is_empty() && !database.ends_with('/'))
    };
    Side::ALL
        .into_iter()
        .any(goes_by_another)
        .then_some("is the name of a file beside a database, and not of the database itself")
}

/// `$HOME/x`
fn has_variable(text: &str) -> bool {
    text.match_indices('$').any(|(at, _)| {
        let next = text[at + 1..].chars().next();
        next.is_some_and(|next| next.is_ascii_alphabetic() || next == '_')
    })
}

/// `%USERPROFILE%`, or systemd's `%h/x`.
fn has_percent_variable(text: &str) -> bool {
    let specifier = |part: &str| {
        let mut letters = part.chars();
        letters.next() == Some('%')
            && letters
                .next()
                .is_some_and(|letter| letter.is_ascii_alphabetic())
            && letters.next().is_none()
    };
    if text.split('/').any(specifier) {
        return true;
    }
    let pieces: Vec<&str> = text.split('%').collect();
    pieces.len() >= 3
        && pieces[1..pieces.len() - 1].iter().any(|name| {
            name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}

/// The name of `path` as one word of a shell's command line.
fn word(path: &Path) -> String {
    crate::text::shell_word(&path.to_string_lossy()).into_owned()
}

/// The folder that `path` lies in.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str() != OsStr::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_is_resolved_whether_its_file_exists_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let at = |name: &str| real.join(name);
        std::fs::create_dir(at("state")).unwrap();
        symlink(at("state"), at("link")).unwrap();
        symlink("state/new.db", at("dangling.db")).unwrap();
        symlink("dangling.db", at("twice.db")).unwrap();
        symlink("nowhere", at("gone")).unwrap();
        symlink("loop", at("loop")).unwrap();
        for (given, own) in [
            ("state/x.db", "state/x.db"),
            ("link/x.db", "state/x.db"),
            ("link/../x.db", "x.db"),
            ("state/./../state/x.db", "state/x.db"),
            ("dangling.db", "state/new.db"),
            ("twice.db", "state/new.db"),
            ("gone/x.db", "nowhere/x.db"),
            ("a/b/x.db", "a/b/x.db"),
        ] {
            assert_eq!(resolve(&at(given)).unwrap(), at(own), "{given}");
        }
        assert!(resolve(&at("loop")).is_err());
        assert!(resolve(&at("a/../x.db")).is_err(), "no such folder");
        assert!(resolve(Path::new("")).is_err());
        assert!(resolve(&at("a/")).is_err(), "a folder is meant");
    }

    // Field case B11.
    #[test]
    fn a_path_that_nobody_has_expanded_is_recognised() {
        for path in [
            "~/x.db",
            "~root/x.db",
            "~",
            "$HOME/x.db",
            "/srv/${USER}.db",
            "/srv/$(date).db",
            "%USERPROFILE%/x.db",
            "%h/x.db",
            "/var/%S/refleet.db",
            "{{ state }}/x.db",
            "\"/srv/x.db\"",
            "'/srv/x.db'",
            "/srv/x.db\r",
            " /srv/x.db",
            "file:///srv/x.db",
            "sqlite://x.db",
            "postgres://host/x",
            "",
        ] {
            assert!(unexpanded(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/srv/x.db",
            "x~1.db",
            "a$.db",
            "a$1.db",
            "50%.db",
            "100%-done.csv",
            "5%h.csv",
            "a%20b%20c d.db",
            "{x}.db",
            "C:/x.db",
            "it's.db",
            "/srv//x.db",
        ] {
            assert_eq!(unexpanded(Path::new(path)), None, "{path}");
        }
        // Where somebody did make such a folder, it is meant.
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("$HOME"), "").unwrap();
        assert_eq!(unexpanded(&folder.path().join("$HOME")), None);
    }

    #[test]
    fn what_is_surely_no_database_s_path_is_told_from_what_may_be_one() {
        for path in [
            ":memory:",
            "file:x.db",
            "file:/srv/x.db",
            "sqlite:/srv/x.db",
            "postgres:x",
            "/srv/x.db?mode=ro",
            "x.db-wal",
            "/srv/x.db-shm",
            "/srv/x.db-journal",
            "/srv/x.db.lock",
            "/srv/x.db.simulator",
        ] {
            assert!(no_database(Path::new(path)).is_some(), "{path}");
        }
        for path in [
            "/srv/x.db",
            "/srv/file:x.db",
            "files.db",
            "what?.db",
            "/srv/.lock",
            "x.lock.db",
        ] {
            assert_eq!(no_database(Path::new(path)), None, "{path}");
        }
        // What is there already says itself what it is.
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("x.db.lock");
        std::fs::write(&odd, "").unwrap();
        assert_eq!(no_database(&odd), None);
    }
}
