//! What a run says of itself: nothing twice, and nothing that did not change.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Step;
use crate::event::{Activity, Event, JobEvent};
use crate::job::{Counts, LedgerEntry};
use crate::run::Now;
use crate::{text, time};

/// A deadline that moves by less is the same one.
const MINUTE_MS: u64 = 60_000;

/// How often the store is asked whether other commands have moved jobs of this batch.
const RECOUNT: Duration = Duration::from_secs(1);

/// Tells the events.
#[derive(Debug)]
pub(super) struct Narrator {
    events: Vec<Event>,
    activity: Option<Activity>,
    is_paused: bool,
    warned: HashSet<&'static str>,
    /// Where the batch stands, by what this run has written and read.
    counts: Counts,
    recount_at: Instant,
}

impl Narrator {
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn new(counts: Counts, now: Now) -> Self {
        Self {
            events: Vec::new(),
            activity: None,
            is_paused: false,
            warned: HashSet::new(),
            counts,
            recount_at: now.at + RECOUNT,
        }
    }

    /// What was said since the last call.
    pub(super) fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn warn(&mut self, message: String) {
        self.tell(Event::Warning { message });
    }

    /// Of each subject only once.
    pub(super) fn warn_once(&mut self, subject: &'static str, message: impl FnOnce() -> String) {
        if self.warned.insert(subject) {
            self.warn(message());
        }
    }

    /// Calls are paused for this reason, or not. A run that ends does not say that it goes on.
    pub(super) fn pause(&mut self, reason: Option<String>, is_ending: bool) {
        match (self.is_paused, reason) {
            (false, Some(reason)) => {
                self.is_paused = true;
                self.tell(Event::Paused { reason });
            }
            (true, None) => {
                self.is_paused = false;
                if !is_ending {
                    self.tell(Event::Resumed);
                }
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// This is what the run does now.
    pub(super) fn activity(&mut self, activity: Activity) {
        let has_changed = match (&self.activity, &activity) {
            (Some(Activity::WaitingToRetry { .. }), Activity::WaitingToRetry { .. }) => false,
            (
                Some(Activity::WatchingDoubts { until_ms: last }),
                Activity::WatchingDoubts { until_ms: new },
            ) => last.abs_diff(*new) >= MINUTE_MS,
            (Some(last), new) => last != new,
            (None, _) => true,
        };
        if has_changed {
            self.activity = Some(activity.clone());
            self.tell(Event::Activity(activity));
        }
    }

    /// A job has moved.
    pub(super) fn step(&mut self, step: &Step) {
        let (from, to) = (&step.transition.from, &step.transition.to);
        let left = self.counts.of_mut(from.state);
        *left = left.saturating_sub(1);
        self.counts.held = self.counts.held.saturating_sub(u64::from(from.held));
        *self.counts.of_mut(to.state) += 1;
        self.counts.held += u64::from(to.held);
        self.tell(Event::Job(job_event(step)));
    }

    /// It is time to ask whether other commands have moved jobs; says so once in a while.
    pub(super) fn wants_counts(&mut self, now: Now) -> bool {
        let is_due = now.at >= self.recount_at;
        if is_due {
            self.recount_at = now.at + RECOUNT;
        }
        is_due
    }

    /// Jobs that are queued.
    pub(super) fn queued(&self) -> u64 {
        self.counts.queued
    }

    /// Jobs of the batch.
    pub(super) fn jobs(&self) -> u64 {
        self.counts.total()
    }

    /// Where the batch stands, as the store says.
    pub(super) fn recount(&mut self, counts: Counts) {
        if counts != self.counts {
            self.counts = counts;
            self.tell(Event::Recounted { counts });
        }
    }
}

fn job_event(step: &Step) -> JobEvent {
    let Step {
        service,
        line,
        image,
        transition,
    } = step;
    let to = &transition.to;
    let failure = transition.entry.failure();
    let is_complete = matches!(transition.entry, LedgerEntry::Completed { .. });
    let submitted_ms = to.submitted_ms.filter(|_| is_complete);
    let took = submitted_ms.map(|submitted_ms| time::between(submitted_ms, transition.at_ms));
    let error = if let LedgerEntry::Held { reason } = &transition.entry {
        Some(reason.as_str())
    } else {
        failure.map(|failure| failure.error.as_str())
    };
    let baseline = to.baseline.as_ref();
    JobEvent {
        job: transition.job,
        service: *service,
        name: baseline.and_then(|baseline| baseline.name.clone()),
        ip: baseline.and_then(|baseline| baseline.ip.clone()),
        line: *line,
        image: *image,
        attempt: to.attempt,
        kind: transition.entry.kind(),
        from: transition.from.state,
        to: to.state,
        executed: to.executed(),
        held: to.held,
        evidence: to.evidence,
        error_kind: failure.map(|failure| failure.error_kind.clone()),
        error: error.map(|error| text::brief(error, text::MESSAGE_CHARS_MAX)),
        took,
    }
}
