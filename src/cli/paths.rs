//! Which paths of the operator are refused: those that were surely not meant, and files that must
//! not be written over.

use std::path::{Path, PathBuf};

use super::error::CliError;
use crate::queue::{Precious, precious, unexpanded};

/// Refuses a path with `~` or a variable that no shell has expanded: it names no file.
pub fn check_meant(option: &str, path: &Path) -> Result<(), CliError> {
    match unexpanded(path) {
        Some(what) => Err(CliError::NotMeant {
            option: option.to_owned(),
            path: path.to_owned(),
            what: what.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Refuses to write over one of `known`, or over what looks like one.
pub fn refuse_precious(
    option: &'static str,
    path: &Path,
    known: &[(PathBuf, Precious)],
) -> Result<(), CliError> {
    match precious(path, known) {
        Some(what) => Err(CliError::Precious {
            option,
            path: path.to_owned(),
            what,
        }),
        None => Ok(()),
    }
}
