//! Which jobs start now: what a job needs before its intent may be written.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::{Active, Call, Core};
use crate::job::{Access, AccessKind, Baseline, Entry, Failure, ImageId, JobId, ServiceId};
use crate::queue::QueuedJob;
use crate::runner::Now;
use crate::runner::budget;
use crate::runner::rate::Purpose;
use crate::time;
use crate::zomro::{Preview, Read, ReadError, Rebuild};

/// The page of a job that starts was read within this time.
const BASELINE_AGE_MAX: Duration = Duration::from_mins(5);

/// Failed previews after which an image's name stays unknown.
const PREVIEW_TRIES_MAX: u32 = 3;

/// Previews under way at once.
const PREVIEWS_MAX: usize = 4;

/// Jobs looked at beyond those that may start now: their pages and previews can be asked for early.
const LOOKAHEAD_MIN: usize = 64;
const LOOKAHEAD_MAX: usize = 1024;

/// How long the queue's answer "nothing due" is believed: an operator may add jobs beside the run.
const SUPPLY_AGE_MAX: Duration = Duration::from_secs(10);

/// The documented value of `zone`, sent where nothing better is known.
const ZONE_DEFAULT: &str = "image";

/// What the queue still has.
#[derive(Debug, Default)]
pub(super) struct Supply {
    /// When the queue said that nothing more is due; `None`: it has to be asked.
    asked_at: Option<Instant>,
    /// When the next delayed job falls due, on both clocks.
    next: Option<(Instant, i64)>,
}

impl Supply {
    /// Jobs came back to the queue.
    pub(super) fn forget(&mut self) {
        self.asked_at = None;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asked_at.is_some() && self.next.is_none()
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.asked_at.and(self.next).map(|(at, _)| at)
    }

    fn must_ask(&self, now: Instant) -> bool {
        self.asked_at
            .is_none_or(|asked_at| now.saturating_duration_since(asked_at) >= SUPPLY_AGE_MAX)
            || self.next.is_some_and(|(at, _)| at <= now)
    }
}

/// A job that is due.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) job: QueuedJob,
    /// Since when its instance keeps it from starting.
    pub(super) deferred_since: Option<Instant>,
}

/// What is known of an image.
#[derive(Debug, Clone)]
pub(super) enum KnownImage {
    /// To be asked for, not before a moment; the number of failures so far.
    Wanted { not_before: Instant, failures: u32 },
    /// The preview is under way; the number of failures before it.
    Asked { failures: u32 },
    /// As far as it can be known.
    Known {
        name: Option<String>,
        zone: Option<String>,
    },
}

/// May a job start?
#[derive(Debug)]
pub(super) enum Readiness {
    Ready {
        baseline: Option<Baseline>,
        target: Option<String>,
        zone: String,
    },
    /// The name or zone of its image must be asked for first.
    NeedsPreview,
    /// The instance's page must be read (again), or its state must change.
    NeedsReading {
        deferred: bool,
    },
    Never(Failure),
}

impl Core {
    /// How many jobs, and due until when (Unix time), to ask the queue for; `None`: enough is known.
    pub fn wants_jobs(&self, now: Now) -> Option<(usize, i64)> {
        if self.is_ending() || !self.supply.must_ask(now.at) {
            return None;
        }
        let ready = self
            .waiting
            .iter()
            .filter(|waiting| waiting.deferred_since.is_none())
            .count();
        let slots = self.slots();
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
        let known = self.waiting.len() + self.suspects.len() + self.active.len();
        Some((known + lookahead, until_ms))
    }

    /// The queue's answer: `jobs` due, and when the next one falls due after them (Unix time).
    pub fn supplied(
        &mut self,
        jobs: Vec<QueuedJob>,
        exhausted: bool,
        next_due_ms: Option<i64>,
        now: Now,
    ) {
        // The queue does not know yet of steps that are still to be committed.
        let suspects = self.suspects.iter().map(|suspect| suspect.job.id);
        let moving = self.steps.iter().map(|step| step.transition.job);
        let mut known: HashSet<JobId> = suspects.chain(moving).collect();
        known.extend(self.waiting.iter().map(|waiting| waiting.job.id));
        for job in jobs {
            if !known.contains(&job.id) && !self.active.contains_key(&job.service) {
                self.waiting.push(Waiting {
                    job,
                    deferred_since: None,
                });
            }
        }
        self.supply.asked_at = exhausted.then_some(now.at);
        self.supply.next = next_due_ms.map(|due_ms| {
            let delay = time::between(now.unix_ms, due_ms).min(self.options.backoff.max);
            (now.at + delay, due_ms)
        });
    }

    /// Jobs that may start now: free workers, as far as the failure budget goes.
    pub(super) fn slots(&self) -> usize {
        let in_flight = self.in_flight();
        let workers = self.options.workers.saturating_sub(in_flight);
        workers.min(budget::room(self.budget, self.damage(), in_flight))
    }

