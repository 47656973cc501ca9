//! Jobs that were not sent yet: those that are due, and those that only the session can explain.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::job::{Failure, ImageId, JobId, ServiceId};
use crate::queue::{QueuedJob, Ready};
use crate::run::Now;
use crate::time;

/// Jobs looked at beyond those that may start now: their pages and previews can be asked for early.
const LOOKAHEAD_MIN: usize = 64;
const LOOKAHEAD_MAX: usize = 1024;

/// How long the store's answer "nothing due" is believed: an operator may add jobs beside the run.
const AGE_MAX: Duration = Duration::from_secs(10);

/// What the store still has.
#[derive(Debug, Default)]
struct Supply {
    /// When the store said that nothing more is due; `None`: it has to be asked.
    asked_at: Option<Instant>,
    /// When the next delayed job falls due, on both clocks.
    next: Option<(Instant, i64)>,
}

impl Supply {
    fn must_ask(&self, now: Now) -> bool {
        now.is_past(self.asked_at, AGE_MAX) || self.next.is_some_and(|(at, _)| at <= now.at)
    }
}

/// A job that is due.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: QueuedJob,
    /// Since when its instance keeps it from starting.
    pub(super) deferred_since: Option<Instant>,
}

/// A job that was refused in a way that only `keepalive` can explain. It is back in the queue.
#[derive(Debug)]
pub(super) struct Suspect {
    pub(super) job: QueuedJob,
    pub(super) failure: Failure,
    pub(super) why: Suspicion,
}

/// What `keepalive` is to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// A refusal for want of rights: is the session over? Only the session in use can tell.
    Rights,
    /// A block: of this request, or of the address?
    Block,
}

/// What is still to be sent.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    supply: Supply,
    waiting: Vec<Waiting>,
    /// Images whose jobs would not be back before the window closes. Those are left with the store: they
    /// may be all that there are.
    late: HashSet<Option<ImageId>>,
    suspects: Vec<Suspect>,
    /// Jobs that were refused for want of rights, and the token's generation.
    refused: HashMap<JobId, u64>,
}

impl Backlog {
    /// Until when (Unix time) jobs have to be due, and how many to ask the store for, if `slots` may
    /// start; `None`: enough is known. `elsewhere`: jobs that it may name although they are in flight.
    pub(super) fn wants(&self, slots: usize, elsewhere: usize, now: Now) -> Option<(i64, usize)> {
        if !self.supply.must_ask(now) {
            return None;
        }
        let is_free = |waiting: &&Waiting| waiting.deferred_since.is_none();
        let ready = self.waiting.iter().filter(is_free).count();
        // The first question is asked even without a free slot: the end of a run depends on it.
        if ready > 0 && ready >= slots {
            return None;
        }
        let lookahead = slots.saturating_mul(4).clamp(LOOKAHEAD_MIN, LOOKAHEAD_MAX);
        // A job whose delay was clamped (the clock was set back) is due although its time is not.
        let until_ms = match self.supply.next {
            Some((at, due_ms)) if at <= now.at => now.unix_ms.max(due_ms),
            _ => now.unix_ms,
        };
        // What an operator has put back meanwhile is in the queue, and still watched here.
        let known = self.waiting.len() + self.suspects.len() + elsewhere;
        Some((until_ms, known + lookahead))
    }

    /// Jobs that are known already.
    pub(super) fn known(&self) -> HashSet<JobId> {
        let waiting = self.waiting.iter().map(|waiting| waiting.job.id);
        let suspects = self.suspects.iter().map(|suspect| suspect.job.id);
        waiting.chain(suspects).collect()
    }

    /// Takes in the store's answer; `is_new` says which of its jobs do not wait or fly already. No
    /// delay is longer than `delay_max`, whatever the clock on the wall says.
    pub(super) fn supply(
        &mut self,
        ready: Ready,
        mut is_new: impl FnMut(&QueuedJob) -> bool,
        delay_max: Duration,
        now: Now,
    ) {
        let jobs = ready.jobs.into_iter().filter(|job| is_new(job));
        self.waiting.extend(jobs.map(|job| Waiting {
            job,
            deferred_since: None,
        }));
        self.supply.asked_at = ready.is_all.then_some(now.at);
        self.supply.next = ready.next_ms.map(|due_ms| {
            let delay = time::between(now.unix_ms, due_ms).min(delay_max);
            (now.at + delay, due_ms)
        });
    }

