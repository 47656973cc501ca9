//! Why a path cannot carry the ledger, and what to do about it.
//!
//! No remedy is ever another database: a new one knows nothing of what was wiped.

use std::fmt;
use std::path::{Path, PathBuf};

use super::Side;
use super::names::{folder_of, word};

/// Why a path cannot carry the ledger.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The way to it is broken.
    #[error("cannot open the database {}: {reason}", path.display())]
    Unreachable {
        /// The path as it was given.
        path: PathBuf,
        /// Why, in the system's words.
        reason: String,
    },
    /// A folder.
    #[error("cannot open the database {}: it is a directory", path.display())]
    Directory {
        /// The folder.
        path: PathBuf,
    },
    /// A device, a pipe, or a link where none may be.
    #[error("cannot open the database {}: {} is no regular file", path.display(), file.display())]
    NotAFile {
        /// The database.
        path: PathBuf,
        /// What is no file: itself, or one beside it.
        file: PathBuf,
    },
    /// It has other names, and beside those lie other locks and logs.
    #[error(
        "{} has {links} names (hard links): by another one of them refleet finds another lock and another log, and wipes twice",
        path.display()
    )]
    HardLinked {
        /// The database.
        path: PathBuf,
        /// Its names.
        links: u64,
    },
    /// A single file is mounted, and the files beside it are others.
    #[error(
        "{} is mounted by itself: its lock and its log would lie elsewhere, and nobody else would find them",
        path.display()
    )]
    MountedAlone {
        /// What is mounted: the database, or a file beside it.
        path: PathBuf,
    },
    /// Other machines can open it too.
    #[error(
        "{} lies on a network file system ({file_system}): locks and SQLite's log hold on one machine only",
        path.display()
    )]
    Network {
        /// The database.
        path: PathBuf,
        /// What it lies on.
        file_system: String,
    },
    /// The main file is gone, and what belongs to it is not.
    #[error(
        "{} is {what}, and {} holds what belongs to it: SQLite would throw that away",
        path.display(), left.display()
    )]
    WithoutMain {
        /// Where the main file should be.
        path: PathBuf,
        /// `missing` or `empty`.
        what: &'static str,
        /// What is left.
        left: PathBuf,
    },
    /// The main file alone.
    #[error(
        "{} came here without its log while a run had not ended: what was sent last does not stand in it",
        path.display()
    )]
    LogMissing {
        /// The database.
        path: PathBuf,
    },
    /// The main file of one database and the log of another.
    #[error("{} is not the log that belongs to {}", Side::Log.beside(path).display(), path.display())]
    LogForeign {
        /// The database.
        path: PathBuf,
    },
    /// The log, and not all of it.
    #[error(
        "{} is cut short or damaged: {} of the {frames} pages that a run had committed to it are whole; what was sent last does not stand in them",
        Side::Log.beside(path).display(), whole
    )]
    LogCut {
        /// The database.
        path: PathBuf,
        /// Pages that are whole.
        whole: u32,
        /// Pages that were committed, or more.
        frames: u32,
    },
    /// Another user's.
    #[error("{} belongs to {}, and this is {}", files.first().unwrap_or(&PathBuf::new()).display(), user(*owner), user(*me))]
    Owned {
        /// The files that belong to somebody else; never empty.
        files: Vec<PathBuf>,
        /// The number of their owner.
        owner: u32,
        /// Ours.
        me: u32,
    },
    /// Ours, and not to be written.
    #[error("cannot open the database {}: its own user may not read and write {} (mode {mode:03o})", path.display(), file.display())]
    NotWritable {
        /// The database.
        path: PathBuf,
        /// The file or folder.
        file: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The folder is another user's, and closed.
    #[error(
        "cannot open the database {}: files are created beside it, and the folder {} belongs to {}, not to {}",
        path.display(), folder.display(), user(*owner), user(*me)
    )]
    FolderOwned {
        /// The database.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
        /// There is no database yet.
        is_new: bool,
        /// The number of its owner.
        owner: u32,
        /// Ours.
        me: u32,
    },
    /// A folder on the way lets only its owner in.
    #[error(
        "cannot open the database {}: the folder {} belongs to {}, and lets {} not in",
        path.display(), folder.display(), user(*owner), user(*me)
    )]
    Closed {
        /// The database.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
        /// It lies in a folder of ours.
        is_below_ours: bool,
        /// The number of its owner.
        owner: u32,
        /// Ours.
        me: u32,
    },
    /// Nothing can be written there.
    #[error("cannot open the database {}: {} is mounted read-only", path.display(), folder.display())]
    ReadOnly {
        /// The database.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// Nothing can be written there, not even what a reader needs.
    #[error(
        "{} holds what is not in the database yet, and where nothing can be written SQLite cannot read it",
        Side::Log.beside(path).display()
    )]
    UnreadableLog {
        /// The database.
        path: PathBuf,
    },
    /// Open to a group, and meant so.
    #[error(
        "{} is open to others (mode {mode:03o}), and its folder is made to be shared (mode {folder_mode:03o}): it holds passwords",
        path.display()
    )]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// The folder's.
        folder_mode: u32,
    },
    /// Open to others, and chmod changes nothing.
    #[error(
        "{} stays open to others (mode {mode:03o}), whatever chmod says: this file system{} cannot hold a file with passwords",
        path.display(), in_brackets(file_system)
    )]
    CannotClose {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What it lies on; may be empty.
        file_system: String,
    },
}