    pub(super) fn start_jobs(&mut self, now: Now, calls: &mut Vec<Call>) {
        if !self.options.no_wait && !self.fleet.is_walked() {
            return;
        }
        // One that fell due already waits for a slot, and a slot is freed by an answer.
        if let Some(due_at) = self.supply.next_due().filter(|due_at| *due_at > now.at) {
            self.wake_by(due_at);
        }
        let mut slots = self.slots();
        let mut kept = Vec::with_capacity(self.waiting.len());
        for mut waiting in std::mem::take(&mut self.waiting) {
            let readiness = self.readiness(&waiting.job, now);
            if matches!(readiness, Readiness::Ready { .. } | Readiness::NeedsPreview) {
                waiting.deferred_since = None;
            }
            match readiness {
                Readiness::Ready {
                    baseline,
                    target,
                    zone,
                } if slots > 0 => {
                    if self.rate.take(Purpose::Submission, now.at) {
                        slots -= 1;
                        let intent = Entry::Intent {
                            zone,
                            baseline,
                            target,
                        };
                        self.start(waiting.job, intent, now, calls);
                        continue;
                    }
                    let free_at = self.rate.free_at(Purpose::Submission);
                    self.wake_by(free_at);
                }
                Readiness::Ready { .. } => {}
                Readiness::NeedsPreview => {
                    self.ask_for_image(waiting.job.image, waiting.job.service, now, calls);
                }
                // Its patience goes on: a reading that has grown old is no sign of life.
                Readiness::NeedsReading { deferred: false } => {}
                Readiness::NeedsReading { deferred: true } => {
                    let since = *waiting.deferred_since.get_or_insert(now.at);
                    let overdue = now.at.saturating_duration_since(since)
                        >= self.options.rules.rebuild_timeout;
                    if overdue && self.may_fail() {
                        let failure = self.never_ready(waiting.job.service);
                        self.fail_untouched(waiting.job, failure, now);
                        slots = slots.min(self.slots());
                        continue;
                    }
                }
                Readiness::Never(failure) => {
                    if self.may_fail() {
                        self.fail_untouched(waiting.job, failure, now);
                        slots = slots.min(self.slots());
                        continue;
                    }
                }
            }
            kept.push(waiting);
        }
        self.waiting = kept;
    }

    /// One more failure is within the budget, even if everything in flight fails too.
    fn may_fail(&self) -> bool {
        budget::room(self.budget, self.damage(), self.in_flight()) > 0
    }

    pub(super) fn readiness(&self, job: &QueuedJob, now: Now) -> Readiness {
        let (target, image_zone) = if self.options.no_wait && job.zone.is_some() {
            (None, None)
        } else {
            match self.images.get(&job.image) {
                Some(KnownImage::Known { name, zone }) => (name.clone(), zone.clone()),
                Some(KnownImage::Wanted { .. } | KnownImage::Asked { .. }) | None => {
                    // Its instance first: a preview of what cannot be rebuilt tells nothing.
                    return match self.baseline(job.service, now) {
                        Err(readiness) => readiness,
                        Ok(_) => Readiness::NeedsPreview,
                    };
                }
            }
        };
        match self.baseline(job.service, now) {
            Err(readiness) => readiness,
            Ok(baseline) => Readiness::Ready {
                baseline,
                target,
                zone: (job.zone.clone().or(image_zone)).unwrap_or_else(|| ZONE_DEFAULT.to_owned()),
            },
        }
    }

