//! Jobs that were sent: submissions whose answers are outstanding, and rebuilds and doubts that are
//! watched until they end.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::job::{Action, Evidence, Failure, JobId, JobRecord, ServiceId, State};
use crate::queue::QueuedJob;
use crate::run::evidence::{self, Case, Learned, ListLag, Observation, Rules, Tracker};
use crate::run::poll_schedule::{Stage, Underway};
use crate::run::{Durations, Now};
use crate::zomro::{HalfSession, Sent};

/// A job that this run waits for.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) job: QueuedJob,
    /// `None` while its answer is outstanding.
    pub(super) tracker: Option<Tracker>,
    /// The process was suspended while its answer was outstanding: how much longer than the
    /// monotonic clock says.
    pub(super) slept: Option<Duration>,
    /// When its baseline was read, if this run sent it.
    pub(super) baseline_at: Option<Instant>,
    /// When its host key is looked at next; `None`: it was not looked at yet.
    pub(super) next_look_at: Option<Instant>,
}

impl Flight {
    /// Of a job that an earlier process has sent.
    pub(super) fn inherited(job: QueuedJob, tracker: Tracker) -> Self {
        Self {
            job,
            tracker: Some(tracker),
            slept: None,
            baseline_at: None,
            next_look_at: None,
        }
    }

    /// What is done to the instance.
    pub(super) fn action(&self) -> Action {
        self.job.order.action()
    }

    /// What a reading shows of it, to be judged.
    pub(super) fn case<'a>(&'a self, observation: &'a Observation, rules: &'a Rules) -> Case<'a> {
        Case {
            action: self.action(),
            record: &self.job.record,
            observation,
            rules,
        }
    }

    fn is_in_doubt(&self) -> bool {
        self.job.record.state == State::InDoubt
    }

    /// What the other rows of its page show counts for it: it is in doubt, or its host key is new.
    fn needs_its_page(&self) -> bool {
        let tracker = self.tracker.as_ref();
        self.is_in_doubt() || tracker.is_some_and(|tracker| tracker.keys().is_new())
    }

    /// It takes a slot: it is in flight, or it may be although nobody knows.
    fn takes_slot(&self, list_lag: &ListLag, rules: &Rules) -> bool {
        match self.job.record.state {
            State::Submitting | State::InProgress => true,
            State::InDoubt => (self.tracker.as_ref())
                .is_some_and(|tracker| !tracker.outlived_its_window(list_lag, rules)),
            State::Queued | State::Done | State::Failed | State::Cancelled => false,
        }
    }

    /// What the next reading may tell of it; `None`: nothing, its answer is still outstanding.
    fn stage(&self, list_lag: &ListLag, rules: &Rules) -> Option<Stage> {
        let tracker = self.tracker.as_ref()?;
        let record = &self.job.record;
        let underway = Underway {
            sent_at: tracker.sent_at(),
            image: self.job.order.image(),
        };
        Some(match record.state {
            State::InProgress => match tracker.confirmed_from(rules) {
                Some(from) => Stage::Back(from),
                None if record.rebuilding_seen => Stage::Seen(underway),
                None => Stage::Unseen(underway),
            },
            State::InDoubt if tracker.outlived_its_window(list_lag, rules) => Stage::Patient,
            // The others are not watched.
            State::InDoubt
            | State::Submitting
            | State::Queued
            | State::Done
            | State::Failed
            | State::Cancelled => Stage::Doubt,
        })
    }
}

/// A submission whose answer another call has to explain.
#[derive(Debug)]
pub(super) struct Unconfirmed {
    pub(super) service: ServiceId,
    pub(super) sent: Option<Sent>,
    pub(super) answered_ms: i64,
    pub(super) answered_at: Instant,
    /// What it means if no other call is answered alike.
    pub(super) failure: Failure,
}

/// A job that this run has seen through while doubts were watched: it may prove that its page of the
/// list is alive.
#[derive(Debug)]
struct Proven {
    baseline_at: Instant,
    action: Action,
    record: JobRecord,
}

/// All that was sent.
#[derive(Debug, Default)]
pub(super) struct Flights {
    of_service: HashMap<ServiceId, Flight>,
    /// Submissions whose answers are outstanding.
    out: usize,
    /// Submissions of this run, and when the first one was.
    launched: usize,
    launched_at: Option<Instant>,
    unconfirmed: Vec<Unconfirmed>,
    /// What an answer asked for that the session does not have.
    half_session: Option<HalfSession>,
    learned: Learned,
    proven: HashMap<ServiceId, Proven>,
    durations: Durations,
}

impl Flights {
    /// Nothing was sent yet; earlier rebuilds took so long.
    pub(super) fn new(durations: Durations) -> Self {
        Self {
            durations,
            ..Self::default()
        }
    }

    /// How long rebuilds take.
    pub(super) fn durations(&self) -> &Durations {
        &self.durations
    }

