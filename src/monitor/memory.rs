//! What a webhook was told last, for `--notify-when change`.
//!
//! The ledger would not do: it knows nothing of a process that ended before its run began, such as one whose
//! configuration is broken, and that would be told every night anew.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// The exit code that was told last; `None`: none, or nobody knows, and then it is told.
pub(super) fn recall(path: &Path) -> Option<u8> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Keeps what was told, whole or not at all.
pub(super) fn keep(path: &Path, code: u8) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut file = NamedTempFile::new_in(folder)?;
    writeln!(file, "{code}")?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_recalled_and_what_cannot_be_read_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("monitor/one");
        assert_eq!(recall(&path), None);
        keep(&path, 75).unwrap();
        assert_eq!(recall(&path), Some(75));
        fs::write(&path, "x").unwrap();
        assert_eq!(recall(&path), None);
    }
}
