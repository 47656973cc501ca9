//! How far this host has seen a ledger, on its own disk.
//!
//! The file has room for two marks. Each new one is written over the one that says less, with its
//! checksum, and synced: where the machine dies in the middle, the other one is still whole. A mark that
//! says less than the host has seen is weaker evidence, and never wrong.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::queue::LedgerMark;

/// Each of the two lies in a sector of its own.
const ROOM: usize = 512;
/// Where they lie.
const PLACES: [u64; 2] = [0, 512];

/// A ledger that was not used for so long is forgotten: it is more likely gone than put back.
const AGE_MAX: Duration = Duration::from_hours(24 * 400);

/// Of more ledgers only the latest are kept.
const FILES_MAX: usize = 100;

/// The file with the mark of one ledger.
#[derive(Debug, Clone)]
pub(super) struct MarkFile {
    path: PathBuf,
}

impl MarkFile {
    /// That of `ledger` in `folder`. Neither needs to be there.
    pub(super) fn new(folder: &Path, ledger: Uuid) -> Self {
        Self {
            path: folder.join(format!("{ledger}.mark")),
        }
    }

    /// The mark; `None`: this host has seen nothing of the ledger.
    pub(super) fn read(&self) -> io::Result<Option<LedgerMark>> {
        match File::open(&self.path) {
            Ok(file) => Ok(marks(&file)?.into_iter().flatten().reduce(further)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `mark` is on the disk when it returns, or another process's that says more.
    pub(super) fn keep(&self, mark: LedgerMark) -> io::Result<()> {
        let file = self.open()?;
        // Several processes of this host may work with the same ledger.
        file.lock()?;
        let [first, second] = marks(&file)?;
        let known = first.into_iter().chain(second).reduce(further);
        if known.is_some_and(|known| !mark.is_beyond(&known)) {
            return Ok(());
        }
        let says_less = match (first, second) {
            (None, _) => 0,
            (Some(_), None) => 1,
            (Some(first), Some(second)) => usize::from(first.is_beyond(&second)),
        };
        file.write_all_at(text(mark).as_bytes(), PLACES[says_less])?;
        file.sync_data()
    }

    fn open(&self) -> io::Result<File> {
        let open = || OpenOptions::new().read(true).write(true).open(&self.path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.create(),
            opened => opened,
        }
    }

    fn create(&self) -> io::Result<File> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        forget(folder);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.path)?;
        file.set_len(PLACES[1] + PLACES[1])?;
        file.sync_all()?;
        File::open(folder)?.sync_all()?;
        Ok(file)
    }
}

fn further(one: LedgerMark, other: LedgerMark) -> LedgerMark {
    if other.is_beyond(&one) { other } else { one }
}

/// Removes what is old, and the oldest of too many. What can't be removed does no harm.
fn forget(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let marks = entries.filter(|entry| entry.path().extension().is_some_and(|end| end == "mark"));
    let mut marks: Vec<(SystemTime, PathBuf)> = marks
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    marks.sort_by(|one, other| other.cmp(one));
    let is_old = |written: SystemTime| written.elapsed().is_ok_and(|age| age > AGE_MAX);
    for (nth, (written, path)) in marks.iter().enumerate() {
        // There has to be room for the new one.
        if nth + 1 >= FILES_MAX || is_old(*written) {
            let _ = fs::remove_file(path);
        }
    }
}

/// The two of a file, each where it is whole.
fn marks(file: &File) -> io::Result<[Option<LedgerMark>; 2]> {
    let mut both = [None; 2];
    for (mark, at) in both.iter_mut().zip(PLACES) {
        let mut read = [0; ROOM];
        let mut length = 0;
        // The file may be shorter, where its making was cut off.
        while length < read.len() {
            match file.read_at(&mut read[length..], at + length as u64)? {
                0 => break,
                more => length += more,
            }
        }
        *mark = str::from_utf8(&read[..length]).ok().and_then(mark_of);
    }
    Ok(both)
}

/// A line that says `mark`, as long as its room.
fn text(mark: LedgerMark) -> String {
    let LedgerMark {
        adoptions,
        line,
        digest,
    } = mark;
    let says = format!("{adoptions} {line} {}", hex(&digest));
    let whole = format!("{says} {}", hex(&Sha256::digest(&says)));
    format!("{whole:<width$}\n", width = ROOM - 1)
}

fn mark_of(text: &str) -> Option<LedgerMark> {
    let (says, checksum) = text.trim_end().rsplit_once(' ')?;
    if checksum != hex(&Sha256::digest(says)) {
        return None;
    }
    let mut words = says.split(' ');
    let (adoptions, line, digest) = (words.next()?, words.next()?, words.next()?);
    Some(LedgerMark {
        adoptions: adoptions.parse().ok()?,
        line: line.parse().ok()?,
        digest: bytes_of(digest)?,
    })
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::new();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

fn bytes_of(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    for (nth, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * nth..2 * nth + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mark(adoptions: u32, line: i64) -> LedgerMark {
        LedgerMark {
            adoptions,
            line,
            digest: [u8::try_from(line).unwrap(); 32],
        }
    }

    fn file(folder: &Path) -> MarkFile {
        MarkFile::new(&folder.join("marks"), Uuid::from_u128(7))
    }

    #[test]
    fn the_furthest_mark_is_kept_whoever_writes_later() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        assert_eq!(file.read().unwrap(), None);
        for (kept, then) in [
            (mark(0, 9), mark(0, 9)),
            (mark(0, 4), mark(0, 9)),
            (mark(0, 12), mark(0, 12)),
            (mark(1, 3), mark(1, 3)),
            (mark(0, 99), mark(1, 3)),
            (mark(1, 5), mark(1, 5)),
        ] {
            file.keep(kept).unwrap();
            assert_eq!(file.read().unwrap(), Some(then), "after {kept:?}");
        }
        let mode = fs::metadata(&file.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_write_that_was_cut_off_leaves_the_mark_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(folder.path());
        file.keep(mark(0, 1)).unwrap();
        file.keep(mark(0, 2)).unwrap();
        let open = OpenOptions::new().write(true).open(&file.path).unwrap();
        // The third would have gone over the first.
        open.write_all_at(&text(mark(0, 3)).as_bytes()[..40], 0)
            .unwrap();
        assert_eq!(file.read().unwrap(), Some(mark(0, 2)));
        file.keep(mark(0, 4)).unwrap();
        assert_eq!(file.read().unwrap(), Some(mark(0, 4)));
        open.set_len(3).unwrap();
        assert_eq!(file.read().unwrap(), None);
        file.keep(mark(0, 5)).unwrap();
        assert_eq!(file.read().unwrap(), Some(mark(0, 5)));
    }

    #[test]
    fn what_was_not_used_for_long_is_forgotten_and_so_are_the_oldest_of_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let kept = |number: u64| MarkFile::new(folder.path(), Uuid::from_u128(number.into()));
        let now = SystemTime::now();
        for number in 0..120 {
            kept(number).keep(mark(0, 1)).unwrap();
            let open = File::options().write(true).open(kept(number).path).unwrap();
            open.set_modified(now - Duration::from_mins(number))
                .unwrap();
        }
        let open = File::options().write(true).open(kept(3).path).unwrap();
        open.set_modified(now - AGE_MAX - Duration::from_mins(1))
            .unwrap();
        kept(500).keep(mark(0, 1)).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert!(left <= FILES_MAX, "{left}");
        assert_eq!(kept(3).read().unwrap(), None);
        assert_eq!(kept(2).read().unwrap(), Some(mark(0, 1)));
        assert_eq!(kept(500).read().unwrap(), Some(mark(0, 1)));
    }
}
