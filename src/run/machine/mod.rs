//! The machine: decides everything about a run and does no I/O.
//!
//! Time, finished calls and due jobs come in; ledger entries to commit and calls to make come out
//! of [`Machine::tick`]. A submission among the calls may be made only after the entries of the same
//! tick were committed, and not at all where the commit reported its job as moved meanwhile
//! ([`Machine::conflicts`]). A property test drives it without clock, network or database.

mod activity;
mod answers;
mod half_session;
mod polls;
mod starts;
#[cfg(test)]
mod tests;
mod turn;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::budget::{self, Failures};
use super::evidence::{ListLag, Rules, Tracker};
use super::list::InstanceList;
use super::outage::{Outage, SlowDowns};
use super::poll_schedule::PollSchedule;
use super::rate_limiter::{Purpose, RateLimiter};
use super::session::{Session, SessionCall};
use super::{Halt, Now, Options, Signal};
use crate::event::{Activity, Event};
use crate::job::{
    Counts, Failure, ImageId, JobId, JobRecord, LedgerEntry, ServiceId, State, Transition,
};
use crate::queue::{Harm, QueuedJob};
use crate::time;
use crate::zomro::{HalfSession, Keepalive, LoginError, Page, Preview, Read, Rebuild, Submitted};
use half_session::Unconfirmed;
use polls::Poller;
use starts::{KnownImage, Supply, Waiting};
use turn::Desk;
pub use turn::{Answer, Input, Next, Output, Question, StoreFault};

/// How long the queue's word on the failures is believed: an operator may deal with some of it.
const FAILURES_AGE_MAX: Duration = Duration::from_secs(10);

/// An order that was left alone for so long is only gone on with when that was asked for: its
/// servers may be in use by now.
pub const STALE_AFTER: Duration = Duration::from_hours(24);

/// The longest silence between two ticks: something always looks at the clock so often.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A step of a job, ready to be committed.
#[derive(Debug, Clone)]
pub struct Step {
    /// The instance.
    pub service: ServiceId,
    /// Its line in the manifest.
    pub line: u64,
    /// What the queue records.
    pub transition: Transition,
}

/// A call to make.
#[derive(Debug)]
pub enum Call {
    /// Open a session.
    Login,
    /// Ask whether the session lives, and whether anything gets through.
    Keepalive,
    /// Ask whose the session is, and so whether it is whole.
    Whoami,
    /// Read a page of the list.
    Page(u32),
    /// Ask for the name and zone of an image, through an instance that is to get it.
    Preview(ImageId, ServiceId),
    /// Submit a rebuild. Its intent must have been committed.
    Submit(JobId, Box<Rebuild>),
}

/// A call that has ended.
#[derive(Debug)]
pub enum Finished {
    /// [`Call::Login`]
    Login(Result<u64, LoginError>),
    /// [`Call::Keepalive`]
    Keepalive(Keepalive),
    /// [`Call::Whoami`]
    Whoami(Keepalive),
    /// [`Call::Page`]
    Page(u32, Read<Page>),
    /// [`Call::Preview`]
    Preview(ImageId, ServiceId, Read<Preview>),
    /// [`Call::Submit`]
    Submit(ServiceId, Box<Submitted>),
}

/// A job that this run waits for.
#[derive(Debug)]
struct Active {
    job: QueuedJob,
    /// `None` while its answer is outstanding.
    tracker: Option<Tracker>,
    /// The process was suspended while its answer was outstanding: how much longer than the
    /// monotonic clock says.
    slept: Option<Duration>,
    /// When its baseline was read, if this run sent it.
    baseline_at: Option<Instant>,
}

impl Active {
    /// It takes a slot: it is in flight, or it may be although nobody knows.
    fn takes_slot(&self, list_lag: &ListLag, rules: &Rules) -> bool {
        match self.job.record.state {
            State::Submitting | State::Rebuilding => true,
            State::InDoubt => (self.tracker.as_ref())
                .is_some_and(|tracker| !tracker.outlived_its_window(list_lag, rules)),
            State::Queued | State::Done | State::Failed | State::Cancelled => false,
        }
    }
}

/// A rebuild that this run has seen through while doubts were watched: it may prove that its page
/// of the list is alive.
#[derive(Debug)]
struct Proven {
    baseline_at: Instant,
    record: JobRecord,
}

/// A job that was refused in a way that only `keepalive` can explain. It is back in the queue.
#[derive(Debug)]
struct Suspect {
    job: QueuedJob,
    failure: Failure,
    why: Suspicion,
}

