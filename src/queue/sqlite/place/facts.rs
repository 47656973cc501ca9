//! What the system says of a path: the thin part that asks. Nothing is judged here.

use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat, statfs};

use super::Side;
use super::bytes::{beginning, number};
use super::mark::{LOG_FRAMES_AT, LogMark, USER_VERSION_AT};
use super::names::folder_of;
use super::wal::Log;
use crate::queue::sqlite::settings::APPLICATION_ID;

/// All that is asked of a path.
#[derive(Debug, Clone)]
pub(in crate::queue::sqlite) struct Facts {
    /// The database's own name.
    pub(super) path: PathBuf,
    /// Who we are.
    pub(super) user: u32,
    /// The main file; `None`: there is none.
    pub(super) main: Option<FileFacts>,
    /// What its first bytes say.
    pub(super) head: Head,
    /// The side files that exist.
    pub(super) sides: Vec<(Side, FileFacts)>,
    /// The log.
    pub(super) log: Log,
    /// The rollback journal, where there is one, leads back to an empty database: somebody is making
    /// the database this moment, or died over it.
    pub(super) journal_undoes_all: bool,
    /// Of these files, those that are mounted by themselves.
    pub(super) mounted: Vec<PathBuf>,
    /// The folder, or as much of the way to it as exists.
    pub(super) folder: Folder,
    /// What the folder lies on.
    pub(super) file_system: FileSystem,
}

/// One file, links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFacts {
    pub(super) kind: Kind,
    /// Its names.
    pub(super) links: u64,
    /// Its owner's number.
    pub(super) owner: u32,
    /// Its permission bits.
    pub(super) mode: u32,
    pub(super) bytes: u64,
    /// We may read it.
    pub(super) is_readable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// The first bytes of the main file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// It is a database of refleet's.
    pub(super) is_ours: bool,
    /// What the main file says of its log.
    pub(super) log_mark: LogMark,
    /// Where the mark awaits the log: so many pages of it were committed, or more.
    pub(super) log_frames: u32,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            is_ours: false,
            log_mark: LogMark::Whole,
            log_frames: 0,
        }
    }
}

/// The folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) owner: u32,
    pub(super) mode: u32,
    pub(super) writable: Writable,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writable {
    Yes,
    /// The file system is mounted read-only.
    ReadOnly,
    /// Not by us.
    Denied,
}

/// What something lies on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FileSystem {
    /// `f_type` of statfs; 0 where it could not be asked.
    pub(super) magic: u64,
    /// As mountinfo calls it (`ext4`, `fuse.sshfs`); empty where it is not known.
    pub(super) name: String,
}

/// SQLite's header and more of the main file.
const HEAD_BYTES: usize = 100;
pub(super) const HEAD_MAGIC: &[u8] = b"SQLite format 3\0";
/// Where `application_id` stands, big-endian.
const APPLICATION_ID_AT: usize = 68;
/// As much of a rollback journal's header as is looked at, and where it says how many pages the
/// database had.
const JOURNAL_HEADER_BYTES: usize = 28;
const JOURNAL_PAGES_AT: usize = 16;

impl Facts {
    /// Asks the system about the resolved `path`.
    pub(in crate::queue::sqlite) fn gather(path: &Path) -> Self {
        let mounts = mounts();
        let sides = Side::ALL.into_iter().filter_map(|side| {
            let facts = look(&side.beside(path))?;
            Some((side, facts))
        });
        let sides: Vec<_> = sides.collect();
        let files =
            std::iter::once(path.to_owned()).chain(sides.iter().map(|(side, _)| side.beside(path)));
        let mounted = files
            .filter(|file| mounts.iter().any(|mount| mount.point == *file))
            .collect();
        let folder = folder(path);
        let main = look(path);
        let is_file = main.as_ref().is_some_and(|main| main.kind == Kind::File);
        let (head, log) = head_and_log(path, is_file);
        Self {
            user: rustix::process::geteuid().as_raw(),
            head,
            main,
            log,
            journal_undoes_all: undoes_all(&Side::Journal.beside(path)),
            sides,
            mounted,
            file_system: file_system(&folder.path, &mounts),
            folder,
            path: path.to_owned(),
        }
    }
}

