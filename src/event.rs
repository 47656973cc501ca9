//! What a run tells the outside: the vocabulary between runner and screen.
//!
//! The runner sends, `progress` shows; neither knows the other. An event carries facts, no layout.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::exit::Exit;
use crate::job::{
    Action, BatchId, ControlEntry, Counts, Evidence, Executed, FailureKind, ImageId, JobId, Owner,
    RunId, ServiceId, State,
};

/// Something that a person or a script may want to know while a run works.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The run holds the queue and begins.
    RunStarted {
        /// This process.
        run: RunId,
        /// What it works on.
        batch: BatchId,
        /// What is done to its instances.
        action: Action,
        /// Where the batch stands now.
        counts: Counts,
        /// The batch had been begun before.
        resumed: bool,
        /// The API.
        api_url: String,
        /// Whose instances they are, where that is known already.
        account: Option<Owner>,
        /// The database.
        #[serde(serialize_with = "as_text")]
        database: PathBuf,
        /// Instances worked on at once, at most.
        workers: usize,
        /// API calls per second, at most; 0: no limit.
        rate: f64,
        /// What its queued jobs get, and how long that takes.
        images: Vec<OfImage>,
        /// Nothing real is touched.
        simulated: bool,
    },
    /// What the run is doing when no job moves.
    Activity(Activity),
    /// A job took a step. `from == to` for steps that only add knowledge (`held`, `sighted`).
    Job(JobEvent),
    /// Another command (`cancel`, `resolve`, `retry`) has moved jobs of the batch.
    Recounted {
        /// Where the batch stands now.
        counts: Counts,
    },
    /// An operator has said something from another terminal, and the run has heard it.
    Control(ControlEntry),
    /// Something that needs no action yet.
    Warning {
        /// One line.
        message: String,
    },
    /// Starts are suspended.
    Paused {
        /// One line.
        reason: String,
    },
    /// Starts go on.
    Resumed,
    /// Jobs do not start in the manifest's order.
    StartOrder(Taken),
    /// Fewer jobs may be in flight than `--workers` allows, because of the failure budget.
    BudgetLimits {
        /// Jobs that may be in flight at once.
        in_flight_max: usize,
    },
    /// The run ends before the batch has ended.
    Halting {
        /// One line.
        reason: String,
    },
    /// A first signal came: nothing new starts.
    Stopping {
        /// Calls whose answers are waited for.
        calls: usize,
    },
    /// The run is over.
    RunEnded {
        /// Where the batch stands now.
        counts: Counts,
        /// What this process took.
        elapsed_ms: u64,
        /// The process's exit code.
        exit_code: Exit,
    },
}

/// Which order is taken, and what that saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// The list's, after so many jobs in the manifest's; `None`: the manifest's.
    pub list_after: Option<usize>,
    /// So much shorter is the night for it, about.
    #[serde(rename = "saves_ms", serialize_with = "as_ms")]
    pub saves: Duration,
}

/// The queued jobs of a batch that get the same image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct OfImage {
    /// The image; `None`: their action gives none.
    pub image: Option<ImageId>,
    /// So many.
    pub queued: u64,
    /// What half of those that were seen before did not exceed; `None`: none was.
    #[serde(rename = "usual_ms", serialize_with = "as_optional_ms")]
    pub usual: Option<Duration>,
}

/// What a run is doing when no job moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "activity", rename_all = "snake_case")]
pub enum Activity {
    /// Logging in, or renewing the session.
    LoggingIn,
    /// Reading the account's list.
    ReadingList {
        /// Instances read so far.
        read: u64,
        /// Instances in the list, where known.
        total: Option<u64>,
    },
    /// Submitting and polling as usual.
    Working,
    /// Jobs are ready to start, and something keeps them from it.
    HeldBack {
        /// What.
        by: Limit,
    },
    /// Everything that may run is running.
    WaitingForCompletion,
    /// Nothing may start before a delay is over.
    WaitingToRetry {
        /// The remaining delay.
        #[serde(rename = "ms", serialize_with = "as_ms")]
        remaining: Duration,
    },
    /// All is done, and the latest instances are asked for their new host keys.
    ReadingHostKeys,
    /// Only doubts are left, and they are being watched.
    WatchingDoubts {
        /// When the last of them is settled or held, at the latest, as Unix time.
        until_ms: i64,
    },
}

/// What keeps jobs from starting that are ready to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// `--rate`
    Rate,
    /// `--workers`
    Workers,
    /// `--max-failures`
    FailureBudget,
    /// `--window`: they would not be back before it closes.
    Window,
    /// `--canary`: those that go first are not proven yet.
    Canary,
    /// `--max-per-group`: too many of their groups are down.
    Groups,
    /// An operator's `pause`.
    Pause,
    /// An operator's `drain`.
    Drain,
    /// Their instances: busy, suspended, or not in the list.
    Instances,
}

/// A job took a step.
#[derive(Debug, Clone, Serialize)]
pub struct JobEvent {
    /// The job, by the number that the ledger has for it.
    pub job: JobId,
    /// The instance.
    pub service: ServiceId,
    /// The owner's name for it, where a list showed it before the submission.
    pub name: Option<String>,
    /// Its address, likewise.
    pub ip: Option<String>,
    /// Its line in the manifest.
    pub line: u64,
    /// The image that it gets; `None`: its action gives none.
    pub image: Option<ImageId>,
    /// The submission it concerns, counted from 1; 0: before the first.
    pub attempt: u32,
    /// The ledger entry's kind.
    pub kind: &'static str,
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// Was the instance touched?
    pub executed: Executed,
    /// In doubt, and only the operator can settle it.
    pub held: bool,
    /// What proves that it is done.
    pub evidence: Option<Evidence>,
    /// What went wrong, as one word.
    pub error_kind: Option<FailureKind>,
    /// What went wrong, safe to print.
    pub error: Option<String>,
    /// Time from the submission to the end, where it is done.
    #[serde(rename = "took_ms", serialize_with = "as_optional_ms")]
    pub took: Option<Duration>,
}

/// A path need not be UTF-8, and must not cost the whole line.
fn as_text<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

fn as_ms<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[expect(clippy::ref_option, reason = "the signature is serde's")]
fn as_optional_ms<S: serde::Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => as_ms(duration, serializer),
        None => serializer.serialize_none(),
    }
}