/// What `keepalive` is to explain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suspicion {
    /// A refusal for want of rights: is the session over? Only the session in use can tell.
    Rights,
    /// A block: of this request, or of the address?
    Block,
}

/// What a run begins with.
#[derive(Debug)]
pub struct Start {
    /// The options.
    pub options: Options,
    /// Where the batch stands.
    pub counts: Counts,
    /// The session.
    pub session: Session,
    /// What was read of the account's list already.
    pub list: InstanceList,
    /// What an earlier process has left in flight: what it was submitting is in doubt now.
    pub in_flight: Vec<QueuedJob>,
    /// What has gone wrong with the batch, and nobody has dealt with.
    pub failures: Harm,
    /// Of the jitter.
    pub seed: u64,
}

/// Everything that a run knows beyond the queue.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    budget: Option<u64>,
    random: fastrand::Rng,

    rate: RateLimiter,
    session: Session,
    outage: Outage,
    probe_at: Instant,
    probing: bool,
    slow_downs: SlowDowns,
    /// The API was reached by this process: what it cannot reach now is an outage.
    reached: bool,
    /// What a call that did not get through met last.
    last_error: String,

    list: InstanceList,
    poller: Poller,
    list_lag: ListLag,
    proven: HashMap<ServiceId, Proven>,
    /// Readings requested before were overtaken by a suspension of this process.
    fresh_since: Instant,
    poll_schedule: PollSchedule,
    images: HashMap<ImageId, KnownImage>,

    supply: Supply,
    waiting: Vec<Waiting>,
    suspects: Vec<Suspect>,
    /// Jobs that were refused for want of rights, and the token's generation.
    refused: HashMap<JobId, u64>,
    active: HashMap<ServiceId, Active>,
    submissions_out: usize,
    /// Submissions whose answers another call has to explain.
    unconfirmed: Vec<Unconfirmed>,
    /// What an answer asked for that the session does not have.
    half_seen: Option<HalfSession>,
    /// Jobs of the batch; `None` once those that the list surely lacks were left out.
    unchecked_jobs: Option<u64>,
    failures: Failures,
    /// When the queue said so; `None`: something went wrong since.
    failures_asked_at: Option<Instant>,

    halt: Option<Halt>,
    signal: Option<Signal>,
    /// When the clocks were looked at last.
    noticed: Option<Now>,
    wake_at: Option<Instant>,
    activity: Option<Activity>,
    paused: bool,
    warned: HashSet<&'static str>,
    desk: Desk,
    /// Where the batch stands, by what this run has written and read.
    counts: Counts,
    recount_at: Instant,
    events: Vec<Event>,
}

impl Machine {
    /// A run begins.
    pub fn new(start: Start, now: Now) -> Self {
        let Start {
            options,
            counts,
            session,
            list,
            in_flight,
            failures,
            seed,
        } = start;
        let jobs = counts.total();
        let budget = options.max_failures.of(jobs);
        let rate = RateLimiter::new(options.rate_per_s, now.at);
        let mut machine = Self {
            budget,
            random: fastrand::Rng::with_seed(seed),
            rate,
            session,
            outage: Outage::default(),
            probe_at: now.at,
            probing: false,
            slow_downs: SlowDowns::default(),
            reached: list.is_scanned(),
            last_error: String::new(),
            poller: Poller::new(now.at),
            list,
            list_lag: ListLag::default(),
            proven: HashMap::new(),
            fresh_since: now.at,
            poll_schedule: PollSchedule::default(),
            images: HashMap::new(),
            supply: Supply::default(),
            waiting: Vec::new(),
            suspects: Vec::new(),
            refused: HashMap::new(),
            active: HashMap::new(),
            submissions_out: 0,
            unconfirmed: Vec::new(),
            half_seen: None,
            unchecked_jobs: Some(jobs),
            failures: Failures::default(),
            failures_asked_at: None,
            halt: None,
            signal: None,
            noticed: None,
            wake_at: None,
            activity: None,
            paused: false,
            warned: HashSet::new(),
            desk: Desk::new(),
            counts,
            recount_at: now.at + HEARTBEAT,
            events: Vec::new(),
            options,
        };
        if !machine.options.no_wait && !machine.list.is_scanned() {
            machine.list.begin_scan();
        }
        if machine.options.no_wait && machine.session.is_ready() && !machine.session.can_login() {
            // A submission must not be the first call of a run: whether anything is there, and
            // whether the token is worth anything, is asked without risk.
            machine.session.check(now.at);
        }
        machine.recover(in_flight, &failures, now);
        machine
    }

