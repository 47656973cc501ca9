//! Which jobs start now: what a job needs before its intent may be written.

use std::collections::{HashMap, HashSet};

use super::backlog::Waiting;
use super::images::Image;
use super::inventory::Needs;
use super::witness::Before;
use super::{Call, Machine};
use crate::job::{
    Baseline, Executed, Failure, FailureKind, InstanceStatus, JobId, LedgerEntry, ServiceId,
};
use crate::queue::{QueuedJob, Ready};
use crate::run::poll_schedule::Stage;
use crate::run::rate_limiter::Purpose;
use crate::run::start_order::BASELINE_AGE_MAX;
use crate::run::{Now, StartOrder, budget};
use crate::time;
use crate::zomro::Submission;

/// So many jobs that are next on one page are worth a reading of it before others start.
const NEXT: usize = 8;

/// So many of the next jobs have their instances' host keys read before their turn.
const LOOKS_AHEAD: usize = 24;

/// The store is asked for no more pages of jobs in a turn that hand out nobody: signals and answers have their
/// turn as well.
const ASKED_IN_VAIN_MAX: u32 = 64;

/// May a job start?
#[derive(Debug)]
pub(super) enum Readiness {
    Ready {
        baseline: Option<Box<Baseline>>,
        image: Image,
    },
    /// What its order needs to know must be asked for first.
    NeedsPreview,
    /// The instance's page must be read (again), or its state must change.
    NeedsReading { deferred: bool },
    /// The list surely lacks it.
    NotListed,
    /// Something else stands there than its order expects.
    Differs(Failure),
}

