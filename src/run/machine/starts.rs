//! Which jobs start now: what a job needs before its intent may be written.

use std::collections::HashSet;
use std::time::Duration;

use super::images::{Image, Tried};
use super::inventory::Needs;
use super::{Call, Machine};
use crate::job::{
    Baseline, Failure, FailureKind, ImageId, InstanceStatus, JobId, LedgerEntry, ServiceId,
};
use crate::queue::{QueuedJob, Ready};
use crate::run::poll_schedule::Stage;
use crate::run::rate_limiter::Purpose;
use crate::run::{Halt, Now};
use crate::time;
use crate::zomro::{Preview, Read, ReadError, Rebuild};

/// The page of a job that starts was read within this time.
const BASELINE_AGE_MAX: Duration = Duration::from_mins(5);

/// The documented value of `zone`, sent where nothing better is known.
const ZONE_DEFAULT: &str = "image";

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

/// What is written before a job is sent.
#[derive(Debug)]
struct Intent {
    zone: String,
    baseline: Option<Baseline>,
    target: Option<String>,
}

impl Machine {
    /// Until when (Unix time) jobs have to be due, and how many to ask the store for; `None`: enough is
    /// known.
    pub(super) fn wants_jobs(&self, now: Now) -> Option<(i64, usize)> {
        if self.is_ending() {
            return None;
        }
        self.backlog.wants(self.slots(), self.flights.len(), now)
    }

    /// The store's answer.
    pub(super) fn supplied(&mut self, ready: Ready, now: Now) {
        // The store does not know yet of steps that are still to be committed.
        let mut known = self.backlog.known();
        known.extend(self.desk.moving());
        let flights = &mut self.flights;
        // A doubt that is queued again: an operator has put it back.
        let is_new =
            |job: &QueuedJob| !known.contains(&job.id) && flights.yields_to(job).unwrap_or(true);
        self.backlog
            .supply(ready, is_new, self.gate.delay_max(), now);
    }

