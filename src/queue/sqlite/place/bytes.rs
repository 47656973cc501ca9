//! The first bytes of a file, and numbers in them.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// The beginning of the file at `path`, as much of it as there is.
pub(super) fn beginning<const N: usize>(path: &Path) -> Option<([u8; N], usize)> {
    let file = File::open(path).ok()?;
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) | Err(_) => break,
            Ok(count) => filled += count,
        }
    }
    Some((bytes, filled))
}

pub(super) fn number(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4).and_then(|word| word.try_into().ok());
    u32::from_be_bytes(word.unwrap_or_default())
}