    /// Takes over what earlier processes left: `jobs` that are unsettled (what was being submitted is
    /// in doubt now), and what has gone wrong with the batch.
    fn recover(&mut self, jobs: Vec<QueuedJob>, harm: &Harm, now: Now) {
        let interrupted = jobs
            .iter()
            .filter(|job| job.record.state == State::Submitting);
        let in_doubt = (harm.in_doubt.len() + interrupted.count()) as u64;
        for mut job in jobs {
            if job.record.state == State::Submitting {
                self.step(&mut job, LedgerEntry::Interrupted, now.unix_ms);
            }
            if self.options.no_wait || job.record.held {
                continue;
            }
            let since_ms = job
                .record
                .submitted_ms
                .or(job.record.intent_ms)
                .unwrap_or(now.unix_ms);
            let tracker = Tracker::inherited(now.at, time::between(since_ms, now.unix_ms));
            self.active.insert(
                job.service,
                Active {
                    job,
                    tracker: Some(tracker),
                    slept: None,
                    baseline_at: None,
                },
            );
        }
        self.count(harm.failed, in_doubt, now);
        let headroom = self.headroom();
        if headroom < self.options.workers {
            self.events.push(Event::BudgetLimits {
                in_flight_max: headroom,
            });
        }
    }

    /// The run has to know what the operator has dealt with meanwhile.
    fn wants_failures(&self, now: Now) -> bool {
        let in_doubt = |active: &Active| active.job.record.state == State::InDoubt;
        let counts =
            self.failures.failed + self.failures.held > 0 || self.active.values().any(in_doubt);
        let is_old = self
            .failures_asked_at
            .is_none_or(|at| now.at.saturating_duration_since(at) >= FAILURES_AGE_MAX);
        // What is still to be committed, the queue does not know yet.
        counts && is_old && self.desk.is_clear() && !self.is_ending()
    }

    /// The queue's answer: what has gone wrong with the batch. A doubt that is none any more is not
    /// watched any longer: somebody has given his word on it.
    pub(super) fn bears(&mut self, harm: &Harm, now: Now) {
        let in_doubt: HashSet<JobId> = harm.in_doubt.iter().copied().collect();
        self.active.retain(|_, active| {
            active.job.record.state != State::InDoubt || in_doubt.contains(&active.job.id)
        });
        self.count(harm.failed, in_doubt.len() as u64, now);
    }

    fn count(&mut self, failed: u64, in_doubt: u64, now: Now) {
        let watched = (self.active.len() - self.at_risk()) as u64;
        self.failures.failed = failed;
        self.failures.held = in_doubt.saturating_sub(watched);
        self.failures_asked_at = Some(now.at);
    }

    /// A call has ended.
    pub(super) fn finished(&mut self, finished: Finished, now: Now) {
        self.notice_suspension(now);
        match finished {
            Finished::Login(result) => self.login_finished(result, now),
            Finished::Keepalive(result) => self.keepalive_finished(result, now),
            Finished::Whoami(result) => self.whoami_finished(result, now),
            Finished::Page(asked, result) => self.page_finished(asked, result, now),
            Finished::Preview(image, service, result) => {
                self.preview_finished(image, service, result, now);
            }
            Finished::Submit(service, submitted) => {
                self.submission_finished(service, *submitted, now);
            }
        }
    }

    /// A signal came: nothing new starts, the calls under way are waited for.
    fn stop(&mut self, signal: Signal) {
        if self.signal.is_none() {
            self.signal = Some(signal);
            self.events.push(Event::Stopping {
                calls: self.submissions_out,
            });
        }
    }

    /// What the calls and steps of this turn are.
    fn decide(&mut self, now: Now) {
        self.notice_suspension(now);
        self.wake_at = Some(now.at + HEARTBEAT);
        self.check_limits(now);
        if self.is_ending() {
            self.half_session_not_confirmed();
        } else {
            self.call_for_session(now);
            if self.session.is_ready() && !self.outage.is_on() {
                if self.desk.may_start() {
                    self.start_jobs(now);
                }
                self.read_list(now);
            }
        }
        self.tell_pause(now);
        self.tell_activity(now);
        // Only now: asked before these steps are committed, the store would not know of them yet.
        if self.desk.puts_back() {
            self.supply.forget();
        }
    }

