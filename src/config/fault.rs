//! What is wrong with a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::account::place;
use crate::text;

/// A fault with a command in it, and a long path in that.
const FAULT_CHARS_MAX: usize = 1000;

/// Faults that are named before the rest is only counted.
const NAMED_MAX: usize = 50;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A folder, a device, something huge.
    #[error("{} is {what}, and no configuration", path.display())]
    NoFile { path: PathBuf, what: &'static str },
    #[error("{0}")]
    Invalid(Faults),
}

/// All that is wrong in one file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Faults {
    path: PathBuf,
    /// Lines, and what is wrong there and what to do about it.
    list: Vec<(usize, String)>,
}

impl Faults {
    pub(super) fn add(&mut self, line: usize, what: impl Into<String>) {
        self.list.push((line, what.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Of the file at `path`, in the order of its lines.
    pub(super) fn of(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.path);
        self.list.sort_by_key(|(line, _)| *line);
        self
    }
}

/// One line for each, which begins with its place.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (line, what)) in self.list.iter().take(NAMED_MAX).enumerate() {
            let break_before = if nth == 0 { "" } else { "\n" };
            let what = text::brief(what, FAULT_CHARS_MAX);
            write!(f, "{break_before}{}: {what}", place(&self.path, *line))?;
        }
        match self.list.len().saturating_sub(NAMED_MAX) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more faults in this file"),
        }
    }
}