impl Unfit {
    /// `chmod` had no effect on the file at `path`.
    pub(in crate::queue::sqlite) fn cannot_close(path: &Path, mode: u32) -> Self {
        Self::CannotClose {
            path: path.to_owned(),
            mode,
            file_system: super::facts::file_system_of(path),
        }
    }

    /// What to do about it, in commands that can be typed as they stand.
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each kind")]
    pub fn remedies(&self) -> Vec<String> {
        let one = |text: String| vec![text];
        match self {
            Self::Unreachable { .. } => one("is --db or REFLEET_DB right?".to_owned()),
            Self::Directory { path } => one(format!(
                "name the file in it: --db {}",
                word(&path.join("refleet.db"))
            )),
            Self::NotAFile { path, file } if path == file => {
                one("is --db or REFLEET_DB right?".to_owned())
            }
            Self::NotAFile { file, .. } => one(format!(
                "see what it is (ls -l {}), and take it away: nothing of refleet's looks like that",
                word(file)
            )),
            Self::HardLinked { path, .. } => vec![
                format!(
                    "find the others: find {} -xdev -samefile {}",
                    word(top_of(path)),
                    word(path)
                ),
                "keep the one beside which the -wal file lies, if there is one, and remove the others"
                    .to_owned(),
            ],
            Self::MountedAlone { path } => one(format!(
                "mount the folder that it lies in, not the file: for example -v {0}:{0}",
                word(folder_of(path))
            )),
            Self::Network { path, .. } => one(format!(
                "it has to lie on a disk of this machine: move {} there, together with the files \
                 that begin with its name, while nothing works on it",
                word(path)
            )),
            Self::WithoutMain { path, left, .. } => vec![
                format!(
                    "bring the database back to {}: was it moved without {}?",
                    word(path),
                    word(left)
                ),
                "nothing of what was wiped is known without it".to_owned(),
            ],
            Self::LogMissing { path } => vec![
                format!(
                    "bring {} too, from where this file came, and lay both beside each other",
                    word(&Side::Log.beside(path))
                ),
                "only where it is nowhere to be found: `refleet adopt --reason TEXT` puts all that may have been sent in doubt, and sends none of it".to_owned(),
            ],
            Self::LogCut { path, .. } => {
                let log = word(&Side::Log.beside(path));
                vec![
                    format!(
                        "bring all of {log} from where this copy came, while nothing works on it (is the disk full?)"
                    ),
                    format!(
                        "only where it is whole nowhere: take it away (mv {log} {log}.cut); `refleet adopt --reason TEXT` then puts all that may have been sent in doubt, and sends none of it"
                    ),
                ]
            }
            Self::LogForeign { path } => one(format!(
                "bring the {} that lay beside this very file; keep the other one for its own database",
                word(&Side::Log.beside(path))
            )),
            Self::Owned { files, owner, me } => {
                let files: Vec<String> = files.iter().map(|file| word(file)).collect();
                let give = format!("sudo chown {} {}", login(*me), files.join(" "));
                match owner {
                    0 => one(format!("`sudo` made it; give it back: {give}")),
                    _ => one(format!("work as {}, or take it over: {give}", login(*owner))),
                }
            }
            Self::FolderOwned {
                path,
                folder,
                is_new,
                owner,
                me,
            } => one(match (is_new, folder_of(path)) {
                (false, _) => format!(
                    "work as {}, or take the folder over: sudo chown {} {}",
                    login(*owner),
                    login(*me),
                    word(folder)
                ),
                // It has not been there before, so nothing is forgotten elsewhere.
                (true, own) if own != folder => format!(
                    "have its folder made: sudo install -d -m 700 -o {} {}",
                    login(*me),
                    word(own)
                ),
                (true, _) => "there is no database yet: name a path in a folder of yours".to_owned(),
            }),
            Self::Closed {
                folder,
                is_below_ours: true,
                owner: 0,
                me,
                ..
            } => one(format!(
                "`sudo` made it; give it back: sudo chown -R {} {}",
                login(*me),
                word(folder)
            )),
            Self::Closed { owner, .. } => one(format!("work as {}", login(*owner))),
            Self::NotWritable { file, .. } => one(format!("chmod u+rwX {}", word(file))),
            Self::ReadOnly { .. } => one(
                "status, list, show, report and verify read it there; all else needs a place that can be written".to_owned(),
            ),
            Self::UnreadableLog { path } => one(format!(
                "copy both to a folder that can be written, and read them there: cp {} {} FOLDER",
                word(path),
                word(&Side::Log.beside(path))
            )),
            Self::Shared { path, .. } => one(format!(
                "if nobody else needs that folder: chmod g-ws,o-w {}; otherwise move the database and all that begins with its name to a folder of its own (mkdir -m 700)",
                word(folder_of(path))
            )),
            Self::CannotClose { path, .. } => one(format!(
                "move {} and all that begins with its name to a file system with permissions",
                word(path)
            )),
        }
    }
}