    /// Jobs whose step was not written, or is given up.
    fn drop_jobs(&mut self, jobs: &HashSet<JobId>) {
        if jobs.is_empty() {
            return;
        }
        let submissions = self.active.values().filter(|active| {
            jobs.contains(&active.job.id) && active.job.record.state == State::Submitting
        });
        self.submissions_out -= submissions.count();
        self.active
            .retain(|_, active| !jobs.contains(&active.job.id));
        self.suspects
            .retain(|suspect| !jobs.contains(&suspect.job.id));
        self.supply.forget();
    }

    /// Nothing is left to do, or nothing more may be done and no answer is outstanding.
    pub fn is_over(&self) -> bool {
        if self.submissions_out > 0 || !self.desk.is_done() {
            return false;
        }
        self.is_ending()
            || (self.supply.is_empty()
                && self.waiting.is_empty()
                && self.suspects.is_empty()
                && self.active.is_empty())
    }

    /// When it wants to look at the clock at the latest.
    fn wake_at(&self, now: Instant) -> Instant {
        self.wake_at.unwrap_or(now + HEARTBEAT)
    }

    /// Why the run ends early.
    pub fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// The signal that stopped it.
    pub fn signal(&self) -> Option<Signal> {
        self.signal
    }

    /// Jobs in flight: submitting, rebuilding and waited for by this run, or in a doubt whose window
    /// has not passed yet (it may be rebuilding). The one rule for slots: pool and poller mean this.
    pub fn in_flight(&self) -> usize {
        let (list_lag, rules) = (&self.list_lag, &self.options.rules);
        let active = self.active.values();
        active
            .filter(|active| active.takes_slot(list_lag, rules))
            .count()
    }

    /// Jobs that may still go wrong, those aside that are in doubt already.
    fn at_risk(&self) -> usize {
        let active = self.active.values();
        active
            .filter(|active| active.job.record.state != State::InDoubt)
            .count()
    }

    /// Submissions whose answers are outstanding.
    pub fn submissions_out(&self) -> usize {
        self.submissions_out
    }

    /// What counts against the failure budget now: all that went wrong with the batch, whichever run
    /// bore it, until the operator has dealt with it.
    pub fn failures(&self) -> Failures {
        let watched = self.active.len() - self.at_risk();
        Failures {
            watched: watched as u64,
            ..self.failures
        }
    }

    fn count_failure(&mut self) {
        self.failures.failed += 1;
        self.failures_asked_at = None;
    }

    fn count_held(&mut self) {
        self.failures.held += 1;
        self.failures_asked_at = None;
    }

    /// Something is to be asked of the store before anything else can be decided.
    fn asks_the_store(&self, now: Now) -> bool {
        self.wants_jobs(now).is_some() || self.wants_failures(now) || self.wants_order()
    }

    /// The run was halted or stopped: nothing new starts.
    pub fn is_ending(&self) -> bool {
        self.halt.is_some() || self.signal.is_some() || self.desk.is_broken()
    }

