//! How a run has ended, as its summary tells.

use std::path::PathBuf;
use std::time::Duration;

use crate::exit::Exit;
use crate::job::{Action, BatchId, Cause, Counts, HookCounts, Owner, ServiceId};

/// The instance that took longest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slowest {
    pub service: ServiceId,
    /// The owner's name for it.
    pub name: Option<String>,
    pub took: Duration,
}

#[derive(Debug, Clone)]
pub struct Ended {
    /// How the process ends.
    pub exit: Exit,
    /// What it worked on.
    pub batch: BatchId,
    /// What is done to its instances.
    pub action: Action,
    /// Where the batch stands now.
    pub counts: Counts,
    /// Of the failed ones: those that were or may have been touched; `None` where nobody counted.
    pub failed_touched: Option<u64>,
    /// Of the done ones: those that a human should look at.
    pub flagged: u64,
    /// How its hooks stand.
    pub hooks: HookCounts,
    /// Hooks that go on, and are not among those.
    pub hooks_going_on: u64,
    /// Jobs that ended in this run ([`Handle::completed`](super::display::Handle::completed)).
    pub completed: u64,
    /// Of those, the one that took longest.
    pub slowest: Option<Slowest>,
    /// Why jobs of the batch failed, what most failed for first.
    pub causes: Vec<Cause>,
    /// What this run took.
    pub elapsed: Duration,
    /// Why it ended before the batch did.
    pub halted: Option<String>,
    /// What to do about that, line by line.
    pub hint: Vec<String>,
    /// Completions were not waited for.
    pub no_wait: bool,
    /// Nothing real was touched.
    pub simulated: bool,
    /// Whose instances they are, where anybody knows.
    pub account: Option<Owner>,
    /// The database.
    pub database: PathBuf,
    /// How to call refleet on this database: `refleet`, or `refleet --db /srv/fleet.db`.
    pub command: String,
    /// What follows it to go on with this batch: `run`, or `run fleet.csv --simulate`.
    /// `None`: the database is gone, and no command goes on with it.
    pub resume: Option<String>,
    /// The file that the batch was ordered from, as a word of a command; `None`: standard input.
    pub manifest: Option<String>,
    /// No later batch is what commands speak of unless they are told.
    pub is_newest: bool,
}

impl Ended {
    /// So many of its hooks go on, and none of them is one that waits, or was cut off.
    pub fn hooks_go_on(&mut self, going_on: u64) {
        self.hooks_going_on = going_on;
        if going_on > 0 {
            (self.hooks.pending, self.hooks.started) = (0, 0);
        }
    }
}