    /// Jobs came back to the queue: the store has to be asked again.
    pub(super) fn look_again(&mut self) {
        self.supply.asked_at = None;
    }

    /// The store has no job that is to come.
    pub(super) fn is_exhausted(&self) -> bool {
        self.supply.asked_at.is_some() && self.supply.next.is_none()
    }

    /// Nothing is left to be sent.
    pub(super) fn is_empty(&self) -> bool {
        self.is_exhausted() && self.waiting.is_empty() && self.suspects.is_empty()
    }

    /// A job is known that falls due later.
    pub(super) fn has_delayed(&self) -> bool {
        self.supply.next.is_some()
    }

    /// The store has just said that nothing more is due.
    pub(super) fn was_just_told(&self, now: Now) -> bool {
        self.supply.asked_at == Some(now.at)
    }

    /// Images of jobs that wait, and those of which the store keeps the jobs.
    pub(super) fn images(&self) -> impl Iterator<Item = Option<ImageId>> {
        let waiting = self.waiting.iter().map(|waiting| waiting.job.order.image());
        waiting.chain(self.late())
    }

    /// Jobs of these images would not be back before the window closes: they are not kept. Those of an image
    /// that was late before and is not any more are asked for again.
    pub(super) fn pass_over(&mut self, late: HashSet<Option<ImageId>>) {
        if !self.late.is_subset(&late) {
            self.look_again();
        }
        self.waiting
            .retain(|waiting| !late.contains(&waiting.job.order.image()));
        self.late = late;
    }

    /// The store has to say anew whether it has jobs of late images.
    pub(super) fn forget_late(&mut self) {
        self.late.clear();
        self.look_again();
    }

    /// Jobs were passed over that would not be back before the window closes.
    pub(super) fn has_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// Images whose jobs are passed over.
    pub(super) fn late(&self) -> impl Iterator<Item = Option<ImageId>> {
        self.late.iter().copied()
    }

    /// No refusal is still to be explained.
    pub(super) fn suspects_nobody(&self) -> bool {
        self.suspects.is_empty()
    }

    /// When the next delayed job falls due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.supply.asked_at.and(self.supply.next).map(|(at, _)| at)
    }

    /// Due jobs, in the order in which they are to start.
    pub(super) fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    pub(super) fn take_waiting(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    pub(super) fn keep_waiting(&mut self, waiting: Vec<Waiting>) {
        self.waiting = waiting;
    }

    /// What was read before a suspension says nothing any more.
    pub(super) fn forget_deferrals(&mut self) {
        for waiting in &mut self.waiting {
            waiting.deferred_since = None;
        }
    }

    /// Who waits is asked for again when the turn has come.
    pub(super) fn let_go(&mut self) {
        self.waiting.clear();
        self.look_again();
    }

    /// These jobs are given up, or left out.
    pub(super) fn leave_out(&mut self, jobs: &HashSet<JobId>) {
        self.waiting
            .retain(|waiting| !jobs.contains(&waiting.job.id));
        self.suspects
            .retain(|suspect| !jobs.contains(&suspect.job.id));
    }

    /// A job is refused with the token of `generation`; says whether it was before, with an older one.
    pub(super) fn refused_before(&mut self, job: JobId, generation: u64) -> bool {
        let before = self.refused.insert(job, generation);
        before.is_some_and(|before| before < generation)
    }

    pub(super) fn suspect(&mut self, suspect: Suspect) {
        self.suspects.push(suspect);
    }

    pub(super) fn take_suspects(&mut self) -> Vec<Suspect> {
        std::mem::take(&mut self.suspects)
    }

    /// A new session explains nothing of what the one before it was refused: those jobs go again.
    /// Who was blocked is still to be explained: returns whether somebody was.
    pub(super) fn forget_refusals(&mut self) -> bool {
        let before = self.suspects.len();
        self.suspects
            .retain(|suspect| suspect.why == Suspicion::Block);
        if self.suspects.len() < before {
            self.look_again();
        }
        !self.suspects.is_empty()
    }

    /// Services that wait to start.
    pub(super) fn services(&self) -> impl Iterator<Item = ServiceId> {
        self.waiting.iter().map(|waiting| waiting.job.service)
    }

    #[cfg(test)]
    pub(super) fn suspects(&self) -> &[Suspect] {
        &self.suspects
    }
}
