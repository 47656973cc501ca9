//! Which jobs start now: what a job needs before its intent may be written.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::{Active, Call, Machine};
use crate::event::Event;
use crate::job::{
    Access, AccessKind, Baseline, Failure, ImageId, JobId, LedgerEntry, ServiceId, State,
};
use crate::queue::{QueuedJob, Ready};
use crate::run::budget;
use crate::run::rate_limiter::Purpose;
use crate::run::{Halt, Now};
use crate::time;
use crate::zomro::{Preview, Read, ReadError, Rebuild};

/// The page of a job that starts was read within this time.
const BASELINE_AGE_MAX: Duration = Duration::from_mins(5);

/// Failed previews after which an image's name stays unknown.
const PREVIEW_TRIES_MAX: u32 = 3;

/// Instances that are asked for an image which their forms do not offer.
const LACKING_MAX: usize = 5;

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
    /// To be asked for, not before a moment; the number of failures so far, and the instances whose
    /// form does not offer it.
    Wanted {
        not_before: Instant,
        failures: u32,
        lacking: Vec<ServiceId>,
    },
    /// The preview is under way; the same of the ones before it.
    Asked {
        failures: u32,
        lacking: Vec<ServiceId>,
    },
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
        baseline: Option<Box<Baseline>>,
        target: Option<String>,
        zone: String,
    },
    /// The name or zone of its image must be asked for first.
    NeedsPreview,
    /// The instance's page must be read (again), or its state must change.
    NeedsReading { deferred: bool },
    /// The list surely lacks it.
    NotListed,
}