    /// What stands on the instance, if its latest reading is fresh and it can be rebuilt.
    fn baseline(&self, service: ServiceId, now: Now) -> Result<Option<Baseline>, Readiness> {
        if self.options.no_wait {
            return Ok(None);
        }
        let Some(listed) = self
            .fleet
            .get(service)
            .filter(|listed| listed.page.is_some())
        else {
            return Err(if self.poller.is_surely_absent(service, &self.fleet) {
                Readiness::Never(not_listed())
            } else {
                Readiness::NeedsReading { deferred: true }
            });
        };
        let age = now
            .at
            .saturating_duration_since(listed.sighting.requested_at);
        if age > BASELINE_AGE_MAX {
            return Err(Readiness::NeedsReading { deferred: false });
        }
        if !listed.sighting.is_ready() {
            return Err(Readiness::NeedsReading { deferred: true });
        }
        Ok(Some(Baseline {
            image: listed.sighting.image.clone(),
            status: listed.sighting.status.clone(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
        }))
    }

    fn start(&mut self, mut job: QueuedJob, intent: Entry, now: Now, calls: &mut Vec<Call>) {
        let Entry::Intent { zone, .. } = &intent else {
            return;
        };
        let access = match job.access {
            AccessKind::Password => {
                let Some(password) = &job.password else {
                    let error = "its password was erased: load the manifest again";
                    self.fail_untouched(job, Failure::new("password_erased", error), now);
                    return;
                };
                Access::Password(SecretString::clone(password))
            }
            AccessKind::SshKey => Access::SshKey(job.ssh_key.clone().unwrap_or_default()),
            AccessKind::Image => Access::Image,
        };
        let rebuild = Rebuild {
            service: job.service,
            image: job.image,
            zone: zone.clone(),
            access,
        };
        self.step(&mut job, intent, now.unix_ms);
        calls.push(Call::Submit(job.id, Box::new(rebuild)));
        self.submissions_out += 1;
        self.active.insert(
            job.service,
            Active {
                job,
                watch: None,
                slept: false,
                born_here: true,
            },
        );
    }

    pub(super) fn fail_untouched(&mut self, mut job: QueuedJob, failure: Failure, now: Now) {
        self.step(&mut job, Entry::Untouched { failure }, now.unix_ms);
        self.damage.failed += 1;
    }

    fn never_ready(&self, service: ServiceId) -> Failure {
        match self
            .fleet
            .get(service)
            .filter(|listed| listed.page.is_some())
        {
            Some(listed) => Failure::new(
                "not_ready",
                format!(
                    "its status was `{}` for {}",
                    crate::text::brief(&listed.sighting.status, 40),
                    time::short(self.options.rules.rebuild_timeout)
                ),
            ),
            None => not_listed(),
        }
    }

    fn ask_for_image(
        &mut self,
        image: ImageId,
        service: ServiceId,
        now: Now,
        calls: &mut Vec<Call>,
    ) {
        let asked = self
            .images
            .values()
            .filter(|known| matches!(known, KnownImage::Asked { .. }))
            .count();
        let known = self.images.entry(image).or_insert(KnownImage::Wanted {
            not_before: now.at,
            failures: 0,
        });
        let KnownImage::Wanted {
            not_before,
            failures,
        } = *known
        else {
            return;
        };
        let at = not_before.max(self.rate.free_at(Purpose::Submission));
        if now.at < at {
            self.wake_by(at);
        } else if asked < PREVIEWS_MAX && self.rate.take(Purpose::Submission, now.at) {
            *known = KnownImage::Asked { failures };
            calls.push(Call::Preview(image, service));
        }
    }

    pub(super) fn preview_finished(&mut self, image: ImageId, result: Read<Preview>, now: Now) {
        let failures = match self.images.get(&image) {
            Some(KnownImage::Asked { failures }) => *failures,
            Some(KnownImage::Wanted { .. } | KnownImage::Known { .. }) | None => 0,
        };
        let known = match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                let found = reply.value.image(image);
                KnownImage::Known {
                    name: found.map(|image| image.name.clone()),
                    zone: found.and_then(|image| image.zone.clone()),
                }
            }
            Err(error) => {
                let counts = match &error {
                    // The API's own refusal of a preview: of what else it gives it says nothing.
                    ReadError::Failed(failure) if !failure.is_network() => {
                        self.got_through();
                        true
                    }
                    ReadError::Failed(_)
                    | ReadError::Unauthorized { .. }
                    | ReadError::HalfSession { .. }
                    | ReadError::Incurable(_)
                    | ReadError::Blocked { .. } => {
                        self.read_failed(&error, now);
                        // An outage says nothing about previews.
                        !self.outage.is_on()
                    }
                    ReadError::SlowDown { .. } => {
                        self.read_failed(&error, now);
                        false
                    }
                };
                let failures = failures + u32::from(counts);
                if failures >= PREVIEW_TRIES_MAX {
                    self.warn_once("preview", || {
                        format!("the rebuild preview fails ({error}): images stay without names, which is less evidence")
                    });
                    KnownImage::Known {
                        name: None,
                        zone: None,
                    }
                } else {
                    let delay = self
                        .options
                        .backoff
                        .delay(failures.max(1), &mut self.random);
                    KnownImage::Wanted {
                        not_before: now.at + delay,
                        failures,
                    }
                }
            }
        };
        self.images.insert(image, known);
    }

    /// Pages that jobs need before they may start, and services that must be polled until they can.
    pub(super) fn readings_wanted(&self, now: Now) -> (Vec<ServiceId>, Vec<ServiceId>) {
        let mut stale = Vec::new();
        let mut deferred = Vec::new();
        // No more than can start soon: a page read too early must be read again.
        let soon = self.slots().min(self.options.workers).saturating_mul(2);
        for waiting in &self.waiting {
            match self.baseline(waiting.job.service, now) {
                Err(Readiness::NeedsReading { deferred: false }) if stale.len() < soon => {
                    stale.push(waiting.job.service);
                }
                Err(Readiness::NeedsReading { deferred: true }) => {
                    deferred.push(waiting.job.service);
                }
                Ok(_) | Err(_) => {}
            }
        }
        (stale, deferred)
    }
}

fn not_listed() -> Failure {
    Failure::new(
        "not_listed",
        "the account's list does not show it: another account's, or a filter is set in the panel",
    )
}
