//! The write-ahead log as a file: whose it is, and how many of its pages are whole.
//!
//! SQLite ends its reading of a log at the first page whose sum is wrong, and says nothing: it
//! cannot tell the torn end of a killed process from a log that was cut short on its way. The run
//! can: it keeps in the main file how many pages were committed (see [`super::mark`]), and those
//! have to be there, sum by sum. The format is that of
//! [sqlite.org](https://www.sqlite.org/fileformat2.html#walformat).

use std::fs::File;
use std::io::{BufReader, Read as _};
use std::path::Path;

use super::bytes::{beginning, number};

/// The log's own header; a frame follows for each page.
const HEADER_BYTES: usize = 32;
/// A frame's own header; the page follows.
const FRAME_HEADER_BYTES: usize = 24;
const PAGE_BYTES_MIN: usize = 512;
const PAGE_BYTES_MAX: usize = 65_536;
/// Its last bit says in which byte order sums are made.
pub(super) const MAGIC: u32 = 0x377f_0682;
const PAGE_BYTES_AT: usize = 8;
pub(super) const SALT_AT: usize = 16;
/// Where a frame's header says to which log it belongs: both halves of the salt.
const FRAME_SALT_AT: usize = 8;
/// Where sums stand, in the log's header and in a frame's.
const HEADER_SUM_AT: usize = 24;
const FRAME_SUM_AT: usize = 16;

/// Where the log's index says how many pages are committed, in the byte order of the machine.
pub(in crate::queue::sqlite) const INDEX_FRAMES_AT: u16 = 16;

/// What a log says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// The first half of its salt, where it holds at least one page; `None`: it says nothing.
    pub(super) salt: Option<u32>,
    /// Its whole pages, as many as were asked for or fewer.
    pub(super) frames: u32,
}

impl Log {
    /// Looks at the log at `path`, for `frames` pages at most.
    pub(super) fn read(path: &Path, frames: u32) -> Self {
        let bytes = path.symlink_metadata().map_or(0, |metadata| metadata.len());
        let least = HEADER_BYTES + FRAME_HEADER_BYTES + PAGE_BYTES_MIN;
        let salt = salt(path).filter(|_| bytes >= least as u64);
        let frames = salt.and_then(|_| whole_frames(path, frames)).unwrap_or(0);
        Self { salt, frames }
    }
}

/// The first half of the salt of the log at `path`: another one each time SQLite begins it anew.
pub(in crate::queue::sqlite) fn salt(path: &Path) -> Option<u32> {
    let (bytes, filled) = beginning::<HEADER_BYTES>(path)?;
    let is_log = filled == HEADER_BYTES && number(&bytes, 0) & !1 == MAGIC;
    is_log.then(|| number(&bytes, SALT_AT))
}

/// How many pages from the first on are whole, `most` of them at most; `None`: it cannot be read.
fn whole_frames(path: &Path, most: u32) -> Option<u32> {
    if most == 0 {
        return Some(0);
    }
    let mut log = BufReader::with_capacity(PAGE_BYTES_MAX, File::open(path).ok()?);
    let mut header = [0; HEADER_BYTES];
    log.read_exact(&mut header).ok()?;
    let page_bytes = match number(&header, PAGE_BYTES_AT) {
        1 => PAGE_BYTES_MAX,
        bytes => usize::try_from(bytes).ok()?,
    };
    if !(PAGE_BYTES_MIN..=PAGE_BYTES_MAX).contains(&page_bytes) || !page_bytes.is_power_of_two() {
        return None;
    }
    let mut sum = Sum::new(number(&header, 0) & 1 != 0);
    sum.add(&header[..HEADER_SUM_AT]);
    if !sum.stands_in(&header, HEADER_SUM_AT) {
        return Some(0);
    }
    let mut frame = vec![0; FRAME_HEADER_BYTES + page_bytes];
    let mut count = 0;
    while count < most {
        if log.read_exact(&mut frame).is_err() {
            break;
        }
        sum.add(&frame[..FRAME_SALT_AT]);
        sum.add(&frame[FRAME_HEADER_BYTES..]);
        let is_of_this_log = frame[FRAME_SALT_AT..FRAME_SUM_AT] == header[SALT_AT..HEADER_SUM_AT];
        if !is_of_this_log || !sum.stands_in(&frame, FRAME_SUM_AT) {
            break;
        }
        count += 1;
    }
    Some(count)
}

/// The sum over all that stands before.
struct Sum {
    is_big_endian: bool,
    first: u32,
    second: u32,
}

impl Sum {
    fn new(is_big_endian: bool) -> Self {
        Self {
            is_big_endian,
            first: 0,
            second: 0,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        let (pairs, _) = bytes.as_chunks::<8>();
        for [a, b, c, d, e, f, g, h] in pairs {
            let (one, other) = ([*a, *b, *c, *d], [*e, *f, *g, *h]);
            let word = |bytes| {
                if self.is_big_endian {
                    u32::from_be_bytes(bytes)
                } else {
                    u32::from_le_bytes(bytes)
                }
            };
            let (one, other) = (word(one), word(other));
            self.first = self.first.wrapping_add(one).wrapping_add(self.second);
            self.second = self.second.wrapping_add(other).wrapping_add(self.first);
        }
    }

    fn stands_in(&self, bytes: &[u8], at: usize) -> bool {
        number(bytes, at) == self.first && number(bytes, at + 4) == self.second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_says_something_only_with_a_page_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x-wal");
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[..4].copy_from_slice(&(MAGIC | 1).to_be_bytes());
        bytes[SALT_AT..SALT_AT + 4].copy_from_slice(&7_u32.to_be_bytes());
        assert_eq!(Log::read(&path, 9), Log::default(), "missing");
        for (length, salt) in [(0, None), (32, None), (600, Some(7)), (20, None)] {
            let mut bytes = bytes.clone();
            bytes.resize(length, 0);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(Log::read(&path, 9).salt, salt, "{length}");
        }
        std::fs::write(&path, vec![b'x'; 4096]).unwrap();
        assert_eq!(Log::read(&path, 9).salt, None, "something else");
    }
}
