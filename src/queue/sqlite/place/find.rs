//! From a path to a place that can carry the ledger.

use std::path::{Path, PathBuf};

use super::decide::decide;
use super::facts::Facts;
use super::{Note, Unfit, resolve};
use crate::queue::Open;

/// A path that can carry the ledger.
#[derive(Debug)]
pub(in crate::queue::sqlite) struct Place {
    /// The database's own name: no link, no `..`.
    pub(in crate::queue::sqlite) path: PathBuf,
    /// Files of ours that others can look into, with their mode bits: whoever holds the lock
    /// closes them.
    pub(in crate::queue::sqlite) open_to_others: Vec<(PathBuf, u32)>,
    /// Nothing can be put beside it, and nothing has to be: all of it stands in the main file.
    pub(in crate::queue::sqlite) immutable: bool,
    /// What the operator should know.
    pub(in crate::queue::sqlite) notes: Vec<Note>,
}

/// Looks at `path`, resolved, and decides whether it will do.
pub(in crate::queue::sqlite) fn find(path: &Path, mode: Open) -> Result<Place, Unfit> {
    let path = resolve(path)?;
    decide(&Facts::gather(&path), mode)
}
