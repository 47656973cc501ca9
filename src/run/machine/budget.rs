//! The failure budget of this batch: what has gone wrong, and how much more may.

use std::time::{Duration, Instant};

use crate::run::Now;
use crate::run::budget::{self, Failures};

/// How long the store's word on the failures is believed: an operator may deal with some of them.
const AGE_MAX: Duration = Duration::from_secs(10);

/// Failures and doubts of the batch, whichever run bore them, until the operator has dealt with them.
#[derive(Debug)]
pub(super) struct Budget {
    /// `None`: there is no bound.
    max: Option<u64>,
    failed: u64,
    /// Doubts that only the operator can settle.
    held: u64,
    /// How many instances may be other than their order expects; `None`: any number.
    max_mismatched: Option<u64>,
    /// Jobs that failed for that reason.
    mismatched: u64,
    /// When the store said so; `None`: something went wrong since.
    asked_at: Option<Instant>,
}

impl Budget {
    pub(super) fn new(max: Option<u64>, max_mismatched: Option<u64>) -> Self {
        Self {
            max,
            failed: 0,
            held: 0,
            max_mismatched,
            mismatched: 0,
            asked_at: None,
        }
    }

    /// Another bound counts from now on.
    pub(super) fn set_max(&mut self, max: Option<u64>) {
        self.max = max;
    }

    /// What the store says.
    pub(super) fn learn(&mut self, failed: u64, held: u64, mismatched: u64, now: Now) {
        self.failed = failed;
        self.held = held;
        self.mismatched = mismatched;
        self.asked_at = Some(now.at);
    }

    pub(super) fn one_failed(&mut self) {
        self.failed += 1;
        self.asked_at = None;
    }

    pub(super) fn one_mismatched(&mut self) {
        self.mismatched += 1;
        self.asked_at = None;
    }

    /// How many instances are other than expected, and how many may be, if `more` of them are too many.
    pub(super) fn too_many_mismatches(&self, more: u64) -> Option<(u64, u64)> {
        let mismatched = self.mismatched + more;
        let max = self.max_mismatched?;
        (mismatched > max).then_some((mismatched, max))
    }

    pub(super) fn one_is_held(&mut self) {
        self.held += 1;
        self.asked_at = None;
    }

    /// There is something that an operator may have dealt with.
    pub(super) fn is_touched(&self) -> bool {
        self.failed + self.held + self.mismatched > 0
    }

    /// The store has to be asked again.
    pub(super) fn is_old(&self, now: Now) -> bool {
        now.is_past(self.asked_at, AGE_MAX)
    }

    /// What counts against it, with `watched` doubts that are still watched.
    pub(super) fn failures(&self, watched: usize) -> Failures {
        Failures {
            failed: self.failed,
            watched: watched as u64,
            held: self.held,
        }
    }

    /// Jobs that may start, even if everything in flight goes wrong too.
    pub(super) fn headroom(&self, watched: usize, at_risk: usize) -> usize {
        budget::headroom(self.max, self.failures(watched), at_risk)
    }

    /// The bound, where it is used up for good by what the store has confirmed: the operator may have
    /// dealt with some of it.
    pub(super) fn exhausted(&self) -> Option<(u64, u64)> {
        let is_exhausted = budget::is_exhausted(self.max, self.failures(0));
        let max = self.max.filter(|_| is_exhausted && self.asked_at.is_some());
        max.map(|max| (self.failed + self.held, max))
    }

    #[cfg(test)]
    pub(super) fn max(&self) -> Option<u64> {
        self.max
    }
}