    fn wake_by(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    /// Moves `job` and notes the step.
    fn step(&mut self, job: &mut QueuedJob, entry: LedgerEntry, at_ms: i64) {
        let from = std::mem::take(&mut job.record);
        let transition = Transition::new(job.id, from, entry, at_ms)
            .expect("the machine takes no step that the domain forbids");
        job.record = transition.to.clone();
        self.desk.note(Step {
            service: job.service,
            line: job.line,
            transition,
        });
    }

    fn warn_once(&mut self, subject: &'static str, message: impl FnOnce() -> String) {
        if self.warned.insert(subject) {
            self.events.push(Event::Warning { message: message() });
        }
    }

    fn halt_for(&mut self, halt: Halt) {
        if self.halt.is_none() {
            self.events.push(Event::Halting {
                reason: halt.to_string(),
            });
            self.halt = Some(halt);
        }
    }

    /// A process that was suspended has not watched: its doubts lose the proof by silence, and what
    /// it had read before says nothing of how things stand now.
    fn notice_suspension(&mut self, now: Now) {
        let Some(last) = self.noticed.replace(now) else {
            return;
        };
        let limit = (self.options.rules.settle / 10).clamp(HEARTBEAT * 2, Duration::from_secs(30));
        let by_clock = now.at.saturating_duration_since(last.at);
        // The monotonic clock stands still while the machine sleeps, the one on the wall does not.
        let by_wall = time::between(last.unix_ms, now.unix_ms);
        if by_clock <= limit && by_wall <= by_clock + limit {
            return;
        }
        let hidden = by_wall.saturating_sub(by_clock);
        for active in self.active.values_mut() {
            match &mut active.tracker {
                Some(tracker) => tracker.interrupt(hidden),
                None => *active.slept.get_or_insert_default() += hidden,
            }
        }
        for waiting in &mut self.waiting {
            waiting.deferred_since = None;
        }
        self.proven.clear();
        self.fresh_since = now.at;
        self.poller.forget_readings();
        let lasted = by_clock.max(by_wall);
        if lasted >= STALE_AFTER && !self.options.stale {
            self.halt_for(Halt::StoodStill { lasted });
        } else {
            let lasted = time::short(lasted);
            self.events.push(Event::Warning {
                message: format!(
                    "this process stood still for {lasted}: what happened meanwhile was not watched"
                ),
            });
        }
    }

    fn check_limits(&mut self, now: Now) {
        if self.halt.is_some() {
            return;
        }
        let failures = self.failures();
        if let Some(budget) = self.budget
            && budget::is_exhausted(self.budget, failures)
        {
            // The operator may have dealt with some of it: the queue is asked first.
            if self.failures_asked_at.is_none() {
                return;
            }
            self.halt_for(Halt::FailureBudget {
                failed: failures.failed + failures.held,
                budget,
            });
        } else if self
            .outage
            .is_over_limit(self.options.outage_timeout, now.at)
        {
            self.halt_for(Halt::Outage {
                lasted: self.outage.lasts(now.at),
                error: self.last_error.clone(),
            });
        } else if let Some(halt) = self.slow_downs.over_limit(
            self.options.outage_timeout,
            self.pause_left(now).is_some(),
            now.at,
        ) {
            self.halt_for(halt);
        } else if let Some(outage) = self.poller.outage(self.options.outage_timeout, now.at) {
            self.halt_for(outage);
        } else {
            let timeout = self.options.outage_timeout;
            for at in [
                self.outage.limit_at(timeout),
                self.slow_downs.limit_at(timeout),
            ] {
                if let Some(at) = at.filter(|at| *at > now.at) {
                    self.wake_by(at);
                }
            }
        }
    }

    /// The session's own calls go first; in an outage one call at a time probes the way.
    fn call_for_session(&mut self, now: Now) {
        let (call, due_at) = match self.session.due() {
            Some((SessionCall::Login, at)) => (Call::Login, at),
            Some((SessionCall::Keepalive, at)) => (Call::Keepalive, at),
            Some((SessionCall::Whoami, at)) => (Call::Whoami, at),
            None if self.session.is_ready() && self.outage.is_on() && !self.probing => {
                (Call::Keepalive, self.probe_at)
            }
            None => return,
        };
        let at = due_at.max(self.rate.free_at(Purpose::Session));
        if now.at < at {
            self.wake_by(at);
        } else if self.rate.take(Purpose::Session, now.at) {
            if self.session.is_ready() {
                self.probing = true;
            } else {
                self.session.called();
            }
            self.desk.call(call);
        }
    }

    /// Something got through, whatever it said.
    fn got_through(&mut self) {
        self.reached = true;
        self.outage.answered();
        self.slow_downs.answered();
    }

    /// Nothing got through.
    fn lost(&mut self, failure: &Failure, now: Now) {
        self.outage.failed(now.at);
        self.last_error.clone_from(&failure.error);
        self.probe_at = now.at
            + self
                .options
                .backoff
                .delay(self.outage.failures(), &mut self.random);
    }

    /// The API asks to slow down: no call of any kind for a while. What it asks for never shortens our
    /// own backoff. Returns how long.
    fn slow_down(
        &mut self,
        retry_after: Option<Duration>,
        is_submission: bool,
        now: Now,
    ) -> Duration {
        self.reached = true;
        self.outage.answered();
        let in_a_row = self.slow_downs.asked(is_submission, now.at);
        let own = self.options.backoff.bound(in_a_row);
        let pause = retry_after.unwrap_or_default().max(own);
        self.rate.hold(now.at + pause);
        pause
    }

    /// The end of the pause that the API has asked for, if it is not over.
    fn pause_left(&self, now: Now) -> Option<Duration> {
        let held = self
            .rate
            .free_at(Purpose::Session)
            .saturating_duration_since(now.at);
        let slot = if self.rate.is_unlimited() {
            Duration::ZERO
        } else {
            Duration::from_secs_f64(1.0 / self.options.rate_per_s)
        };
        (held > slot).then_some(held)
    }
}