    /// A job is done: how long that took.
    pub(super) fn learn_duration(&mut self, job: &QueuedJob) {
        if let Some(took) = job.record.took() {
            self.durations.learn(job.order.image(), took);
        }
    }

    /// A submission is about to be made.
    pub(super) fn launch(&mut self, job: QueuedJob, baseline_at: Option<Instant>, now: Now) {
        self.out += 1;
        self.launched += 1;
        self.launched_at.get_or_insert(now.at);
        self.put(Flight {
            job,
            tracker: None,
            slept: None,
            baseline_at,
            next_look_at: None,
        });
    }

    /// So many submissions of this run.
    pub(super) fn launched(&self) -> usize {
        self.launched
    }

    /// The first of them was so long ago.
    pub(super) fn has_begun_before(&self, long: Duration, now: Now) -> bool {
        now.is_past(self.launched_at, long) && self.launched_at.is_some()
    }

    /// The answer to a submission has come. `None`: its job was moved by somebody else.
    pub(super) fn land(&mut self, service: ServiceId) -> Option<Flight> {
        let flight = self.take(service)?;
        self.out -= 1;
        Some(flight)
    }

    pub(super) fn take(&mut self, service: ServiceId) -> Option<Flight> {
        self.of_service.remove(&service)
    }

    pub(super) fn put(&mut self, flight: Flight) {
        self.of_service.insert(flight.job.service, flight);
    }

    /// These jobs are given up: somebody else has moved them, or their steps could not be written.
    pub(super) fn give_up(&mut self, jobs: &HashSet<JobId>) {
        let given_up = |flight: &&Flight| jobs.contains(&flight.job.id);
        let is_out = |flight: &&Flight| flight.job.record.state == State::Submitting;
        let flights = self.of_service.values();
        self.out -= flights.filter(given_up).filter(is_out).count();
        self.of_service
            .retain(|_, flight| !jobs.contains(&flight.job.id));
    }

    /// Of the doubts only these are watched any longer: of the others the operator has given his word.
    /// Returns the others.
    pub(super) fn keep_doubts(&mut self, in_doubt: &HashSet<JobId>) -> Vec<JobId> {
        let is_told = |flight: &Flight| flight.is_in_doubt() && !in_doubt.contains(&flight.job.id);
        let told = self.of_service.extract_if(|_, flight| is_told(flight));
        told.map(|(_, flight)| flight.job.id).collect()
    }

    /// A queued job is in flight here: whether it is a doubt that an operator has put back, which ends
    /// its watch. `None`: nothing of its service is in flight.
    pub(super) fn yields_to(&mut self, job: &QueuedJob) -> Option<bool> {
        let flight = self.of_service.get(&job.service)?;
        let was_put_back = flight.job.id == job.id && flight.is_in_doubt();
        if was_put_back {
            self.of_service.remove(&job.service);
        }
        Some(was_put_back)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.of_service.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.of_service.len()
    }

    /// Submissions whose answers are outstanding.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// Jobs that take a slot: submitting, in progress and waited for by this run, or in a doubt whose
    /// window has not passed yet (it may be rebuilding). The one rule for slots: starts and poller
    /// mean this.
    pub(super) fn in_flight(&self, rules: &Rules) -> usize {
        let takes_slot =
            |flight: &&Flight| flight.takes_slot(self.learned.lag(flight.action()), rules);
        self.of_service.values().filter(takes_slot).count()
    }

    /// Jobs in doubt that are watched.
    pub(super) fn doubts(&self) -> usize {
        let flights = self.of_service.values();
        flights.filter(|flight| flight.is_in_doubt()).count()
    }

    /// Jobs that may still go wrong, those aside that are in doubt already.
    pub(super) fn at_risk(&self) -> usize {
        self.of_service.len() - self.doubts()
    }

    pub(super) fn has_any(&self, state: State) -> bool {
        let mut flights = self.of_service.values();
        flights.any(|flight| flight.job.record.state == state)
    }

    pub(super) fn is_in_doubt(&self, service: ServiceId) -> bool {
        let flight = self.of_service.get(&service);
        flight.is_some_and(Flight::is_in_doubt)
    }

    /// What the other rows of its page show counts for it: it is in doubt, or its host key is new.
    pub(super) fn needs_its_page(&self, service: ServiceId) -> bool {
        let flight = self.of_service.get(&service);
        flight.is_some_and(Flight::needs_its_page)
    }