impl Machine {
    /// How many jobs, and due until when (Unix time), to ask the queue for; `None`: enough is known.
    pub(super) fn wants_jobs(&self, now: Now) -> Option<(usize, i64)> {
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

    /// The store's answer.
    pub(super) fn supplied(&mut self, ready: Ready, now: Now) {
        // The queue does not know yet of steps that are still to be committed.
        let suspects = self.suspects.iter().map(|suspect| suspect.job.id);
        let moving = self.desk.moving();
        let mut known: HashSet<JobId> = suspects.chain(moving).collect();
        known.extend(self.waiting.iter().map(|waiting| waiting.job.id));
        for job in ready.jobs {
            if known.contains(&job.id) {
                continue;
            }
            // A doubt that is queued again: an operator has put it back.
            if let Some(active) = self.active.get(&job.service) {
                if active.job.id != job.id || active.job.record.state != State::InDoubt {
                    continue;
                }
                self.active.remove(&job.service);
            }
            self.waiting.push(Waiting {
                job,
                deferred_since: None,
            });
        }
        self.supply.asked_at = ready.is_all.then_some(now.at);
        self.supply.next = ready.next_ms.map(|due_ms| {
            let delay = time::between(now.unix_ms, due_ms).min(self.options.backoff.max);
            (now.at + delay, due_ms)
        });
    }

    /// Jobs that may start now: free workers, as far as the failure budget goes.
    pub(super) fn slots(&self) -> usize {
        let in_flight = self.in_flight();
        let workers = self.options.workers.saturating_sub(in_flight);
        workers.min(self.headroom())
    }

    pub(super) fn start_jobs(&mut self, now: Now) {
        if !self.options.no_wait && (!self.list.is_scanned() || self.wants_order()) {
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
                        let intent = LedgerEntry::Intent {
                            zone,
                            baseline: baseline.map(|baseline| *baseline),
                            target,
                        };
                        self.start(waiting.job, intent, now);
                        continue;
                    }
                    let free_at = self.rate.free_at(Purpose::Submission);
                    self.wake_by(free_at);
                }
                Readiness::Ready { .. } => {}
                Readiness::NeedsPreview => {
                    let (image, service) = (waiting.job.image, waiting.job.service);
                    if self.may_show_image(image, service) {
                        self.ask_for_image(image, service, now);
                    }
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
                Readiness::NotListed => {
                    self.leave_out(vec![waiting.job], now);
                    continue;
                }
            }
            kept.push(waiting);
        }
        self.waiting = kept;
        self.give_up_previews();
    }

    /// The queue has to say which services are still to be rebuilt, before the first one is: those
    /// that the list surely lacks are known by then.
    pub(super) fn wants_order(&self) -> bool {
        self.unchecked_jobs.is_some()
            && !self.options.no_wait
            && self.list.is_read()
            && !self.is_ending()
    }

    /// The queue's answer, in the manifest's order. Returns the jobs to be left out; none where so
    /// many are missing that a filter in the panel is likelier.
    pub(super) fn check_order(&mut self, queued: &[(JobId, ServiceId)]) -> Vec<JobId> {
        let jobs = self.unchecked_jobs.take().unwrap_or_default();
        let missing: Vec<(JobId, ServiceId)> = queued
            .iter()
            .copied()
            .filter(|(_, service)| self.poller.is_surely_absent(*service, &self.list))
            .collect();
        let count = missing.len() as u64;
        match missing.first() {
            Some((_, first)) if count.saturating_mul(10) > jobs => {
                self.halt_for(Halt::NotListed {
                    missing: count,
                    jobs,
                    first: *first,
                });
                Vec::new()
            }
            _ => missing.into_iter().map(|(job, _)| job).collect(),
        }
    }

    /// They are not in the account's list: they fail untouched, and that is no failure of the run.
    pub(super) fn leave_out(&mut self, jobs: Vec<QueuedJob>, now: Now) {
        let left_out: HashSet<JobId> = jobs.iter().map(|job| job.id).collect();
        self.waiting
            .retain(|waiting| !left_out.contains(&waiting.job.id));
        for mut job in jobs {
            let entry = LedgerEntry::Untouched {
                failure: not_listed(),
            };
            self.step(&mut job, entry, now.unix_ms);
        }
    }

    /// Jobs that the failure budget lets start, even if everything in flight fails too.
    pub(super) fn headroom(&self) -> usize {
        budget::headroom(self.budget, self.failures(), self.at_risk())
    }

    /// One more failure is within the budget.
    pub(super) fn may_fail(&self) -> bool {
        self.headroom() > 0
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
                baseline: baseline.map(Box::new),
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
        let Some(listed) = self.list.get(service) else {
            return Err(if self.poller.is_surely_absent(service, &self.list) {
                Readiness::NotListed
            } else {
                Readiness::NeedsReading { deferred: true }
            });
        };
        // This run has seen it: a list that is empty for a moment, or a filter that the owner has just
        // set, must not cost the rest of the night. It is looked for as long as a busy one is.
        if listed.page.is_none() {
            return Err(Readiness::NeedsReading { deferred: true });
        }
        let age = now
            .at
            .saturating_duration_since(listed.observation.requested_at);
        if age > BASELINE_AGE_MAX || listed.observation.requested_at < self.fresh_since {
            return Err(Readiness::NeedsReading { deferred: false });
        }
        if !listed.observation.is_ready() {
            return Err(Readiness::NeedsReading { deferred: true });
        }
        Ok(Some(Baseline {
            image: listed.observation.image.clone(),
            status: listed.observation.status.clone(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            name: for_people(listed.name.as_deref()),
            ip: for_people(listed.ip.as_deref()),
        }))
    }

    fn start(&mut self, mut job: QueuedJob, intent: LedgerEntry, now: Now) {
        let LedgerEntry::Intent { zone, .. } = &intent else {
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
        let baseline_at = self
            .list
            .get(job.service)
            .map(|listed| listed.observation.requested_at);
        self.step(&mut job, intent, now.unix_ms);
        self.desk.call(Call::Submit(job.id, Box::new(rebuild)));
        self.submissions_out += 1;
        self.active.insert(
            job.service,
            Active {
                job,
                tracker: None,
                slept: None,
                baseline_at,
            },
        );
    }

    pub(super) fn fail_untouched(&mut self, mut job: QueuedJob, failure: Failure, now: Now) {
        self.step(&mut job, LedgerEntry::Untouched { failure }, now.unix_ms);
        self.count_failure();
    }

    fn never_ready(&self, service: ServiceId) -> Failure {
        match self
            .list
            .get(service)
            .filter(|listed| listed.page.is_some())
        {
            Some(listed) if listed.observation.status.is_empty() => Failure::new(
                "not_ready",
                format!(
                    "the account's list did not say its status for {}",
                    time::short(self.options.rules.rebuild_timeout)
                ),
            ),
            Some(listed) => Failure::new(
                "not_ready",
                format!(
                    "its status was `{}` for {}",
                    crate::text::brief(&listed.observation.status, 40),
                    time::short(self.options.rules.rebuild_timeout)
                ),
            ),
            None => Failure::new(
                "not_listed",
                "the account's list does not show it, or shows its row in a way that cannot be read",
            ),
        }
    }

    fn ask_for_image(&mut self, image: ImageId, service: ServiceId, now: Now) {
        let asked = self
            .images
            .values()
            .filter(|known| matches!(known, KnownImage::Asked { .. }))
            .count();
        let known = self.images.entry(image).or_insert(KnownImage::Wanted {
            not_before: now.at,
            failures: 0,
            lacking: Vec::new(),
        });
        let KnownImage::Wanted {
            not_before,
            failures,
            lacking,
        } = known
        else {
            return;
        };
        let at = (*not_before).max(self.rate.free_at(Purpose::Submission));
        if now.at < at {
            self.wake_by(at);
        } else if asked < PREVIEWS_MAX && self.rate.take(Purpose::Submission, now.at) {
            *known = KnownImage::Asked {
                failures: *failures,
                lacking: std::mem::take(lacking),
            };
            self.desk.call(Call::Preview(image, service));
        }
    }

    /// The instance's form was not seen to lack the image.
    fn may_show_image(&self, image: ImageId, service: ServiceId) -> bool {
        match self.images.get(&image) {
            Some(KnownImage::Wanted { lacking, .. }) => !lacking.contains(&service),
            Some(KnownImage::Asked { .. } | KnownImage::Known { .. }) | None => true,
        }
    }

    /// No instance is left that could show these images: they go without name and zone.
    fn give_up_previews(&mut self) {
        let mut given_up = Vec::new();
        for (image, known) in &mut self.images {
            let KnownImage::Wanted { lacking, .. } = known else {
                continue;
            };
            let may_show = |waiting: &Waiting| {
                waiting.job.image == *image
                    && waiting.deferred_since.is_none()
                    && !lacking.contains(&waiting.job.service)
            };
            if !lacking.is_empty()
                && (lacking.len() >= LACKING_MAX || !self.waiting.iter().any(may_show))
            {
                given_up.push(*image);
                *known = KnownImage::Known {
                    name: None,
                    zone: None,
                };
            }
        }
        for image in given_up {
            let message = format!(
                "no instance that is to get image {image} offers it: `{ZONE_DEFAULT}` is sent as its zone, and its name stays unknown, which is less evidence"
            );
            self.events.push(Event::Warning { message });
        }
    }

    pub(super) fn preview_finished(
        &mut self,
        image: ImageId,
        service: ServiceId,
        result: Read<Preview>,
        now: Now,
    ) {
        let (failures, mut lacking) = match self.images.remove(&image) {
            Some(KnownImage::Asked { failures, lacking }) => (failures, lacking),
            Some(KnownImage::Wanted { .. } | KnownImage::Known { .. }) | None => (0, Vec::new()),
        };
        let known = match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                if let Some(found) = reply.value.image(image) {
                    KnownImage::Known {
                        name: Some(found.name.clone()),
                        zone: found.zone.clone(),
                    }
                } else {
                    // Images differ from data centre to data centre: another instance may offer it.
                    if lacking.is_empty() {
                        let message = format!(
                            "image {image} is not offered to service {service}: another one that is to get it is asked"
                        );
                        self.events.push(Event::Warning { message });
                    }
                    lacking.push(service);
                    KnownImage::Wanted {
                        not_before: now.at,
                        failures,
                        lacking,
                    }
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
                        lacking,
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

/// What the list says for people, as it is kept in the ledger.
pub(super) fn for_people(text: Option<&str>) -> Option<String> {
    text.map(|text| crate::text::brief(text, 64))
}

fn not_listed() -> Failure {
    Failure::new(
        "not_listed",
        "the account's list does not show it: another account's, or a filter is set in the panel",
    )
}
