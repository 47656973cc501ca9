//! A path as people write it, and its folder.

use std::ffi::OsStr;
use std::path::Path;

/// The name of `path` as one word of a shell's command line.
pub(super) fn word(path: &Path) -> String {
    crate::text::shell_path(path)
}

/// The folder that `path` lies in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent.as_os_str() != OsStr::new("") => parent,
        _ => Path::new("."),
    }
}