    pub(super) fn job(&self, service: ServiceId) -> Option<&QueuedJob> {
        self.of_service.get(&service).map(|flight| &flight.job)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = (ServiceId, &mut Flight)> {
        self.of_service
            .iter_mut()
            .map(|(service, flight)| (*service, flight))
    }

    pub(super) fn services(&self) -> impl Iterator<Item = ServiceId> {
        self.of_service.keys().copied()
    }

    /// Whose pages are to be read, and for what.
    pub(super) fn stages(&self, rules: &Rules) -> impl Iterator<Item = (ServiceId, Stage)> {
        self.of_service.iter().filter_map(|(service, flight)| {
            let stage = flight.stage(self.learned.lag(flight.action()), rules)?;
            Some((*service, stage))
        })
    }

    /// When the last of the watched doubts is settled or held, at the latest.
    pub(super) fn doubts_until(&self, rules: &Rules) -> Option<Instant> {
        let doubts = self
            .of_service
            .values()
            .filter(|flight| flight.is_in_doubt());
        let trackers = doubts.filter_map(|flight| flight.tracker.as_ref());
        trackers
            .map(|tracker| tracker.sent_at() + rules.rebuild_timeout)
            .max()
    }

    /// The process stood still, by `hidden` longer than the monotonic clock says: nothing was watched.
    pub(super) fn interrupt(&mut self, hidden: Duration) {
        for flight in self.of_service.values_mut() {
            match &mut flight.tracker {
                Some(tracker) => tracker.interrupt(hidden),
                None => *flight.slept.get_or_insert_default() += hidden,
            }
        }
        self.proven.clear();
    }

    /// How the list behaves, as far as this run has learned.
    pub(super) fn learned(&self) -> &Learned {
        &self.learned
    }

    pub(super) fn learned_mut(&mut self) -> &mut Learned {
        &mut self.learned
    }

    /// The row of `service` shows the effect of a submission of ours: when its baseline was read. The
    /// page is younger than that.
    pub(super) fn proves_life(
        &self,
        service: ServiceId,
        observation: &Observation,
    ) -> Option<Instant> {
        let (action, record, baseline_at) = if let Some(flight) = self.of_service.get(&service) {
            (flight.action(), &flight.job.record, flight.baseline_at?)
        } else {
            let proven = self.proven.get(&service)?;
            (proven.action, &proven.record, proven.baseline_at)
        };
        evidence::shows_effect(action, record, observation).then_some(baseline_at)
    }

    /// A job among those that `serves` means has not shown its effect yet, and will.
    pub(super) fn awaits_an_effect(&self, serves: impl Fn(&QueuedJob) -> bool) -> bool {
        self.of_service.values().any(|flight| {
            let record = &flight.job.record;
            let is_open = match (record.state, &flight.tracker) {
                (State::Submitting, _) => true,
                (State::InProgress, Some(tracker)) => !tracker.has_shown_its_effect(),
                (State::InProgress, None) => false,
                (
                    State::Queued | State::InDoubt | State::Done | State::Failed | State::Cancelled,
                    _,
                ) => false,
            };
            is_open && evidence::can_show(flight.action(), record) && serves(&flight.job)
        })
    }

    /// `flight` is complete, and `observation` has shown it: what that teaches of the list, and of
    /// which page is alive.
    pub(super) fn seen_through(
        &mut self,
        flight: &Flight,
        evidence: Evidence,
        observation: &Observation,
    ) {
        let (action, record) = (flight.action(), &flight.job.record);
        self.learned
            .completed(action, record, observation, evidence);
        // It can only be a control for those that were sent before it was.
        if !self.of_service.values().any(Flight::needs_its_page) {
            self.proven.clear();
        } else if let Some(baseline_at) = flight.baseline_at
            && evidence::can_show(action, record)
        {
            let proven = Proven {
                baseline_at,
                action,
                record: record.clone(),
            };
            self.proven.insert(flight.job.service, proven);
        }
    }

    /// An answer asked for more than the session has. Returns whether another call had before.
    pub(super) fn half_session_seen(&mut self, half: HalfSession) -> bool {
        self.half_session.replace(half).is_some()
    }

    /// Another call has to confirm that the session is not whole.
    pub(super) fn doubts_the_session(&self) -> bool {
        self.half_session.is_some()
    }

    /// The answer of a submission is outstanding still, in a way: another call has to give it.
    pub(super) fn put_unconfirmed(&mut self, flight: Flight, unconfirmed: Unconfirmed) {
        self.out += 1;
        self.put(flight);
        self.unconfirmed.push(unconfirmed);
    }

    /// Nothing confirms any more that the session is not whole: the submissions that waited for it.
    pub(super) fn take_unconfirmed(&mut self) -> Vec<(Flight, Unconfirmed)> {
        self.half_session = None;
        let unconfirmed = std::mem::take(&mut self.unconfirmed);
        let landed = unconfirmed.into_iter().filter_map(|unconfirmed| {
            let flight = self.land(unconfirmed.service)?;
            Some((flight, unconfirmed))
        });
        landed.collect()
    }

    #[cfg(test)]
    pub(super) fn unconfirmed(&self) -> usize {
        self.unconfirmed.len()
    }
}
