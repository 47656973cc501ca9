//! The jobs that go first, of each image some: nothing else starts before they are proven.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use crate::job::{JobId, JobRecord, State};
use crate::queue::QueuedJob;
use crate::run::Now;

/// How long the store's answer is believed: an operator may have cancelled one, or given his word on it.
const AGE_MAX: Duration = Duration::from_secs(30);

/// An answer of this age is of this moment.
pub(super) const FRESH: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Canaries {
    /// Of each image so many; `None`: all may start.
    each: Option<NonZeroU32>,
    jobs: Vec<QueuedJob>,
    /// When the store was asked last; `None`: it has to be asked.
    asked_at: Option<Instant>,
}

impl Canaries {
    pub(super) fn new(each: Option<NonZeroU32>) -> Self {
        Self {
            each,
            jobs: Vec::new(),
            asked_at: None,
        }
    }

    /// So many of each image go first; `None`: all may start.
    pub(super) fn each(&self) -> Option<NonZeroU32> {
        self.each
    }

    /// The store was asked which they are, as far as there are any.
    pub(super) fn are_known(&self) -> bool {
        self.each.is_none() || self.asked_at.is_some()
    }

    /// The store has to be asked, for the first time or again.
    pub(super) fn are_old(&self, now: Now) -> bool {
        self.each.is_some() && now.is_past(self.asked_at, AGE_MAX)
    }

    /// What is known is of this very moment.
    pub(super) fn are_fresh(&self, now: Now) -> bool {
        self.each.is_none() || !now.is_past(self.asked_at, FRESH)
    }

    pub(super) fn forget(&mut self) {
        self.asked_at = None;
    }

    /// What the store says. Returns whether others may start than before.
    pub(super) fn learn(&mut self, jobs: Vec<QueuedJob>, now: Now) -> bool {
        let ids = |jobs: &[QueuedJob]| -> Vec<JobId> { jobs.iter().map(|job| job.id).collect() };
        let are_others = ids(&self.jobs) != ids(&jobs);
        self.jobs = jobs;
        self.asked_at = Some(now.at);
        self.open_if_proven() || are_others
    }

    /// A job has taken a step. Returns whether all may start from now on.
    pub(super) fn moved(&mut self, job: &QueuedJob) -> bool {
        let Some(known) = self.jobs.iter_mut().find(|known| known.id == job.id) else {
            return false;
        };
        known.record = job.record.clone();
        self.open_if_proven()
    }

    fn open_if_proven(&mut self) -> bool {
        self.jobs.iter().all(|job| job.record.is_proven()) && self.open()
    }

    /// All may start. Returns whether they might not before.
    pub(super) fn open(&mut self) -> bool {
        self.jobs = Vec::new();
        self.each.take().is_some()
    }

    /// The first one that did not end well.
    pub(super) fn lost(&self) -> Option<&QueuedJob> {
        let mut jobs = self.jobs.iter();
        jobs.find(|job| is_lost(&job.record))
    }

    /// The job may start.
    pub(super) fn admit(&self, job: JobId) -> bool {
        self.each.is_none() || self.jobs.iter().any(|canary| canary.id == job)
    }

    /// Only these may start; `None`: all may.
    pub(super) fn only(&self) -> Option<Vec<JobId>> {
        self.each
            .map(|_| self.jobs.iter().map(|job| job.id).collect())
    }
}

/// It did not end well, or nobody can tell: somebody has to look.
fn is_lost(record: &JobRecord) -> bool {
    match record.state {
        State::Queued | State::Submitting | State::InProgress | State::Cancelled => false,
        State::InDoubt => record.held,
        State::Failed => true,
        State::Done => !record.is_proven(),
    }
}
