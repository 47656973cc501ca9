//! What a page of the account's list means for the jobs on it.

use std::collections::HashSet;
use std::time::Instant;

use super::flights::Flight;
use super::inventory::{Needs, NextPage, Unread};
use super::starts::for_people;
use super::{Call, Machine};
use crate::job::{Evidence, Failure, FailureKind, LedgerEntry, ServiceId, ShownKey, State};
use crate::queue::QueuedJob;
use crate::run::Now;
use crate::run::evidence::{self, Absence, Doubt, Observation, Progress, Surroundings, Tracker};
use crate::run::rate_limiter::Purpose;
use crate::zomro::{Page, Read, ReadError, Reply};

impl Machine {
    /// Asks for the next page, if one is wanted and may be read now.
    pub(super) fn read_list(&mut self, now: Now) {
        if self.options.no_wait || self.account.inventory.is_reading() {
            return;
        }
        // A scan goes through all pages, whoever needs which.
        let needs = if self.account.inventory.scan_progress().is_some() {
            Needs::default()
        } else {
            self.needs(now)
        };
        let rules = self.options.rules;
        match self.account.inventory.next_page(&needs, &rules, now) {
            NextPage::Nothing => {}
            NextPage::At(at) => self.wake_by(at),
            NextPage::Read(page, purpose, not_before) => {
                match self.gate.take_slot(purpose, not_before, now) {
                    Ok(()) => {
                        self.account.inventory.asked(page);
                        self.desk.call(Call::Page(page));
                    }
                    Err(at) => self.wake_by(at),
                }
            }
        }
    }

    /// Asks for the page that is worth more than a submission, if one is.
    pub(super) fn read_what_is_urgent(&mut self, now: Now) {
        let is_free = self.gate.free_at(Purpose::Poll) <= now.at;
        if self.options.no_wait || !self.account.inventory.may_choose(now) || !is_free {
            return;
        }
        let rules = self.options.rules;
        let watched: Vec<_> = self.flights.stages(&rules).collect();
        let page = self.account.inventory.urgent_page(&watched, &rules, now);
        if let Some(page) = page.or_else(|| self.next_page_to_start_on(now))
            && self.gate.take_slot(Purpose::Poll, now.at, now).is_ok()
        {
            self.account.inventory.asked(page);
            self.desk.call(Call::Page(page));
        }
    }

