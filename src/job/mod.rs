//! The domain: one instance to rebuild, and everything that may happen to it.
//!
//! Pure: nothing here knows a database, a network or a clock. The one fact to know: a job's
//! [`JobRecord`] is never set by hand, it is the fold of its ledger [`LedgerEntry`]s, live and at
//! recovery alike.

mod access;
mod entry;
mod id;
pub mod record;
mod state;

use std::time::Duration;

pub use access::{Access, AccessKind};
pub use entry::{Baseline, Failure, LedgerEntry, Verdict};
pub use id::{BatchId, ImageId, InvalidServiceId, JobId, RunId, ServiceId};
pub use record::{IllegalTransition, JobRecord, Transition};
pub use state::{Evidence, Executed, State, UnknownWord};

/// One row of a manifest: an instance to rebuild, as the operator ordered it.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Line of the manifest on which the row begins, counted from 1 (the header's line included).
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// The image it gets.
    pub image: ImageId,
    /// Where the image stands in the provider's catalogue; `None`: what the preview says.
    pub zone: Option<String>,
    /// How one gets in afterwards.
    pub access: Access,
    /// Free text, carried to the report.
    pub note: Option<String>,
}

/// One line of the report: what happened to one instance.
#[derive(Debug, Clone)]
pub struct ResultRow {
    /// Line of the manifest.
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// The image ordered for it.
    pub image: ImageId,
    /// Where the job is.
    pub state: State,
    /// Was the instance touched?
    pub executed: Executed,
    /// What proves a finished rebuild.
    pub evidence: Option<Evidence>,
    /// Submissions so far.
    pub attempts: u32,
    /// When the last request was handed to the wire, as Unix time.
    pub submitted_ms: Option<i64>,
    /// When the answer arrived that ended the job, as Unix time.
    pub completed_ms: Option<i64>,
    /// What went wrong, as one word.
    pub error_kind: Option<String>,
    /// What went wrong, in the API's words.
    pub error: Option<String>,
    /// The manifest's note.
    pub note: Option<String>,
    /// In doubt, and only the operator can settle it.
    pub held: bool,
    /// The owner's name for the instance, where a list showed it before the submission.
    pub name: Option<String>,
    /// Its address, likewise.
    pub ip: Option<String>,
}

impl ResultRow {
    /// It is done, and a human should look at it all the same.
    pub fn is_flagged(&self) -> bool {
        self.state == State::Done && self.error_kind.is_some()
    }

    /// From the submission to the proof of completion, for finished rebuilds.
    pub fn took(&self) -> Option<Duration> {
        let (submitted_ms, completed_ms) = self.submitted_ms.zip(self.completed_ms)?;
        let ms = u64::try_from(completed_ms.saturating_sub(submitted_ms)).ok()?;
        (self.state == State::Done).then_some(Duration::from_millis(ms))
    }
}

/// Number of jobs in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Not started.
    pub queued: u64,
    /// Intent committed, answer outstanding.
    pub submitting: u64,
    /// Accepted or seen rebuilding, and not back yet.
    pub rebuilding: u64,
    /// Outcome unknown, held ones included.
    pub in_doubt: u64,
    /// Of those in doubt: the ones only an operator can settle.
    pub held: u64,
    /// Rebuilt.
    pub done: u64,
    /// Ended without success.
    pub failed: u64,
    /// Dropped by the operator.
    pub cancelled: u64,
}

impl Counts {
    /// All jobs.
    pub fn total(&self) -> u64 {
        self.queued
            + self.submitting
            + self.rebuilding
            + self.in_doubt
            + self.done
            + self.failed
            + self.cancelled
    }

    /// The number of jobs in `state`.
    pub fn of(&self, state: State) -> u64 {
        match state {
            State::Queued => self.queued,
            State::Submitting => self.submitting,
            State::Rebuilding => self.rebuilding,
            State::InDoubt => self.in_doubt,
            State::Done => self.done,
            State::Failed => self.failed,
            State::Cancelled => self.cancelled,
        }
    }

    /// The counter of `state`.
    pub fn of_mut(&mut self, state: State) -> &mut u64 {
        match state {
            State::Queued => &mut self.queued,
            State::Submitting => &mut self.submitting,
            State::Rebuilding => &mut self.rebuilding,
            State::InDoubt => &mut self.in_doubt,
            State::Done => &mut self.done,
            State::Failed => &mut self.failed,
            State::Cancelled => &mut self.cancelled,
        }
    }

    /// Jobs for which a run still has something to do: an *open* batch has some.
    pub fn open(&self) -> u64 {
        self.queued + self.submitting + self.rebuilding + (self.in_doubt - self.held)
    }
}