fn look(path: &Path) -> Option<FileFacts> {
    let metadata = path.symlink_metadata().ok()?;
    let kind = metadata.file_type();
    Some(FileFacts {
        kind: match () {
            () if kind.is_file() => Kind::File,
            () if kind.is_dir() => Kind::Folder,
            () if kind.is_symlink() => Kind::Link,
            () => Kind::Other,
        },
        links: metadata.nlink(),
        owner: metadata.uid(),
        mode: metadata.permissions().mode() & 0o7777,
        bytes: metadata.len(),
        is_readable: is_readable(path),
    })
}

/// How often somebody else may carry the log over, and somebody mark the main file anew, while both
/// are looked at.
const LOOKS_MAX: u32 = 100;

/// What the main file and its log say in the same moment: a log is emptied while others look, and
/// it is missing only where the main file says before and after the look that it has to be there.
fn head_and_log(path: &Path, is_file: bool) -> (Head, Log) {
    let look = || if is_file { head(path) } else { Head::default() };
    let log_path = Side::Log.beside(path);
    let mut before = look();
    for _ in 0..LOOKS_MAX {
        let log = Log::read(&log_path, before.log_frames);
        let after = look();
        // A run commits more and more, and all that was there before still is.
        if before.log_mark == after.log_mark && before.is_ours == after.is_ours {
            return (before, log);
        }
        before = after;
    }
    let log = Log::read(&log_path, before.log_frames);
    (before, log)
}

/// This has to happen before SQLite opens the file, because to close any descriptor of a file gives up
/// all the locks that a process holds on it.
fn head(path: &Path) -> Head {
    let Some((bytes, filled)) = beginning::<HEAD_BYTES>(path) else {
        return Head::default();
    };
    let log_mark = LogMark::of(number(&bytes, USER_VERSION_AT.into()));
    Head {
        is_ours: filled == HEAD_BYTES
            && bytes.starts_with(HEAD_MAGIC)
            && number(&bytes, APPLICATION_ID_AT) == APPLICATION_ID,
        log_mark,
        log_frames: match log_mark {
            LogMark::Awaited(_) => number(&bytes, LOG_FRAMES_AT.into()),
            LogMark::Whole => 0,
        },
    }
}

/// The rollback journal at `path` says that the database had no pages before, or does not say yet
/// how many it had: then nothing of it has been written.
fn undoes_all(path: &Path) -> bool {
    let Some((bytes, filled)) = beginning::<JOURNAL_HEADER_BYTES>(path) else {
        return true;
    };
    filled < JOURNAL_HEADER_BYTES || number(&bytes, JOURNAL_PAGES_AT) == 0
}

/// We may read the file at `path`, if it is there.
fn is_readable(path: &Path) -> bool {
    let may = accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS);
    may != Err(rustix::io::Errno::ACCESS)
}

fn folder(path: &Path) -> Folder {
    let mut folder = folder_of(path);
    let metadata = loop {
        match folder.metadata() {
            Ok(metadata) => break Some(metadata),
            Err(_) => match folder.parent() {
                Some(parent) => folder = parent,
                None => break None,
            },
        }
    };
    let may = accessat(
        CWD,
        folder,
        Access::WRITE_OK | Access::EXEC_OK,
        AtFlags::EACCESS,
    );
    Folder {
        path: folder.to_owned(),
        owner: metadata.as_ref().map_or(0, Metadata::uid),
        mode: metadata.map_or(0, |metadata| metadata.permissions().mode() & 0o7777),
        writable: match may {
            Ok(()) => Writable::Yes,
            Err(rustix::io::Errno::ROFS) => Writable::ReadOnly,
            Err(_) => Writable::Denied,
        },
    }
}

/// What the file at `path` lies on, as mountinfo calls it.
pub(super) fn file_system_of(path: &Path) -> String {
    file_system(path, &mounts()).name
}

