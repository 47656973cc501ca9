//! How a run is shown.

use std::path::PathBuf;

use super::mode::{Mode, Verbosity};
use crate::job::Action;

/// Where `--events` goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventsTo {
    /// `-`
    Stdout,
    /// Appended; created for its owner only.
    File(PathBuf),
}

#[derive(Debug, Clone)]
pub struct Options {
    /// What is done to the batch's instances.
    pub action: Action,
    /// What stands before each line, where others write to the same screen.
    pub label: Option<String>,
    /// On stderr.
    pub mode: Mode,
    /// How much of it.
    pub verbosity: Verbosity,
    /// Colours may be used on stderr.
    pub colour: bool,
    /// The stream for scripts.
    pub events: Option<EventsTo>,
    /// `--no-wait`: an accepted job has ended.
    pub no_wait: bool,
    /// How to call refleet on this database: `refleet`, or `refleet --db /srv/fleet.db`.
    pub command: String,
}
