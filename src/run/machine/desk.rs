//! What is to be recorded, what rests on it, and whether the store takes it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{Call, Step};
use crate::job::{Failure, FailureKind, JobId, LedgerEntry, State, Transition};
use crate::run::Now;

/// How long another program may hold the database before the run gives up.
const BUSY_MAX: Duration = Duration::from_mins(2);

/// Steps and calls between their decision and the outside.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// Decided in this turn.
    steps: Vec<Step>,
    /// Steps whose commit failed: whether they were written is unknown. To write them again is safe.
    unwritten: Vec<Step>,
    /// Calls that wait for the commit.
    resting: Vec<Call>,
    /// Calls that may be made now.
    released: Vec<Call>,
    /// The store did not answer in this turn.
    has_failed: bool,
    /// Nothing was begun in this turn, because something was still to be written.
    has_put_off: bool,
    busy_since: Option<Instant>,
    /// The store failed for good: nothing is sent any more.
    is_broken: bool,
}

/// What is new with a fault of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Another program holds the store: it is tried again.
    Busy,
    /// The run cannot go on.
    Broken,
}

impl Desk {
    pub(super) fn begin_turn(&mut self) {
        self.has_failed = false;
    }

    /// A job has moved.
    pub(super) fn note(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Makes `call` once everything that was decided is committed.
    pub(super) fn call(&mut self, call: Call) {
        self.resting.push(call);
    }

    /// Jobs that were moved in this turn: the store does not know it yet.
    pub(super) fn moving(&self) -> impl Iterator<Item = JobId> {
        self.steps.iter().map(|step| step.transition.job)
    }

    /// Some of them are queued again.
    pub(super) fn puts_back(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| step.transition.to.state == State::Queued)
    }

    /// The store knows all that was decided.
    pub(super) fn is_clear(&self) -> bool {
        self.steps.is_empty()
    }

    /// The store does not answer, or has not written everything yet: nothing is begun meanwhile.
    pub(super) fn is_hindered(&self) -> bool {
        self.has_failed || !self.unwritten.is_empty()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Steps that the store has not taken.
    pub(super) fn unwritten(&self) -> &[Step] {
        &self.unwritten
    }

    /// All that can be written is written.
    pub(super) fn is_done(&self) -> bool {
        self.is_broken || self.unwritten.is_empty()
    }

    /// Jobs may be begun in this turn; otherwise it is remembered that they were put off.
    pub(super) fn may_start(&mut self) -> bool {
        self.has_put_off = self.is_hindered();
        !self.has_put_off
    }

    /// The store answers again. Returns whether something was put off until now.
    pub(super) fn goes_on(&mut self) -> bool {
        self.busy_since = None;
        std::mem::take(&mut self.has_put_off)
    }

    /// All that is to be committed, what could not be before first.
    pub(super) fn take_steps(&mut self) -> Vec<Step> {
        let mut steps = std::mem::take(&mut self.unwritten);
        steps.append(&mut self.steps);
        steps
    }

    /// Everything is committed but the steps of `conflicts`: what rests on it may be made.
    pub(super) fn release(&mut self, conflicts: &HashSet<JobId>) {
        let is_broken = self.is_broken;
        self.release_if(|call| match call {
            Call::Submit(job, _) => !is_broken && !conflicts.contains(job),
            Call::Login
            | Call::Confirm
            | Call::Keepalive
            | Call::Whoami
            | Call::Owner
            | Call::Page(_)
            | Call::Preview(..)
            | Call::LookUp(_)
            | Call::History(_)
            | Call::Look(..) => true,
        });
    }

    /// Whether any of `steps` was written, nobody knows. Returns the jobs that are given up: an
    /// intent whose commit failed must not be sent, whatever the disk says of it now or later. In its
    /// place stands that nothing was sent, which this process alone knows: where the intent is there, that
    /// follows it, and where it is not, nothing does. Outcomes are kept, to be written again.
    pub(super) fn keep_unwritten(&mut self, steps: Vec<Step>) -> HashSet<JobId> {
        let mut unsent = HashSet::new();
        self.unwritten.clear();
        for step in steps {
            if matches!(step.transition.entry, LedgerEntry::Intent { .. }) {
                unsent.insert(step.transition.job);
                self.unwritten.push(not_sent(step));
            } else {
                self.unwritten.push(step);
            }
        }
        self.release_if(|call| !matches!(call, Call::Submit(..)));
        unsent
    }

    fn release_if(&mut self, may_go: impl Fn(&Call) -> bool) {
        let resting = std::mem::take(&mut self.resting);
        self.released.extend(resting.into_iter().filter(may_go));
    }

    /// Calls to be made now.
    pub(super) fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.released)
    }

    /// The store did not do what it was asked to; `is_busy`: because another program holds it.
    /// Returns what is new with that.
    pub(super) fn store_failed(&mut self, is_busy: bool, now: Now) -> Option<News> {
        self.has_failed = true;
        if self.is_broken {
            return None;
        }
        if is_busy {
            let Some(since) = self.busy_since else {
                self.busy_since = Some(now.at);
                return Some(News::Busy);
            };
            if now.at.saturating_duration_since(since) < BUSY_MAX {
                return None;
            }
        }
        self.is_broken = true;
        Some(News::Broken)
    }
}

/// What follows `intent`, whose commit nobody has heard of.
fn not_sent(intent: Step) -> Step {
    let Transition { job, at_ms, to, .. } = intent.transition;
    let failure = Failure::new(
        FailureKind::Barred,
        "not sent: the database did not say whether it has written the intent",
    );
    let entry = LedgerEntry::NotExecuted {
        failure,
        not_before_ms: 0,
    };
    let transition = Transition::new(job, to, entry, at_ms)
        .expect("what is being submitted may turn out not to have been sent");
    Step {
        transition,
        ..intent
    }
}
