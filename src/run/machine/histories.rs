//! Doubts that are left to the operator as soon as the API's own history of their services was read.
//!
//! The one fact to know: the history is a hint for people, and moves nothing. A doubt that nothing can
//! settle any more is held all the same where it cannot be read, and meanwhile it is watched as before.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::job::{JobId, ServiceId};
use crate::queue::QueuedJob;
use crate::zomro::{HistoryQuery, HistoryShape};

/// Of so many slots one at most is for a history, so that the list is read however many doubts there are.
const SLOTS: u32 = 4;

/// A submission that is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attempt {
    job: JobId,
    attempt: u32,
}

impl Attempt {
    pub(super) fn of(job: &QueuedJob) -> Self {
        Self {
            job: job.id,
            attempt: job.record.attempt,
        }
    }
}

/// A doubt that is about to be held.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) attempt: Attempt,
    /// Why it is.
    pub(super) reason: String,
}

/// Which histories are to be read.
#[derive(Debug)]
pub(super) struct Histories {
    /// `None`: nobody has asked for any, or the API has none.
    shape: Option<HistoryShape>,
    waiting: HashMap<ServiceId, Waiting>,
    asking: Option<(ServiceId, Attempt)>,
    not_before: Instant,
}

impl Histories {
    pub(super) fn new(shape: Option<HistoryShape>, now: Instant) -> Self {
        Self {
            shape,
            waiting: HashMap::new(),
            asking: None,
            not_before: now,
        }
    }

    /// They are read at all.
    pub(super) fn are_read(&self) -> bool {
        self.shape.is_some()
    }

    /// The doubt of `job` would be held: its history is read first. `false`: none is read.
    pub(super) fn want(&mut self, job: &QueuedJob, reason: &str) -> bool {
        if self.shape.is_none() {
            return false;
        }
        let waiting = Waiting {
            attempt: Attempt::of(job),
            reason: reason.to_owned(),
        };
        self.waiting.insert(job.service, waiting);
        true
    }

    /// The next one may be asked for from then on; `None`: none is wanted, or one is under way. Those doubts
    /// that `is_open` does not know any more want none.
    pub(super) fn may_ask(&mut self, is_open: impl Fn(ServiceId) -> bool) -> Option<Instant> {
        self.waiting.retain(|service, _| is_open(*service));
        (self.asking.is_none() && !self.waiting.is_empty()).then_some(self.not_before)
    }

    /// The next one is being asked for, at `now`, where a call may go every `interval`.
    pub(super) fn ask(&mut self, now: Instant, interval: Duration) -> Option<ServiceId> {
        let (service, waiting) = self.waiting.iter().min_by_key(|(service, _)| **service)?;
        self.asking = Some((*service, waiting.attempt));
        self.not_before = now + interval * SLOTS;
        self.asking.map(|(service, _)| service)
    }

    /// What is asked about `job`.
    pub(super) fn query(&self, job: &QueuedJob) -> Option<HistoryQuery> {
        Some(HistoryQuery {
            service: job.service,
            shape: self.shape.clone()?,
            password: job.order.password().cloned(),
        })
    }

    /// That call has ended: the doubt that waited for it, if that is still the one of then.
    pub(super) fn ended(&mut self) -> Option<(ServiceId, Waiting)> {
        let (service, asked) = self.asking.take()?;
        let is_of_then = self.waiting.get(&service)?.attempt == asked;
        let waiting = is_of_then.then(|| self.waiting.remove(&service))??;
        Some((service, waiting))
    }

    /// The API has none: from now on none is wanted.
    pub(super) fn give_up(&mut self) {
        self.shape = None;
    }

    /// All doubts that wait, in the order of their services: nothing is read for them.
    pub(super) fn take_waiting(&mut self) -> Vec<(ServiceId, Waiting)> {
        let mut waiting: Vec<_> = self.waiting.drain().collect();
        waiting.sort_unstable_by_key(|(service, _)| *service);
        waiting
    }
}
