//! A batch and its runs, as the queue tells of them.

use std::path::PathBuf;

use crate::job::{Action, BatchId, Counts, ImageId, JobId, Owner, RunId, ServiceId, SheetRows};

/// A batch, and where it stands.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its number in the database.
    pub id: BatchId,
    /// What is done to its instances.
    pub action: Action,
    /// Digest of the action and the manifest's rows.
    pub identity: [u8; 32],
    /// Whose API it is.
    pub provider: String,
    /// The API's address when it was ordered, normalised: for people.
    pub api_url: String,
    /// Whose instances they are; `None`: nobody has asked yet, or the API does not say.
    pub owner: Option<Owner>,
    /// Digest of the plan that it was ordered by, if it was.
    pub plan: Option<String>,
    /// What became of the manifest's rows when it was ordered.
    pub rows: SheetRows,
    /// How often the same manifest was ordered, counted from 1.
    pub number: u32,
    /// The manifest's name.
    pub manifest: String,
    /// The manifest's absolute path; `-`: standard input.
    pub path: PathBuf,
    /// The name of its sheet, if it is a workbook: two sheets of one file are two manifests.
    pub sheet: Option<String>,
    /// When it was ordered, as Unix time.
    pub created_ms: i64,
    /// When a job of it last moved, as Unix time.
    pub touched_ms: i64,
    /// Jobs per state.
    pub counts: Counts,
}

impl Batch {
    /// A run still has something to do.
    pub fn is_open(&self) -> bool {
        self.counts.open() > 0
    }
}

/// What else there is beside a batch: without options, commands take the newest one, and `run` the only open
/// one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beside {
    /// Another one was made later.
    pub newer: bool,
    /// Another one is open.
    pub open: bool,
}

/// What has gone wrong with a batch, and nobody has dealt with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Harm {
    /// Failed jobs: not those that the operator has resolved, nor those that the list lacks, nor those
    /// on whose instance something else stands than the order expects.
    pub failed: u64,
    /// Jobs that failed because something else stands on their instance than the order expects.
    pub mismatched: u64,
    /// Jobs in doubt, held or not.
    pub in_doubt: Vec<JobId>,
}

/// The job of a batch that has been in its state for longest.
#[derive(Debug, Clone)]
pub struct Oldest {
    /// The instance.
    pub service: ServiceId,
    /// Since when it may have been touched, as Unix time.
    pub since_ms: i64,
    /// The owner's name for the instance.
    pub name: Option<String>,
}

/// What a run is, for the records.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What it works on.
    pub batch: BatchId,
    /// When it began, as Unix time.
    pub started_ms: i64,
    /// Its options, as JSON without secrets.
    pub options: serde_json::Value,
}

/// One process that worked on a batch.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number in the database.
    pub id: RunId,
    /// When it began, as Unix time.
    pub started_ms: i64,
    /// When it ended, as Unix time; `None`: it works still, or died.
    pub ended_ms: Option<i64>,
    /// How it ended.
    pub exit_code: Option<u8>,
    /// Why it ended before its batch, for people.
    pub halted: Option<String>,
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// The options that it began with, as [`NewRun::options`].
    pub options: serde_json::Value,
}

/// How quickly a run works.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunPace {
    /// Jobs that have ended since the moment that was asked about.
    pub ended: u64,
    /// When the run wrote its first entry, as Unix time, as far as the last entries of the ledger tell.
    pub begun_ms: Option<i64>,
    /// What is in flight: which image it gets, and when it was submitted, as Unix time.
    pub in_flight: Vec<(Option<ImageId>, i64)>,
    /// When it began its last jobs, as Unix time, the first of them first.
    pub started_ms: Vec<i64>,
}
