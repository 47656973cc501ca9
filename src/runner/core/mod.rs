//! The core: decides everything about a run and does no I/O.
//!
//! Time, finished calls and due jobs come in; ledger entries to commit and calls to make come out
//! of [`Core::tick`]. A submission among the calls may be made only after the entries of the same
//! tick were committed, and not at all where the commit reported its job as moved meanwhile
//! ([`Core::missed`]). A property test drives it without clock, network or database.

mod activity;
mod answers;
mod polls;
mod starts;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::budget::{self, Damage};
use super::fleet::Fleet;
use super::outage::Outage;
use super::pace::Pace;
use super::rate::{Purpose, Rate};
use super::session::{Session, SessionCall};
use super::verify::{Lag, Watch};
use super::{Halt, Now, Options, Signal};
use crate::event::{Activity, Event};
use crate::job::{Entry, Failure, ImageId, JobId, ServiceId, State, Transition};
use crate::queue::QueuedJob;
use crate::time;
use crate::zomro::{Keepalive, LoginError, Page, Preview, Read, Rebuild, Submitted};
use polls::Poller;
use starts::{KnownImage, Supply, Waiting};

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
    /// [`Call::Page`]
    Page(u32, Read<Page>),
    /// [`Call::Preview`]
    Preview(ImageId, Read<Preview>),
    /// [`Call::Submit`]
    Submit(ServiceId, Box<Submitted>),
}

/// What is to be done now.
#[derive(Debug, Default)]
pub struct Tick {
    /// Commit these first.
    pub steps: Vec<Step>,
    /// Then make these calls.
    pub calls: Vec<Call>,
}

/// A job that this run waits for.
#[derive(Debug)]
struct Active {
    job: QueuedJob,
    /// `None` while its answer is outstanding.
    watch: Option<Watch>,
    /// The process was suspended while its answer was outstanding.
    slept: bool,
    /// Its doubt, if it is in doubt, arose in this run.
    born_here: bool,
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

/// Everything that a run knows beyond the queue.
#[derive(Debug)]
pub struct Core {
    options: Options,
    budget: Option<u64>,
    random: fastrand::Rng,

    rate: Rate,
    session: Session,
    outage: Outage,
    probe_at: Instant,
    probing: bool,
    slow_downs: u32,
    /// What a call that did not get through met last.
    last_error: String,

    fleet: Fleet,
    poller: Poller,
    lag: Lag,
    pace: Pace,
    images: HashMap<ImageId, KnownImage>,

    supply: Supply,
    waiting: Vec<Waiting>,
    suspects: Vec<Suspect>,
    /// Jobs that were refused for want of rights, and the token's generation.
    refused: HashMap<JobId, u64>,
    active: HashMap<ServiceId, Active>,
    submissions_out: usize,
    damage: Damage,

    halt: Option<Halt>,
    signal: Option<Signal>,
    last_tick: Option<Now>,
    wake_at: Option<Instant>,
    activity: Option<Activity>,
    paused: bool,
    warned: HashSet<&'static str>,
    steps: Vec<Step>,
    events: Vec<Event>,
}

impl Core {
    /// For a batch of `jobs` jobs. `fleet`: what was read of the list already. `seed`: of the jitter.
    pub fn new(
        options: Options,
        jobs: u64,
        session: Session,
        fleet: Fleet,
        seed: u64,
        now: Now,
    ) -> Self {
        let budget = options.max_failures.of(jobs);
        let rate = Rate::new(options.rate_per_s, now.at);
        let mut core = Self {
            budget,
            random: fastrand::Rng::with_seed(seed),
            rate,
            session,
            outage: Outage::default(),
            probe_at: now.at,
            probing: false,
            slow_downs: 0,
            last_error: String::new(),
            poller: Poller::new(now.at),
            fleet,
            lag: Lag::default(),
            pace: Pace::default(),
            images: HashMap::new(),
            supply: Supply::default(),
            waiting: Vec::new(),
            suspects: Vec::new(),
            refused: HashMap::new(),
            active: HashMap::new(),
            submissions_out: 0,
            damage: Damage::default(),
            halt: None,
            signal: None,
            last_tick: None,
            wake_at: None,
            activity: None,
            paused: false,
            warned: HashSet::new(),
            steps: Vec::new(),
            events: Vec::new(),
            options,
        };
        if !core.options.no_wait && !core.fleet.is_walked() {
            core.fleet.begin_walk();
        }
        let room = budget::room(core.budget, Damage::default(), 0);
        if room < core.options.workers {
            core.events.push(Event::BudgetLimits {
                in_flight_max: room,
            });
        }
        core
    }