/// What the operator should know about a place that will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Was open to others, and is not any more.
    Closed {
        /// The file.
        path: PathBuf,
        /// Its permission bits before.
        mode: u32,
    },
    /// Is open to others; who only reads changes nothing.
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It lies where nothing stays.
    Volatile {
        /// The database.
        path: PathBuf,
        /// What it lies on.
        file_system: String,
    },
    /// The log is missing; who only reads shows what there is.
    Outdated(Unfit),
}

impl Note {
    /// What to do about it.
    pub fn remedies(&self) -> Vec<String> {
        match self {
            Self::Closed { .. } | Self::OpenToOthers { .. } | Self::Volatile { .. } => Vec::new(),
            Self::Outdated(unfit) => unfit.remedies(),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { path, mode } => write!(
                f,
                "{} was open to others (mode {mode:03o}): it is closed now (mode 600)",
                path.display()
            ),
            Self::OpenToOthers { path, mode } => write!(
                f,
                "{} is open to others (mode {mode:03o}), and it holds passwords: the next run closes it",
                path.display()
            ),
            Self::Volatile { path, file_system } => write!(
                f,
                "{} lies where nothing stays ({file_system}): it goes with the next start of the machine or the container, and with it what was wiped",
                path.display()
            ),
            Self::Outdated(unfit) => unfit.fmt(f),
        }
    }
}

/// The user with this number, for people.
fn user(number: u32) -> String {
    match name_of(number) {
        Some(name) => format!("{name} (uid {number})"),
        None => format!("uid {number}"),
    }
}

/// The user with this number, for a command line.
fn login(number: u32) -> String {
    name_of(number).unwrap_or_else(|| number.to_string())
}

fn name_of(number: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let own = fields.nth(1)?.parse::<u32>().ok()?;
        (own == number && !name.is_empty()).then(|| name.to_owned())
    })
}

fn in_brackets(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(" ({text})")
    }
}

/// Where to begin to look for other names of `path`: its top folder.
fn top_of(path: &Path) -> &Path {
    let folders: Vec<&Path> = path.ancestors().skip(1).collect();
    match folders.as_slice() {
        [.., top, _root] => top,
        _ => folder_of(path),
    }
}
