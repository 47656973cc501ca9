//! From a path to a place that can carry the ledger.

use std::path::Path;

use super::decide::{Place, decide};
use super::facts::Facts;
use super::{Unfit, resolve};
use crate::queue::sqlite::settings::Open;

/// Looks at `path`, resolved, and decides whether it will do.
pub(in crate::queue::sqlite) fn find(path: &Path, mode: Open) -> Result<Place, Unfit> {
    let path = resolve(path)?;
    decide(&Facts::gather(&path), mode)
}
