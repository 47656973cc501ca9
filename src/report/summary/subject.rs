//! What is known of a batch before its rows are read.

use serde::Serialize;

use crate::job::{Action, BatchId, Owner, ServiceId, SheetRows};
use crate::time::Stamp;

/// The order that a report is about.
#[derive(Debug, Clone, Serialize)]
pub struct Subject {
    pub batch: BatchId,
    /// How often the same manifest was ordered, counted from 1.
    pub order: u32,
    pub action: Action,
    /// The manifest's name.
    pub manifest: String,
    pub api_url: String,
    /// Nothing real was touched.
    pub simulated: bool,
    /// Digest of the plan that it was ordered by, if it was.
    pub plan: Option<String>,
    pub created_at: Stamp,
    /// What became of the manifest's rows when it was ordered.
    pub rows: SheetRows,
    pub last_run: Option<LastRun>,
    /// Whose instances they are; the head of the report names them.
    #[serde(skip)]
    pub account: Option<Owner>,
    /// The database, for people.
    #[serde(skip)]
    pub database: String,
    /// When the report is made, as Unix time.
    #[serde(skip)]
    pub made_ms: i64,
    #[serde(skip)]
    pub commands: Commands,
}

/// The run that worked on it last.
#[derive(Debug, Clone, Serialize)]
pub struct LastRun {
    pub started_at: Stamp,
    /// `None`: it works still, or died.
    pub ended_at: Option<Stamp>,
    pub exit_code: Option<u8>,
    /// Why, in words.
    #[serde(rename = "reason")]
    pub why: Option<String>,
}

/// How refleet is called on this batch.
#[derive(Debug, Clone, Default)]
pub struct Commands {
    /// The program, with the options that lead to its database and API.
    pub program: String,
    /// Names the batch, behind a blank, where it is not the one that commands speak of anyway.
    pub of_batch: String,
    /// The whole command that goes on with it.
    pub resume: String,
    /// What is to be done about what has not ended.
    pub next: Next,
}

/// The next command for a batch that has not ended, which is not `run` while something holds it back.
#[derive(Debug, Clone, Default)]
pub struct Next {
    pub command: String,
    /// What it does, behind it.
    pub what: String,
    /// As long as nobody has spoken, no run goes on.
    pub needs_a_word: bool,
}

impl Commands {
    /// The command with these words, for this batch.
    pub fn with(&self, words: &str) -> String {
        format!("{} {words}{}", self.program, self.of_batch)
    }

    /// Tells an instance's whole history.
    pub fn show(&self, service: ServiceId) -> String {
        format!("{} show {service}", self.program)
    }

    /// The operator's word on an instance.
    pub fn resolve(&self, service: ServiceId, verdict: &str) -> String {
        self.with(&format!("resolve {service} --as {verdict} --reason TEXT"))
    }
}