    pub(super) fn start_jobs(&mut self, now: Now) {
        if !self.options.no_wait && (!self.inventory.is_scanned() || self.wants_order()) {
            return;
        }
        // One that fell due already waits for a slot, and a slot is freed by an answer.
        if let Some(due_at) = self.backlog.next_due().filter(|due_at| *due_at > now.at) {
            self.wake_by(due_at);
        }
        let mut slots = self.slots();
        let waiting = self.backlog.take_waiting();
        let mut kept = Vec::with_capacity(waiting.len());
        for mut waiting in waiting {
            let readiness = self.readiness(&waiting.job, now);
            if matches!(readiness, Readiness::Ready { .. } | Readiness::NeedsPreview) {
                waiting.deferred_since = None;
            }
            match readiness {
                Readiness::Ready {
                    baseline,
                    target,
                    zone,
                } if slots > 0 => match self.gate.take_slot(Purpose::Submission, now.at, now) {
                    Ok(()) => {
                        slots -= 1;
                        let intent = Intent {
                            zone,
                            baseline: baseline.map(|baseline| *baseline),
                            target,
                        };
                        self.start(waiting.job, intent, now);
                        continue;
                    }
                    Err(at) => self.wake_by(at),
                },
                Readiness::Ready { .. } => {}
                Readiness::NeedsPreview => {
                    self.ask_for_image(waiting.job.image, waiting.job.service, now);
                }
                // How long it has been deferred still counts: that a reading has grown old is no sign
                // of life.
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
        self.backlog.keep_waiting(kept);
        self.give_up_previews();
    }

    /// The store has to say which services are still to be rebuilt, before the first one is: those
    /// that the list surely lacks are known by then.
    pub(super) fn wants_order(&self) -> bool {
        let may_check = !self.options.no_wait && self.inventory.is_read();
        may_check && self.backlog.is_unchecked() && !self.is_ending()
    }

    /// The store's answer, in the manifest's order. Returns the jobs to be left out; none where so
    /// many are missing that a filter in the panel is likelier.
    pub(super) fn check_order(&mut self, queued: &[(JobId, ServiceId)]) -> Vec<JobId> {
        let jobs = self.backlog.check();
        let is_missing =
            |(_, service): &&(JobId, ServiceId)| self.inventory.is_surely_absent(*service);
        let missing: Vec<(JobId, ServiceId)> = queued.iter().filter(is_missing).copied().collect();
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
        self.backlog.leave_out(&left_out);
        for mut job in jobs {
            let failure = not_listed();
            self.step(&mut job, LedgerEntry::Untouched { failure }, now.unix_ms);
        }
    }

    pub(super) fn readiness(&self, job: &QueuedJob, now: Now) -> Readiness {
        let is_named = job.zone.is_some() && self.options.no_wait;
        let image = match self.images.get(job.image) {
            _ if is_named => Some(Image::default()),
            known => known.cloned(),
        };
        // Its instance first: a preview of what cannot be rebuilt tells nothing.
        match (self.baseline(job.service, now), image) {
            (Err(readiness), _) => readiness,
            (Ok(_), None) => Readiness::NeedsPreview,
            (Ok(baseline), Some(image)) => Readiness::Ready {
                baseline: baseline.map(Box::new),
                target: image.name,
                zone: (job.zone.clone().or(image.zone)).unwrap_or_else(|| ZONE_DEFAULT.to_owned()),
            },
        }
    }

    /// What stands on the instance, if its latest reading is fresh and it can be rebuilt.
    fn baseline(&self, service: ServiceId, now: Now) -> Result<Option<Baseline>, Readiness> {
        if self.options.no_wait {
            return Ok(None);
        }
        let Some(listed) = self.inventory.get(service) else {
            return Err(if self.inventory.is_surely_absent(service) {
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
        let observation = &listed.observation;
        let age = now.at.saturating_duration_since(observation.requested_at);
        if age > BASELINE_AGE_MAX || !self.inventory.is_fresh(observation.requested_at) {
            return Err(Readiness::NeedsReading { deferred: false });
        }
        if !observation.is_ready() {
            return Err(Readiness::NeedsReading { deferred: true });
        }
        Ok(Some(Baseline {
            image: observation.image.clone(),
            status: observation.status.clone(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            name: for_people(listed.name.as_deref()),
            ip: for_people(listed.ip.as_deref()),
        }))
    }

    fn start(&mut self, mut job: QueuedJob, intent: Intent, now: Now) {
        let Some(access) = job.access.known().cloned() else {
            let error = "its password was erased: load the manifest again";
            self.fail_untouched(job, Failure::new(FailureKind::PasswordErased, error), now);
            return;
        };
        let Intent {
            zone,
            baseline,
            target,
        } = intent;
        let rebuild = Rebuild {
            service: job.service,
            image: job.image,
            zone: zone.clone(),
            access,
        };
        let listed = self.inventory.get(job.service);
        let baseline_at = listed.map(|listed| listed.observation.requested_at);
        let entry = LedgerEntry::Intent {
            zone,
            baseline,
            target,
        };
        self.step(&mut job, entry, now.unix_ms);
        self.desk.call(Call::Submit(job.id, Box::new(rebuild)));
        self.flights.launch(job, baseline_at);
    }

    pub(super) fn fail_untouched(&mut self, mut job: QueuedJob, failure: Failure, now: Now) {
        self.step(&mut job, LedgerEntry::Untouched { failure }, now.unix_ms);
        self.budget.one_failed();
    }

    fn never_ready(&self, service: ServiceId) -> Failure {
        let waited = time::short(self.options.rules.rebuild_timeout);
        let listed = self.inventory.get(service);
        match listed.filter(|listed| listed.page.is_some()) {
            Some(listed) if listed.observation.status == InstanceStatus::Missing => Failure::new(
                FailureKind::NotReady,
                format!("the account's list did not say its status for {waited}"),
            ),
            Some(listed) => {
                let status = crate::text::brief(listed.observation.status.as_str(), 40);
                Failure::new(
                    FailureKind::NotReady,
                    format!("its status was `{status}` for {waited}"),
                )
            }
            None => Failure::new(
                FailureKind::NotListed,
                "the account's list does not show it, or shows its row in a way that cannot be read",
            ),
        }
    }

    fn ask_for_image(&mut self, image: ImageId, service: ServiceId, now: Now) {
        let Some(not_before) = self.images.may_ask(image, service, now) else {
            return;
        };
        match self.gate.take_slot(Purpose::Submission, not_before, now) {
            Ok(()) => {
                self.images.asked(image);
                self.desk.call(Call::Preview(image, service));
            }
            Err(at) => self.wake_by(at),
        }
    }

    /// Asks for the names that are wanted without a job.
    pub(super) fn name_images(&mut self, now: Now) {
        for (image, services) in self.images.wanted() {
            for service in services {
                self.ask_for_image(image, service, now);
            }
        }
    }

    /// No instance is left that could show these images: they go without name and zone.
    fn give_up_previews(&mut self) {
        let waiting = self.backlog.waiting();
        let given_up = self.images.give_up(|image, lacking| {
            let mut waiting = waiting.iter();
            waiting.any(|waiting| {
                waiting.job.image == image
                    && waiting.deferred_since.is_none()
                    && !lacking.contains(&waiting.job.service)
            })
        });
        for image in given_up {
            self.narrator.warn(format!(
                "no instance that is to get image {image} offers it: `{ZONE_DEFAULT}` is sent as its zone, and its name stays unknown, which is less evidence"
            ));
        }
    }

    pub(super) fn preview_finished(
        &mut self,
        image: ImageId,
        service: ServiceId,
        result: Read<Preview>,
        now: Now,
    ) {
        let error = match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                if let Some(found) = reply.value.image(image) {
                    let told = Image {
                        name: Some(found.name.clone()),
                        zone: found.zone.clone(),
                    };
                    self.images.told(image, told);
                } else if self.images.lacks(image, service, now) {
                    // Images differ from data centre to data centre: another instance may offer it.
                    self.narrator.warn(format!(
                        "image {image} is not offered to service {service}: another one that is to get it is asked"
                    ));
                }
                return;
            }
            Err(error) => error,
        };
        let failures = self.images.failures(image);
        if self.preview_failed(&error, now) {
            let delay = self.gate.delay(failures + 1);
            if self.images.failed(image, delay, now) == Tried::GivenUp {
                self.narrator.warn_once("preview", || {
                    format!("the rebuild preview fails ({error}): images stay without names, which is less evidence")
                });
            }
        } else {
            let delay = self.gate.delay(failures.max(1));
            self.images.again(image, delay, now);
        }
    }

    /// Whether the failure of a preview says something of previews.
    fn preview_failed(&mut self, error: &ReadError, now: Now) -> bool {
        match error {
            // The API's own refusal of a preview: of what else it gives it says nothing.
            ReadError::Failed(failure) if !failure.is_network() => {
                self.gate.got_through();
                true
            }
            ReadError::Failed(_)
            | ReadError::Unauthorized { .. }
            | ReadError::HalfSession { .. }
            | ReadError::Incurable(_)
            | ReadError::Blocked { .. } => {
                self.read_failed(error, now);
                // An outage says nothing about previews.
                !self.gate.is_in_outage()
            }
            ReadError::SlowDown { .. } => {
                self.read_failed(error, now);
                false
            }
        }
    }

    /// Readings that jobs need before they may start, and those of what is in flight.
    pub(super) fn needs(&self, now: Now) -> Needs {
        let mut needs = Needs {
            stale: Vec::new(),
            watched: self.flights.stages(&self.options.rules).collect(),
        };
        // No more than can start soon: a page read too early must be read again.
        let soon = self.slots().min(self.options.workers).saturating_mul(2);
        for service in self.backlog.services() {
            match self.baseline(service, now) {
                Err(Readiness::NeedsReading { deferred: false }) if needs.stale.len() < soon => {
                    needs.stale.push(service);
                }
                Err(Readiness::NeedsReading { deferred: true }) => {
                    needs.watched.push((service, Stage::Open));
                }
                Ok(_) | Err(_) => {}
            }
        }
        needs
    }
}

/// What the list says for people, as it is kept in the ledger.
pub(super) fn for_people(text: Option<&str>) -> Option<String> {
    text.map(|text| crate::text::brief(text, 64))
}

fn not_listed() -> Failure {
    Failure::new(
        FailureKind::NotListed,
        "the account's list does not show it: another account's, or a filter is set in the panel",
    )
}