    /// Takes over what an earlier process left unsettled. What it was submitting is in doubt now.
    pub fn adopt(&mut self, jobs: Vec<QueuedJob>, now: Now) {
        for mut job in jobs {
            if job.standing.state == State::Submitting {
                self.step(&mut job, Entry::Interrupted, now.unix_ms);
            }
            if self.options.no_wait || job.standing.held {
                continue;
            }
            let since_ms = job
                .standing
                .submitted_ms
                .or(job.standing.intent_ms)
                .unwrap_or(now.unix_ms);
            let watch = Watch::inherited(now.at, time::between(since_ms, now.unix_ms));
            self.active.insert(
                job.service,
                Active {
                    job,
                    watch: Some(watch),
                    slept: false,
                    born_here: false,
                },
            );
        }
    }

    /// A call has ended.
    pub fn finished(&mut self, finished: Finished, now: Now) {
        match finished {
            Finished::Login(result) => self.login_finished(result, now),
            Finished::Keepalive(result) => self.keepalive_finished(result, now),
            Finished::Page(asked, result) => self.page_finished(asked, result, now),
            Finished::Preview(image, result) => self.preview_finished(image, result, now),
            Finished::Submit(service, submitted) => {
                self.submission_finished(service, *submitted, now);
            }
        }
    }

    /// A signal came: nothing new starts, the calls under way are waited for.
    pub fn stop(&mut self, signal: Signal) {
        if self.signal.is_none() {
            self.signal = Some(signal);
            self.events.push(Event::Stopping {
                calls: self.submissions_out,
            });
        }
    }

    /// Decides what to do now.
    pub fn tick(&mut self, now: Now) -> Tick {
        self.notice_suspension(now);
        self.last_tick = Some(now);
        self.wake_at = Some(now.at + HEARTBEAT);
        self.check_limits(now);
        let mut calls = Vec::new();
        if !self.is_ending() {
            self.call_for_session(now, &mut calls);
            if self.session.is_ready() && !self.outage.is_on() {
                self.start_jobs(now, &mut calls);
                self.read_list(now, &mut calls);
            }
        }
        self.tell_pause(now);
        self.tell_activity(now);
        // Only now: asked before these steps are committed, the queue would not know of them yet.
        if self
            .steps
            .iter()
            .any(|step| step.transition.to.state == State::Queued)
        {
            self.supply.forget();
        }
        Tick {
            steps: std::mem::take(&mut self.steps),
            calls,
        }
    }