fn file_system(folder: &Path, mounts: &[Mount]) -> FileSystem {
    let magic = statfs(folder).map_or(0, |answer| {
        // The field's type differs between architectures; only 32 bits of it are used.
        #[expect(clippy::cast_sign_loss, reason = "a bit pattern")]
        let magic = answer.f_type as u64;
        magic & 0xffff_ffff
    });
    // Of two mounts at one point the later hides the earlier.
    let name = mounts
        .iter()
        .filter(|mount| folder.starts_with(&mount.point))
        .max_by_key(|mount| mount.point.as_os_str().len())
        .map(|mount| mount.kind.clone());
    FileSystem {
        magic,
        name: name.unwrap_or_default(),
    }
}

/// One line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    point: PathBuf,
    kind: String,
}

/// What is mounted where; nothing where the system does not say.
fn mounts() -> Vec<Mount> {
    let mut bytes = Vec::new();
    let read = File::open("/proc/self/mountinfo").and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_or_else(|_| Vec::new(), |_| parse_mounts(&bytes))
}

/// `36 35 98:0 /root /mount/point rw,noatime shared:1 - ext4 /dev/sda1 rw`: the point is the fifth
/// word, the kind follows the dash. (See `proc_pid_mountinfo(5)`.)
fn parse_mounts(bytes: &[u8]) -> Vec<Mount> {
    let line = |line: &[u8]| {
        let mut words = line.split(|byte| *byte == b' ');
        let point = unescape(words.nth(4)?);
        let kind = words.skip_while(|word| *word != b"-").nth(1)?;
        Some(Mount {
            point: PathBuf::from(std::ffi::OsString::from_vec(point)),
            kind: String::from_utf8_lossy(kind).into_owned(),
        })
    };
    bytes
        .split(|byte| *byte == b'\n')
        .filter_map(line)
        .collect()
}

/// Spaces, tabs, line ends and backslashes stand there as three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, behind)) = rest.split_first() {
        let digits = behind.get(..3).filter(|_| *first == b'\\');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(code) = code {
            out.push(code);
            rest = &behind[3..];
        } else {
            out.push(*first);
            rest = behind;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::super::wal::{MAGIC, SALT_AT};
    use super::*;

    #[test]
    fn mounts_are_read_as_the_kernel_writes_them() {
        let lines = b"22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
            31 22 0:27 / /dev/shm rw,nosuid - tmpfs tmpfs rw\n\
            99 22 259:2 /srv/a /srv/my\\040fleet\\134.db rw master:1 propagate_from:2 - fuse.sshfs a@b:/ rw\n\
            \n\
            broken\n";
        let mounts = parse_mounts(lines);
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[2].point, Path::new("/srv/my fleet\\.db"));
        assert_eq!(mounts[2].kind, "fuse.sshfs");
        let on = |path: &str| file_system(Path::new(path), &mounts).name;
        assert_eq!(on("/home"), "ext4");
        assert_eq!(on("/dev/shm/x"), "tmpfs");
    }

    // Field case B2.
    // A command that ends beside a run empties the log while the next one looks.
    #[test]
    fn a_log_that_is_emptied_during_the_look_is_not_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let mut bytes = vec![0; HEAD_BYTES];
        bytes[..HEAD_MAGIC.len()].copy_from_slice(HEAD_MAGIC);
        std::fs::write(&path, &bytes).unwrap();
        let main = File::options().write(true).open(&path).unwrap();
        let log_path = Side::Log.beside(&path);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for salt in (1_u32..).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    let mut bytes = vec![0; 600];
                    bytes[..4].copy_from_slice(&MAGIC.to_be_bytes());
                    bytes[SALT_AT..SALT_AT + 4].copy_from_slice(&salt.to_be_bytes());
                    std::fs::write(&log_path, &bytes).unwrap();
                    LogMark::awaited(salt).write(&main).unwrap();
                    LogMark::Whole.write(&main).unwrap();
                    std::fs::write(&log_path, "").unwrap();
                }
            });
            let looks = (0..20_000).map(|_| head_and_log(&path, true));
            let torn = looks
                .filter(|(head, _)| head.log_mark != LogMark::Whole)
                .find(|(head, log)| log.salt.map(LogMark::awaited) != Some(head.log_mark));
            is_over.store(true, Ordering::Relaxed);
            assert_eq!(torn, None);
        });
    }
}
