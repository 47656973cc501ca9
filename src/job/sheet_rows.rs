//! What became of the rows of a sheet.

use serde::{Deserialize, Serialize};

/// How many rows a sheet had when it was ordered, and how many of them did not become jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SheetRows {
    /// All of them.
    pub all: u64,
    /// Left out: service and image were done already.
    pub already_done: u64,
    /// Left out: another batch held them in doubt.
    pub held_elsewhere: u64,
    /// Left out: their last submission was too recent.
    pub not_due: u64,
}

impl SheetRows {
    /// Rows that did not become jobs, for a reason that is known.
    pub fn left_out(&self) -> u64 {
        self.already_done + self.held_elsewhere + self.not_due
    }
}