    /// Jobs whose step was not written, because somebody else had moved them. Their calls must not
    /// be made.
    pub fn missed(&mut self, jobs: &HashSet<JobId>) {
        if jobs.is_empty() {
            return;
        }
        let submissions = self.active.values().filter(|active| {
            jobs.contains(&active.job.id) && active.job.standing.state == State::Submitting
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
        if self.submissions_out > 0 {
            return false;
        }
        self.is_ending()
            || (self.supply.is_empty()
                && self.waiting.is_empty()
                && self.suspects.is_empty()
                && self.active.is_empty())
    }

    /// When [`Core::tick`] wants to be called at the latest.
    pub fn wake_at(&self, now: Instant) -> Instant {
        self.wake_at.unwrap_or(now + HEARTBEAT)
    }

    /// What happened since the last call, beyond the steps of jobs.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Why the run ends early.
    pub fn halt(&self) -> Option<&Halt> {
        self.halt.as_ref()
    }

    /// The signal that stopped it.
    pub fn signal(&self) -> Option<Signal> {
        self.signal
    }

    /// Jobs in flight: submitting, or rebuilding and waited for by this run. The one rule for
    /// slots: pool, budget and poller all mean this.
    pub fn in_flight(&self) -> usize {
        self.active
            .values()
            .filter(|active| {
                matches!(
                    active.job.standing.state,
                    State::Submitting | State::Rebuilding
                )
            })
            .count()
    }

    /// Submissions whose answers are outstanding.
    pub fn submissions_out(&self) -> usize {
        self.submissions_out
    }

    /// What counts against the failure budget now.
    pub fn damage(&self) -> Damage {
        let watched = self
            .active
            .values()
            .filter(|active| active.born_here && active.job.standing.state == State::InDoubt)
            .count();
        Damage {
            watched: watched as u64,
            ..self.damage
        }
    }

    fn is_ending(&self) -> bool {
        self.halt.is_some() || self.signal.is_some()
    }

    fn wake_by(&mut self, at: Instant) {
        self.wake_at = Some(self.wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    /// Moves `job` and notes the step.
    fn step(&mut self, job: &mut QueuedJob, entry: Entry, at_ms: i64) {
        let from = std::mem::take(&mut job.standing);
        let transition = Transition::new(job.id, from, entry, at_ms)
            .expect("the core takes no step that the domain forbids");
        job.standing = transition.to.clone();
        self.steps.push(Step {
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

    /// A process that was suspended has not watched: its doubts lose the proof by silence.
    fn notice_suspension(&mut self, now: Now) {
        let Some(last) = self.last_tick else { return };
        let limit = (self.options.rules.settle / 10).clamp(HEARTBEAT * 2, Duration::from_secs(30));
        let by_clock = now.at.saturating_duration_since(last.at);
        // The monotonic clock stands still while the machine sleeps, the one on the wall does not.
        let by_wall = time::between(last.unix_ms, now.unix_ms);
        if by_clock > limit || by_wall > by_clock + limit {
            for active in self.active.values_mut() {
                match &mut active.watch {
                    Some(watch) => watch.interrupt(),
                    None => active.slept = true,
                }
            }
            for waiting in &mut self.waiting {
                waiting.deferred_since = None;
            }
            if !self.active.is_empty() {
                let silence = time::short(by_clock.max(by_wall));
                self.events.push(Event::Warning {
                    message: format!(
                        "this process stood still for {silence}: what happened meanwhile was not watched"
                    ),
                });
            }
        }
    }

    fn check_limits(&mut self, now: Now) {
        if self.halt.is_some() {
            return;
        }
        let damage = self.damage();
        if let Some(budget) = self.budget
            && budget::is_exhausted(self.budget, damage)
        {
            self.halt_for(Halt::FailureBudget {
                failed: damage.failed + damage.held,
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
        } else if let Some(outage) = self.poller.outage(self.options.outage_timeout, now.at) {
            self.halt_for(outage);
        } else if let Some(at) = self.outage.limit_at(self.options.outage_timeout) {
            self.wake_by(at);
        }
    }

    /// The session's own calls go first; in an outage one call at a time probes the way.
    fn call_for_session(&mut self, now: Now, calls: &mut Vec<Call>) {
        let (call, due_at) = match self.session.due() {
            Some((SessionCall::Login, at)) => (Call::Login, at),
            Some((SessionCall::Keepalive, at)) => (Call::Keepalive, at),
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
            calls.push(call);
        }
    }

    /// Something got through, whatever it said.
    fn got_through(&mut self) {
        self.outage.answered();
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

    /// The API asks to slow down: no call of any kind for a while. Returns how long.
    fn slow_down(&mut self, retry_after: Option<Duration>, now: Now) -> Duration {
        self.got_through();
        self.slow_downs = self.slow_downs.saturating_add(1);
        let pause = retry_after.unwrap_or_else(|| self.options.backoff.bound(self.slow_downs));
        self.rate.hold(now.at + pause);
        pause
    }
}
