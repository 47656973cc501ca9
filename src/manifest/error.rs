//! Why a manifest cannot be taken.

use std::io;

use super::diagnostics::Diagnostics;
use super::limits::HELD_BYTES_MAX;

/// Why a manifest cannot be taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be opened or read.
    #[error("cannot read the manifest {name}")]
    Unreadable {
        /// The manifest.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It is a directory.
    #[error("the manifest {name} is a directory")]
    Directory {
        /// The manifest.
        name: String,
    },
    /// It came through a pipe and is larger than `HELD_BYTES_MAX`.
    #[error("the manifest {name} is larger than {} MiB", HELD_BYTES_MAX / (1024 * 1024))]
    TooLarge {
        /// The manifest.
        name: String,
    },
    /// It was read, and it is wrong: one or more lines of text.
    #[error("{0}")]
    Invalid(Diagnostics),
    /// It was valid a moment ago, and is not any more.
    #[error("the manifest {name} changed while it was read{}", on_line(*.line))]
    Changed {
        /// The manifest.
        name: String,
        /// A line that is wrong now; `None`: the file as a whole.
        line: Option<u64>,
    },
}

impl ManifestError {
    /// What a person does about it, where the message does not say it already.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Some("is the path right? `-` reads standard input"),
                io::ErrorKind::PermissionDenied => Some("is the file yours to read?"),
                _ => None,
            },
            Self::Directory { .. } => Some("name the CSV file in it"),
            Self::TooLarge { .. } => Some("save it as a file, and name that: a file has no limit"),
            Self::Invalid(_) => None,
            Self::Changed { .. } => Some("wait until it is saved, and try again"),
        }
    }
}

fn on_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" (see line {line})"))
}