impl Machine {
    /// Until when (Unix time) jobs have to be due, and how many to ask the store for; `None`: enough is
    /// known.
    pub(super) fn wants_jobs(&self, now: Now) -> Option<(i64, usize)> {
        if self.is_ending() || !self.knows_rollout() {
            return None;
        }
        if !self.needs_no_more_of_the_list() && self.backlog.waiting().len() >= self.options.workers
        {
            return None; // the first wave
        }
        if self.course.asked_in_vain >= ASKED_IN_VAIN_MAX {
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
        let delay_max = self.gate.delay_max();
        match &self.course.asked_for {
            Some((page, asked)) => {
                self.course.asked_in_vain += u32::from(ready.jobs.is_empty());
                let handed: HashSet<JobId> = ready.jobs.iter().map(|job| job.id).collect();
                self.rollout
                    .sequence
                    .had_their_turn(*page, asked, &handed, &known);
                let place: HashMap<JobId, usize> = asked.iter().copied().zip(0..).collect();
                let mut jobs = ready.jobs;
                jobs.sort_by_key(|job| place.get(&job.id).copied());
                let ready = Ready {
                    jobs,
                    is_all: false,
                    next_ms: None,
                };
                self.backlog.supply(ready, is_new, delay_max, now);
            }
            None => self.backlog.supply(ready, is_new, delay_max, now),
        }
    }

    /// What may start before all of the list was read: a first wave of jobs that expect nothing of their
    /// instances, in the manifest's order. Who is missing, and whether those are too many, only the whole list
    /// tells. What has begun can't be watched before, so little of the list may be left, and it is not put off
    /// for long; and nothing that has to be proven starts so.
    fn may_start_early(&self, now: Now) -> bool {
        let inventory = &self.account.inventory;
        let Some(scan_takes) = inventory.scan_takes(self.gate.interval()) else {
            return false;
        };
        let Some((_, Some(total))) = inventory.scan_progress() else {
            return false;
        };
        let surely_missing = self.narrator.queued().saturating_sub(total);
        let unwatched = self.options.rules.settle / 3;
        !inventory.is_scanned()
            && scan_takes <= unwatched
            && !self.flights.has_begun_before(unwatched, now)
            && self.options.rollout.order != StartOrder::List
            && self.rollout.canaries.each().is_none()
            && !budget::lacks_too_many(surely_missing, self.account.order_check.jobs())
    }

    /// The list was read as well as it could be, or nobody reads it.
    pub(super) fn needs_no_more_of_the_list(&self) -> bool {
        self.options.no_wait || self.account.inventory.is_scanned()
    }

    /// One of those waits, and the list has shown its instance: the account is the right one for it.
    pub(super) fn has_early_ones(&self, now: Now) -> bool {
        let mut waiting = self.backlog.waiting().iter();
        let is_listed = |waiting: &Waiting| {
            let page = self.account.inventory.page_of(waiting.job.service);
            waiting.job.expected.is_nothing() && page.is_some()
        };
        self.may_start_early(now) && waiting.any(is_listed)
    }

    /// After the first wave the list's order begins, if it is taken: what waits is asked for anew.
    fn begin_list_order(&mut self) {
        if self.rollout.sequence.begins(self.flights.launched()) {
            self.backlog.let_go();
        }
    }

    pub(super) fn start_jobs(&mut self, now: Now) {
        let is_whole = self.needs_no_more_of_the_list();
        if self.wants_order() || !(is_whole || self.may_start_early(now)) {
            return;
        }
        self.begin_list_order();
        if !self.may_send() || !self.knows_rollout() || self.course.instructions.is_held() {
            return;
        }
        // One that fell due already waits for a slot, and a slot is freed by an answer.
        if let Some(due_at) = self.backlog.next_due().filter(|due_at| *due_at > now.at) {
            self.wake_by(due_at);
        }
        let mut slots = self.slots();
        let ahead = (slots + 2).min(LOOKS_AHEAD);
        let first_wave = self.options.workers.saturating_sub(self.flights.launched());
        let waiting = self.backlog.take_waiting();
        let mut kept = Vec::with_capacity(waiting.len());
        for (place, mut waiting) in waiting.into_iter().enumerate() {
            if !is_whole && (place >= first_wave || !waiting.job.expected.is_nothing()) {
                kept.push(waiting);
                continue;
            }
            if !self.is_admitted(&waiting.job) {
                continue; // it is asked for again when its turn has come
            }
            let readiness = self.readiness(&waiting.job, now);
            if matches!(readiness, Readiness::Ready { .. } | Readiness::NeedsPreview) {
                waiting.deferred_since = None;
            }
            match readiness {
                Readiness::Ready { baseline, image } if slots > 0 => {
                    match self.start_if_known(waiting, image, baseline, now) {
                        None => slots -= 1,
                        // Nobody overtakes one that can't start yet.
                        Some(waiting) => {
                            slots = 0;
                            kept.push(waiting);
                        }
                    }
                    continue;
                }
                Readiness::Ready { .. } if place < ahead => {
                    self.look_before(&waiting.job, false, now);
                }
                Readiness::Ready { .. } => {}
                Readiness::NeedsPreview => {
                    if place < ahead {
                        self.look_before(&waiting.job, false, now);
                    }
                    self.prepare(&waiting.job, now);
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
                Readiness::Differs(failure) if !self.is_ending() => {
                    self.fail_mismatched(waiting.job, failure, now);
                    if self.is_ending() {
                        slots = 0;
                    }
                    continue;
                }
                Readiness::Differs(_) => {}
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
        // Its instance first: a preview of what may not begin tells nothing.
        match (self.baseline(job, now), self.prepared(job)) {
            (Err(readiness), _) => readiness,
            (Ok(_), None) => Readiness::NeedsPreview,
            (Ok(baseline), Some(image)) => Readiness::Ready {
                baseline: baseline.map(Box::new),
                image,
            },
        }
    }

    /// What stands on the instance, if its latest reading is fresh and its order may begin.
    fn baseline(&self, job: &QueuedJob, now: Now) -> Result<Option<Baseline>, Readiness> {
        if self.options.no_wait {
            // The command line refuses that; it must not get through to the API all the same.
            return if job.expected.is_nothing() {
                Ok(None)
            } else {
                let error = "its order expects something of it, and --no-wait reads no list";
                Err(Readiness::Differs(plan_mismatch(error)))
            };
        }
        let Some(listed) = self.account.inventory.get(job.service) else {
            return Err(if self.account.inventory.is_surely_absent(job.service) {
                Readiness::NotListed
            } else {
                // What the first scan has not come to yet says nothing of itself.
                let deferred = self.account.inventory.is_scanned();
                Readiness::NeedsReading { deferred }
            });
        };
        // This run has seen it: a list that is empty for a moment, or a filter that the owner has just
        // set, must not cost the rest of the night. It is looked for as long as a busy one is.
        if listed.page.is_none() {
            return Err(Readiness::NeedsReading { deferred: true });
        }
        let observation = &listed.observation;
        let age = now.at.saturating_duration_since(observation.requested_at);
        if age > BASELINE_AGE_MAX || !self.account.inventory.is_fresh(observation.requested_at) {
            return Err(Readiness::NeedsReading { deferred: false });
        }
        if !job.order.action().may_begin(&observation.status) {
            return Err(Readiness::NeedsReading { deferred: true });
        }
        let is_touched = job.record.executed() != Executed::No;
        if let Some(error) = listed.mismatch(&job.expected, is_touched) {
            return Err(Readiness::Differs(plan_mismatch(error)));
        }
        Ok(Some(Baseline {
            image: observation.image.clone(),
            status: observation.status.clone(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            name: for_people(listed.name.as_deref()),
            ip: for_people(listed.ip.as_deref()),
            host_key: None,
            own_image: false,
        }))
    }

    /// Starts a job that is ready, if its instance's host key is known as well as it will be, and a call may
    /// be made now. Returns it otherwise.
    fn start_if_known(
        &mut self,
        waiting: Waiting,
        image: Image,
        baseline: Option<Box<Baseline>>,
        now: Now,
    ) -> Option<Waiting> {
        let free_at = self.gate.free_at(Purpose::Submission);
        if free_at > now.at {
            self.look_before(&waiting.job, false, now);
            self.wake_by(free_at);
            return Some(waiting);
        }
        let Before::Known(host_key) = self.key_before(&waiting.job, now) else {
            self.look_before(&waiting.job, true, now);
            return Some(waiting);
        };
        if let Err(at) = self.gate.take_slot(Purpose::Submission, now.at, now) {
            self.wake_by(at);
            return Some(waiting);
        }
        let own_image = image.may_be_own(waiting.job.order.zone());
        let baseline = baseline.map(|baseline| Baseline {
            host_key,
            own_image,
            ..*baseline
        });
        self.start(waiting.job, image, baseline, now);
        None
    }

    fn start(&mut self, mut job: QueuedJob, image: Image, baseline: Option<Baseline>, now: Now) {
        let Some(order) = job.order.with_secret() else {
            let error = "its password was erased: load the manifest again";
            self.fail_untouched(job, Failure::new(FailureKind::PasswordErased, error), now);
            return;
        };
        let order = order.or_zone(image.zone);
        let entry = LedgerEntry::Intent {
            task: order.task(image.name),
            baseline,
        };
        let submission = Submission {
            service: job.service,
            order,
        };
        let listed = self.account.inventory.get(job.service);
        let baseline_at = listed.map(|listed| listed.observation.requested_at);
        self.account.witness.forget(job.service);
        self.step(&mut job, entry, now.unix_ms);
        self.desk.call(Call::Submit(job.id, Box::new(submission)));
        self.flights.launch(job, baseline_at, now);
    }

    pub(super) fn fail_untouched(&mut self, mut job: QueuedJob, failure: Failure, now: Now) {
        self.step(&mut job, LedgerEntry::Untouched { failure }, now.unix_ms);
        self.budget.one_failed();
    }

    /// Something else stands there: it fails untouched, and that is no failure of the run, as long as
    /// there are few.
    fn fail_mismatched(&mut self, mut job: QueuedJob, failure: Failure, now: Now) {
        self.step(&mut job, LedgerEntry::Untouched { failure }, now.unix_ms);
        self.budget.one_mismatched();
        if let Some(halt) = self.too_many_mismatches(0) {
            self.halt_for(halt);
        }
    }

    fn never_ready(&self, service: ServiceId) -> Failure {
        let waited = time::short(self.options.rules.rebuild_timeout);
        let listed = self.account.inventory.get(service);
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

    /// The page on which all of the next jobs stand, if it has to be read again before they may start. To
    /// start others meanwhile that stand further on would scatter what is in flight.
    pub(super) fn next_page_to_start_on(&self, now: Now) -> Option<u32> {
        let cannot_start = self.slots() == 0 || self.course.instructions.is_held();
        if cannot_start || self.account.inventory.is_failing() {
            return None;
        }
        let waiting = self.backlog.waiting().iter();
        let mut next = waiting.filter(|waiting| waiting.deferred_since.is_none());
        let page_of = |waiting: &Waiting| self.account.inventory.page_of(waiting.job.service);
        let is_stale = |waiting: &&Waiting| {
            let baseline = self.baseline(&waiting.job, now);
            matches!(baseline, Err(Readiness::NeedsReading { deferred: false }))
        };
        // While one is left to be started: a reading may not follow upon another at once.
        let first = next.by_ref().take(2).find(is_stale)?;
        let page = page_of(first)?;
        let stand_there = next
            .take(NEXT - 1)
            .all(|waiting| page_of(waiting) == Some(page));
        stand_there.then_some(page)
    }

    /// Readings that jobs need before they may start, and those of what is in flight.
    pub(super) fn needs(&self, now: Now) -> Needs {
        let mut needs = Needs {
            stale: Vec::new(),
            watched: self.flights.stages(&self.options.rules).collect(),
            is_hungry: self.slots() == 0 && !self.backlog.is_empty(),
        };
        if self.course.instructions.is_held() {
            return needs;
        }
        // No more than can start soon: a page read too early must be read again.
        let soon = self.slots().min(self.options.workers).saturating_mul(2);
        for waiting in self.backlog.waiting() {
            let service = waiting.job.service;
            match self.baseline(&waiting.job, now) {
                Err(Readiness::NeedsReading { deferred: false }) if needs.stale.len() < soon => {
                    needs.stale.push(service);
                }
                Err(Readiness::NeedsReading { deferred: true }) => {
                    needs.watched.push((service, Stage::Busy));
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

fn plan_mismatch(error: impl Into<String>) -> Failure {
    Failure::new(FailureKind::PlanMismatch, error)
}

fn not_listed() -> Failure {
    Failure::new(
        FailureKind::NotListed,
        "the account's list does not show it: another account's, or a filter is set in the panel",
    )
}