    pub(super) fn page_finished(&mut self, asked: u32, result: Read<Page>, now: Now) {
        match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                self.page_read(asked, &reply, now);
            }
            Err(error) => {
                self.read_failed(&error, now);
                let message = error.to_string();
                let why = match error {
                    ReadError::Unauthorized { .. } => Unread::Refused(&message),
                    ReadError::SlowDown { .. } => Unread::SlowDown,
                    ReadError::Failed(_)
                    | ReadError::HalfSession { .. }
                    | ReadError::Incurable(_)
                    | ReadError::Blocked { .. } => Unread::Failed(&message),
                };
                let failures = self.account.inventory.not_read(why, now);
                let delay = self.gate.delay(failures);
                self.account.inventory.rest(delay, now);
            }
        }
        self.account
            .inventory
            .ended(asked, &self.options.rules, now);
    }

    fn page_read(&mut self, asked: u32, reply: &Reply<Page>, now: Now) {
        let Some(news) = self.account.inventory.read(asked, reply, now) else {
            return;
        };
        // Doubts last: what the other rows of the page show counts for them. Before them those with a new key,
        // for which it counts as well, and whose jobs may prove the page to be alive.
        let mut seen = news.seen;
        let flights = &self.flights;
        seen.sort_by_cached_key(|(service, _)| {
            (
                flights.is_in_doubt(*service),
                flights.needs_its_page(*service),
            )
        });
        let mut alive_since = None;
        for (service, observation) in seen {
            let around = Surroundings {
                alive_since,
                more_to_come: self.flights.is_in_doubt(service) && self.more_to_come(service),
                ..Surroundings::default()
            };
            self.judge_row(service, &observation, around, reply, now);
            alive_since = alive_since.max(self.flights.proves_life(service, &observation));
        }
        for service in news.unclear {
            self.judge_unseen(service, Absence::unclear(reply.requested_at), now);
        }
        if let Some((began_at, complete)) = news.scan_ended {
            self.judge_absent(Absence::from_list(began_at, complete), now);
            if !complete {
                self.narrator.warn_once("scan", || {
                    "the account's list contradicts itself from page to page; instances it does not show are looked for again".to_owned()
                });
            }
        }
    }

    fn judge_row(
        &mut self,
        service: ServiceId,
        observation: &Observation,
        around: Surroundings,
        reply: &Reply<Page>,
        now: Now,
    ) {
        if let Some(flight) = self.flights.take(service)
            && let Some(flight) = self.judge(flight, observation, around, reply, now)
        {
            self.flights.put(flight);
        }
    }

    /// A job may still come whose effect would prove the doubt's page to be alive, or, where both get the
    /// same image, that the list spells its name as the preview does.
    fn more_to_come(&self, service: ServiceId) -> bool {
        let page = self.account.inventory.page_of(service);
        let Some(doubt) = self.flights.job(service) else {
            return false;
        };
        let serves = |job: &QueuedJob| {
            let is_on_its_page =
                page.is_some() && self.account.inventory.page_of(job.service) == page;
            let image = job.order.image();
            is_on_its_page || (image.is_some() && image == doubt.order.image())
        };
        // Doubts alone never make room: what is queued then has to wait for the operator.
        let may_start = !self.is_ending() && (self.may_fail() || self.in_flight() > 0);
        let mut waiting = self.backlog.waiting().iter();
        let is_queued = !self.backlog.is_exhausted()
            || self.backlog.has_late()
            || waiting.any(|waiting| serves(&waiting.job));
        self.flights.awaits_an_effect(serves) || (may_start && is_queued)
    }

    /// What a reading means for a job: the job, if it is still to be waited for.
    fn judge(
        &mut self,
        mut flight: Flight,
        observation: &Observation,
        around: Surroundings,
        reply: &Reply<Page>,
        now: Now,
    ) -> Option<Flight> {
        let Some(mut tracker) = flight.tracker.take() else {
            return Some(flight);
        };
        let around = Surroundings {
            host_keys: self.judged_keys(&flight.job),
            ..around
        };
        let rules = self.options.rules;
        let at_ms = reply.answered_ms;
        if flight.job.record.state == State::InDoubt {
            let case = flight.case(observation, &rules);
            let learned = self.flights.learned();
            match evidence::judge_doubt(case, learned, &mut tracker, around) {
                Doubt::Open => {}
                Doubt::Executed => {
                    let entry = LedgerEntry::Sighted {
                        status: observation.status.clone(),
                        image: observation.image.clone(),
                    };
                    self.step(&mut flight.job, entry, at_ms);
                }
                Doubt::Rekeyed => self.rekeyed(&mut flight.job, &tracker, at_ms),
                Doubt::NotExecuted => {
                    flight.tracker = Some(tracker);
                    match self.another_machine(&flight.job) {
                        Some(reason) => self.hold(flight, reason, now),
                        None => self.disprove(flight, now),
                    }
                    return None;
                }
                Doubt::Hold(reason) => {
                    flight.tracker = Some(tracker);
                    self.hold(flight, reason, now);
                    return None;
                }
            }
        }
        if flight.job.record.state == State::InProgress {
            let case = flight.case(observation, &rules);
            let learned = self.flights.learned_mut();
            evidence::learn(case, learned, &mut tracker, reply.answered_at);
            let entry = match evidence::judge_progress(case, learned, &mut tracker, around) {
                Progress::Waiting => None,
                Progress::Begun => Some(LedgerEntry::Sighted {
                    status: observation.status.clone(),
                    image: observation.image.clone(),
                }),
                Progress::Complete { evidence, remark } => {
                    self.seen_through(&flight, &tracker, evidence, observation);
                    Some(LedgerEntry::Completed {
                        evidence,
                        status: observation.status.clone(),
                        image: observation.image.clone(),
                        remark,
                        hook: rules.hooks,
                    })
                }
                Progress::Broken(failure) => {
                    self.budget.one_failed();
                    Some(LedgerEntry::Broken { failure })
                }
                Progress::Unclear(failure) => {
                    self.give_up(flight, failure, now);
                    return None;
                }
            };
            if let Some(entry) = entry {
                self.step(&mut flight.job, entry, at_ms);
                self.flights.learn_duration(&flight.job);
                self.look_out_for_key(&flight.job, now);
            }
        }
        flight.tracker = Some(tracker);
        (!flight.job.record.state.is_final()).then_some(flight)
    }

    /// Its new host key proves that it was executed.
    fn rekeyed(&mut self, job: &mut QueuedJob, tracker: &Tracker, at_ms: i64) {
        if let Some((before, key)) = job.record.key_before().zip(tracker.keys().new_key()) {
            let shown = ShownKey {
                address: before.address,
                key: key.clone(),
            };
            self.step(job, LedgerEntry::Rekeyed { shown }, at_ms);
        }
    }

    /// A rebuild is complete: what that teaches of the list, and of how long rebuilds take.
    fn seen_through(
        &mut self,
        flight: &Flight,
        tracker: &Tracker,
        evidence: Evidence,
        observation: &Observation,
    ) {
        if let Some(at_work_until) = tracker.at_work_until()
            && evidence == Evidence::Observed
            && flight.job.record.accepted
        {
            let since = |at: Instant| at.saturating_duration_since(tracker.sent_at());
            let (after, until) = (since(at_work_until), since(observation.requested_at));
            let image = flight.job.order.image();
            self.account.inventory.learn_duration(image, after, until);
        }
        self.flights.seen_through(flight, evidence, observation);
    }

    /// Why the machine on the list is not the one that the intent meant: deleted and ordered anew
    /// under the same id, it has an old image because it is new. Its address tells, where the list
    /// gives one; the owner's name for it is free to change.
    fn another_machine(&self, job: &QueuedJob) -> Option<String> {
        let meant = job.record.baseline.as_ref()?.ip.as_deref()?;
        let found = for_people(self.account.inventory.get(job.service)?.ip.as_deref())?;
        (found != meant).then(|| {
            format!("its address was {meant} and is {found} now: it may be another machine")
        })
    }

    /// Proof that nothing was executed: again, if a retry is left.
    fn disprove(&mut self, mut flight: Flight, now: Now) {
        let retries = flight.job.record.retries;
        let entry = if retries < self.options.rules.retries {
            let delay = self.gate.delay(retries + 1);
            LedgerEntry::Disproved {
                not_before_ms: now.after_ms(delay),
            }
        } else {
            self.budget.one_failed();
            let failure = flight.job.record.failure.clone();
            LedgerEntry::Exhausted {
                failure: failure.unwrap_or_else(|| {
                    Failure::new(FailureKind::NotExecuted, "it was never executed")
                }),
            }
        };
        self.step(&mut flight.job, entry, now.unix_ms);
    }

    /// A rebuild whose end cannot be told: in doubt, and nothing more is to be expected. That it was executed
    /// is known, and so its history is not asked for.
    fn give_up(&mut self, mut flight: Flight, failure: Failure, now: Now) {
        let reason = failure.error.clone();
        self.step(
            &mut flight.job,
            LedgerEntry::Doubted { failure },
            now.unix_ms,
        );
        self.hold_now(flight, reason, now);
    }

    /// A scan has ended: who is not in the list?
    fn judge_absent(&mut self, absence: Absence, now: Now) {
        let is_absent = |service: &ServiceId| self.account.inventory.page_of(*service).is_none();
        let mut absent: Vec<ServiceId> = self.flights.services().filter(is_absent).collect();
        absent.sort_unstable();
        if absence.complete {
            let waiting = self.backlog.services().filter(is_absent);
            let all: HashSet<ServiceId> = absent.iter().copied().chain(waiting).collect();
            let gone = self.account.inventory.set_absent(all);
            if let Some(first) = gone.first() {
                self.narrator.warn_once("absent", || {
                    let count = gone.len();
                    format!(
                        "{count} of the services at work or waiting have gone from the account's list ({first}, …): \
                         if a filter is set in the panel, clear it"
                    )
                });
            }
        }
        for service in absent {
            self.judge_unseen(service, absence, now);
        }
    }

    /// A reading has not shown the instance: the time of its job may be over.
    fn judge_unseen(&mut self, service: ServiceId, absence: Absence, now: Now) {
        let Some(mut flight) = self.flights.take(service) else {
            return;
        };
        let (action, rules) = (flight.action(), &self.options.rules);
        match (&mut flight.tracker, flight.job.record.state) {
            (Some(tracker), State::InDoubt) => {
                let list_lag = self.flights.learned().lag(action);
                let doubt = evidence::judge_absence(tracker, absence, list_lag, rules);
                if let Doubt::Hold(reason) = doubt {
                    return self.hold(flight, reason, now);
                }
            }
            (Some(tracker), State::InProgress) => {
                let progress = evidence::judge_absence_in_progress(action, tracker, absence, rules);
                if let Progress::Unclear(failure) = progress {
                    return self.give_up(flight, failure, now);
                }
            }
            // Its answer is outstanding, or it has ended.
            (None, _)
            | (
                Some(_),
                State::Submitting | State::Queued | State::Done | State::Failed | State::Cancelled,
            ) => {}
        }
        self.flights.put(flight);
    }
}
