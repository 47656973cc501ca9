//! A world for the machine: a model of the queue, an account that keeps the truth, and a clock that
//! only this module moves. It drives the machine in the order in which the dispatcher does, and checks
//! at every step what must hold at every instant.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::num::NonZeroU32;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::ssh::{Ssh, Trap};
use crate::event::{Event, Limit};
use crate::job::{
    Access, AccountId, Baseline, BatchId, Control, ControlEntry, Counts, Evidence, Executed,
    Expected, Failure, FailureKind, Group, ImageId, InstanceStatus, Instruction, JobId, JobRecord,
    LedgerEntry, Order, Owner, Rebuild, RunId, ServiceId, State, StoredAccess, Transition, Verdict,
};
use crate::queue::{
    Admission, Attempt, Down, Harm, Lease, Pending, QueuedJob, Ready, Recorded, RolloutProgress,
    Store, StoreError, Stray, Strays,
};
use crate::run::backoff::Backoff;
use crate::run::driver::{self, Outside};
use crate::run::evidence::Rules;
use crate::run::machine::starts::Readiness;
use crate::run::machine::witness::Before;
use crate::run::machine::{Call, Finished, Input, Machine, Sighting, Start};
use crate::run::rate_limiter::Purpose;
use crate::run::session::Session;
use crate::run::{
    Durations, Halt, InstanceList, Now, Options, Rollout, Signal, StartOrder, Tolerance,
    Tolerances, Witnesses,
};
use crate::witness::{Look, PATIENCE};
use crate::zomro::{
    Answer, HalfSession, History, Image, Instance, Keepalive, LoginError, Page, Preview, Read,
    ReadError, Reply, Sent, Submission, Submitted,
};

/// The image that the manifest orders, and the one that already runs.
pub const NEW: &str = "18d0ee2e-4d57-4f40-9b56-03c1773b5831";
pub const OLD: &str = "28d0ee2e-4d57-4f40-9b56-03c1773b5831";
const NAMES: [(&str, &str); 2] = [(NEW, "new"), (OLD, "old")];

/// Whose all instances are.
pub const OWNER: &str = "4711";

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_mins(1);

/// The clock on the wall at the start.
const EPOCH_MS: i64 = 1_795_399_200_000;
/// A run that takes more turns than this hangs.
const TURNS_MAX: u32 = 100_000;

pub fn options() -> Options {
    Options {
        workers: 4,
        rate_per_s: 1.0,
        backoff: Backoff {
            initial: SECOND,
            max: MINUTE,
        },
        outage_timeout: 10 * MINUTE,
        rules: Rules {
            settle: 2 * MINUTE,
            poll_interval: 10 * SECOND,
            unseen_after: 4 * MINUTE,
            rebuild_timeout: 20 * MINUTE,
            request_timeout: MINUTE,
            silence_counts: true,
            hooks: false,
            retries: 3,
        },
        tolerances: Tolerances {
            failures: Tolerance::Percent(100),
            mismatches: Tolerance::Percent(100),
        },
        rollout: Rollout::default(),
        witnesses: Witnesses::default(),
        no_wait: false,
        stale: false,
    }
}

/// What becomes of one submission.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Accepted, and the rebuild goes this way.
    Accepted(Rebuilding),
    /// Accepted, and never done.
    Ignored,
    /// The answer tells nothing; where a rebuild is given, it is executed.
    Unknown(Option<Rebuilding>),
    NotSent,
    SlowDown(Option<Duration>),
    Refused,
    Unauthorized,
    Blocked,
    /// An `ok` that names the second factor.
    HalfSession,
}

/// How a rebuild that is executed goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rebuilding {
    /// From the arrival of the submission until the status shows.
    pub lag: Duration,
    pub takes: Duration,
    pub ends: End,
    /// From the arrival of the submission until the new name shows; `None`: it shows at the end.
    pub name_lag: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    Back,
    Error,
    Never,
    /// It works again, under the old name: somebody has undone it.
    Undone,
    /// It stands in `error` under the old name.
    ErrorBefore,
}

/// How the account's list deceives who reads it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Oddities {
    /// From second to second after the start (both inclusive, exclusive) it shows what it showed at
    /// the first of them.
    pub frozen_s: Vec<(u64, u64)>,
    /// The same of one page alone.
    pub frozen_page_s: Option<(usize, u64, u64)>,
    /// Each page lags so many seconds more than the one before it.
    pub page_lag_s: u64,
    /// What it calls the new image.
    pub new_name: Option<&'static str>,
    /// Rows that stand twice, the second time with another status.
    pub twice: Option<ServiceId>,
}

pub fn usual() -> Rebuilding {
    Rebuilding {
        lag: 5 * SECOND,
        takes: MINUTE,
        ends: End::Back,
        name_lag: None,
    }
}

/// What the list shows of an instance, from which moment on.
#[derive(Debug, Clone)]
pub struct Shown {
    pub from: Instant,
    pub status: &'static str,
    pub image: &'static str,
}

/// An instance, and the truth about it.
#[derive(Debug, Clone)]
pub struct Truth {
    pub shown: Vec<Shown>,
    pub listed: bool,
    pub ip: Option<&'static str>,
    /// Executed rebuilds, and how many may be.
    pub wiped: u32,
    pub may_be_wiped: u32,
    /// When the last one was complete.
    pub back_at: Option<Instant>,
    /// Somebody put the old image back then.
    pub undone: bool,
    /// Every submission meets this.
    pub always: Option<Fate>,
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    Login,
    Confirm,
    Keepalive,
    Whoami,
    Owner,
    Page(u32),
    Preview(ImageId),
    History(ServiceId),
    Submit(ServiceId),
}

/// How often what goes wrong by itself: shares from 0 to 1.
#[derive(Debug, Clone, Default)]
pub struct Chances {
    pub unknown: f64,
    pub not_sent: f64,
    pub slow_down: f64,
    pub refused: f64,
    pub read_fails: f64,
    pub session_ends: f64,
    pub broken: f64,
    pub operator: f64,
    pub ignored: f64,
    /// All names show late: after 0.4 to 1 times so many times twelve minutes. That one of them takes more
    /// than three times as long as any other that was seen is an assumption which is accepted.
    pub late_name: f64,
    /// The store does not answer, because somebody else holds it.
    pub busy: f64,
    /// A commit fails for good, and whether it was written nobody knows.
    pub store_fails: f64,
}

/// A run, and everything around it.
pub struct World {
    pub machine: Machine,
    around: Around,
    /// Until when the machine waits; `None`: the run is over.
    until: Option<Instant>,
    /// A signal that has come.
    pub signal: Option<Signal>,
    turns: u32,
}

/// Everything around the machine.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact about the world of its own"
)]
pub struct Around {
    pub now: Now,
    started: Instant,
    pub options: Options,
    pub queue: BTreeMap<JobId, QueuedJob>,
    pub account: BTreeMap<ServiceId, Truth>,
    /// The order of the list; `shifts`: it is turned by so many rows after each page.
    order: Vec<ServiceId>,
    pub shifts: usize,
    pub page_size: usize,
    /// The list claims so many rows more than it has.
    pub total_off_by: u64,
    pub list_lag: Duration,
    pub oddities: Oddities,
    pub latency: Duration,
    pub random: fastrand::Rng,
    pub chances: Chances,

    pub can_login: bool,
    pub can_confirm: bool,
    generation: u64,
    pub session_lives: bool,
    /// Scripts: what the next calls of a kind meet, before chance decides.
    pub submits: VecDeque<Fate>,
    pub keepalives: VecDeque<Keepalive>,
    pub logins: VecDeque<LoginError>,
    pub whoamis: VecDeque<Keepalive>,
    pub owners: VecDeque<ReadError>,
    /// Whose the session is, by its id; `None`: the API names nobody.
    pub owner: Option<&'static str>,
    /// Whose the sessions after the next logins are.
    pub later_owners: VecDeque<Option<&'static str>>,
    /// It is told so much later.
    pub owner_lag: Duration,
    /// Whose the batch is.
    pub bound: Option<Owner>,
    /// What the run was told last of a session, by its generation.
    told: Option<(u64, Option<Owner>)>,
    pub pages: VecDeque<ReadError>,
    pub previews: VecDeque<ReadError>,
    pub histories: VecDeque<ReadError>,
    /// Their previews do not offer the new image.
    pub lacking: HashSet<ServiceId>,
    /// Every call of the kind meets this.
    pub page_always: Option<ReadError>,
    /// This page can't be read.
    pub page_that_fails: Option<u32>,
    pub preview_always: Option<ReadError>,
    /// Submissions of these are answered so much later.
    pub slow: HashMap<ServiceId, Duration>,
    /// Nothing gets through.
    pub down: bool,
    /// Answers that come after a later moment than others asked before them.
    under_way: Vec<(Instant, Finished)>,

    pub calls: Vec<(Instant, Made)>,
    pub events: Vec<Event>,
    pub entries: Vec<(ServiceId, LedgerEntry)>,
    /// No call may be made before.
    held_until: Instant,
    /// How long rebuilds of earlier batches took.
    before: Vec<(Option<ImageId>, Duration)>,
    /// Jobs taken over from an earlier process that may still come back to life.
    inherited: u64,
    last_poll: Option<Instant>,
    starts: Vec<u64>,
    /// Lines of the manifest that something may keep from starting in their turn.
    deferred: HashSet<ServiceId>,
    /// How long the machine has slept.
    slept: Duration,
    /// The process stood still for a while: readings from before are worth nothing.
    pub stood_still: bool,
    /// Failed by an operator's word.
    dealt_with: HashSet<JobId>,
    /// Operators moved jobs behind the run's back, at some time and in this turn.
    pub meddled: bool,
    moved_now: bool,
    /// The store was asked so often in this turn, and has recorded something, or failed to answer.
    asked_now: u32,
    recorded_now: bool,
    failed_now: bool,
    /// What operators have said, each with its number, and the run that is at work.
    said: Vec<(i64, ControlEntry)>,
    said_at: Option<Instant>,
    run: RunId,
    /// In this turn a job was begun, or was to be begun while the store allows none.
    begun_now: bool,
    pub refused_now: bool,
    /// Where the images stand.
    pub zone: &'static str,
    /// What answers on the instances' SSH ports.
    pub ssh: Ssh,
    /// Done when the run believes that nothing is left to do, once.
    pub in_the_last_moment: Option<fn(&mut Around)>,
}

pub fn service(number: u64) -> ServiceId {
    number.to_string().parse().unwrap()
}

pub fn owner(id: &str) -> Owner {
    Owner {
        id: AccountId::new(id),
        label: None,
    }
}

pub fn network() -> Failure {
    Failure::new("timeout", "no answer within 60 s")
}

pub fn garbled() -> Failure {
    Failure::new("garbled", "this is no list")
}

impl World {
    /// A batch of `jobs` jobs that order the new image, and an account in which all is well.
    #[expect(clippy::too_many_lines, reason = "one value, with all of its fields")]
    pub fn new(jobs: u64, options: Options) -> Self {
        let started = Instant::now() + Duration::from_hours(1000);
        let now = Now {
            at: started,
            unix_ms: EPOCH_MS,
        };
        let queue = (1..=jobs)
            .map(|number| {
                let job = QueuedJob {
                    id: JobId::from_stored((1 << 32) | i64::try_from(number).unwrap()),
                    line: number + 1,
                    service: service(number),
                    order: Order::Rebuild(Rebuild {
                        image: NEW.parse().unwrap(),
                        zone: None,
                        access: StoredAccess::Known(Access::Password("Mypassword1".into())),
                    }),
                    expected: Expected::default(),
                    group: None,
                    ssh_port: None,
                    note: None,
                    record: JobRecord::queued(),
                };
                (job.id, job)
            })
            .collect();
        let truth = Truth {
            shown: vec![Shown {
                from: started,
                status: "active",
                image: "old",
            }],
            listed: true,
            ip: None,
            wiped: 0,
            may_be_wiped: 1,
            back_at: None,
            undone: false,
            always: None,
        };
        let order: Vec<ServiceId> = (1..=jobs).map(service).collect();
        let around = Around {
            now,
            started,
            queue,
            account: order.iter().map(|&id| (id, truth.clone())).collect(),
            order,
            shifts: 0,
            page_size: 50,
            total_off_by: 0,
            list_lag: Duration::ZERO,
            oddities: Oddities::default(),
            latency: Duration::from_millis(200),
            random: fastrand::Rng::with_seed(7),
            chances: Chances::default(),
            can_login: true,
            can_confirm: false,
            generation: 1,
            session_lives: true,
            submits: VecDeque::new(),
            keepalives: VecDeque::new(),
            logins: VecDeque::new(),
            whoamis: VecDeque::new(),
            owners: VecDeque::new(),
            owner: Some(OWNER),
            later_owners: VecDeque::new(),
            owner_lag: Duration::ZERO,
            bound: None,
            told: None,
            pages: VecDeque::new(),
            previews: VecDeque::new(),
            histories: VecDeque::new(),
            lacking: HashSet::new(),
            page_always: None,
            page_that_fails: None,
            preview_always: None,
            slow: HashMap::new(),
            down: false,
            under_way: Vec::new(),
            calls: Vec::new(),
            events: Vec::new(),
            entries: Vec::new(),
            held_until: started,
            before: Vec::new(),
            inherited: 0,
            last_poll: None,
            starts: Vec::new(),
            deferred: HashSet::new(),
            slept: Duration::ZERO,
            stood_still: false,
            dealt_with: HashSet::new(),
            meddled: false,
            moved_now: false,
            asked_now: 0,
            recorded_now: false,
            failed_now: false,
            said: Vec::new(),
            said_at: None,
            run: RunId(1),
            begun_now: false,
            refused_now: false,
            zone: "pub",
            ssh: Ssh::default(),
            in_the_last_moment: None,
            options,
        };
        Self {
            machine: around.process(Vec::new(), InstanceList::default()),
            around,
            until: Some(started),
            signal: None,
            turns: 0,
        }
    }

    /// The process dies now, and another one takes over after `pause`.
    pub fn crash(&mut self, pause: Duration) {
        self.under_way.clear();
        self.pass(pause);
        let is_open = |job: &&QueuedJob| {
            let state = job.record.state;
            matches!(
                state,
                State::Submitting | State::InProgress | State::InDoubt
            )
        };
        let in_flight: Vec<QueuedJob> = self.queue.values().filter(is_open).cloned().collect();
        self.inherited = in_flight.len() as u64;
        self.held_until = self.now.at;
        self.run = RunId(self.run.0 + 1);
        self.calls.clear();
        self.last_poll = None;
        self.start(in_flight, InstanceList::default());
    }

    fn start(&mut self, in_flight: Vec<QueuedJob>, list: InstanceList) {
        self.machine = self.around.process(in_flight, list);
        self.until = Some(self.now.at);
        self.signal = None;
    }

    /// With a bare token there is nothing to log in with.
    pub fn with_bare_token(mut self) -> Self {
        self.can_login = false;
        self.start(Vec::new(), InstanceList::default());
        self
    }

    /// The batch was bound by an earlier run.
    pub fn belongs_to(&mut self, id: Option<&str>) {
        self.bound = id.map(owner);
        self.start(Vec::new(), InstanceList::default());
    }

    /// So long took rebuilds of earlier batches.
    pub fn took_before(&mut self, before: Vec<(Option<ImageId>, Duration)>) {
        self.before = before;
        self.start(Vec::new(), InstanceList::default());
    }

    /// One-time codes can be had without a person.
    pub fn with_codes(mut self) -> Self {
        self.can_confirm = true;
        self.start(Vec::new(), InstanceList::default());
        self
    }

    /// A page of the list has been asked for.
    pub fn is_reading(&self) -> bool {
        let is_page = |finished: &Finished| matches!(finished, Finished::Page(..));
        self.under_way.iter().any(|(_, finished)| is_page(finished))
    }

    pub fn job(&self, number: u64) -> &QueuedJob {
        self.queue
            .values()
            .find(|job| job.service == service(number))
            .unwrap()
    }

    pub fn state(&self, number: u64) -> State {
        self.job(number).record.state
    }

    /// The list shows it no more, or again.
    pub fn list(&mut self, number: u64, listed: bool) {
        self.deferred.insert(service(number));
        self.truth(number).listed = listed;
    }

    pub fn truth(&mut self, number: u64) -> &mut Truth {
        self.account.get_mut(&service(number)).unwrap()
    }

    /// Somebody else changes what stands there, from now on.
    pub fn show(&mut self, number: u64, status: &'static str, image: &'static str) {
        let from = self.now.at;
        self.deferred.insert(service(number));
        let shown = &mut self.truth(number).shown;
        shown.retain(|shown| shown.from <= from);
        shown.push(Shown {
            from,
            status,
            image,
        });
    }

    /// Each job expects its instance as it is now.
    pub fn pin(&mut self) {
        for job in self.around.queue.values_mut() {
            let truth = &self.around.account[&job.service];
            let shown = truth.shown.last().unwrap();
            job.expected = Expected {
                name: Some(String::new()),
                ip: Some(truth.ip.unwrap_or_default().to_owned()),
                image: Some(shown.image.to_uppercase()),
                status: Some(shown.status.into()),
                seen: true,
                contradicted: false,
            };
        }
    }

    /// Each job is in one of so many groups.
    pub fn group(&mut self, groups: u64) {
        for job in self.around.queue.values_mut() {
            job.group = Group::new(&format!("group {}", job.line % groups));
        }
    }

    /// All instances answer SSH, each at an address of its own.
    pub fn with_ssh(mut self, trap: Trap) -> Self {
        let started = self.started;
        self.ssh.trap = trap;
        let services: Vec<ServiceId> = self.account.keys().copied().collect();
        for service in services {
            let address: &'static str = self.ssh.add(service, started).leak();
            self.account.get_mut(&service).unwrap().ip = Some(address);
        }
        self.options.witnesses.ssh_port = Some(22);
        self.machine = self.around.process(Vec::new(), InstanceList::default());
        self
    }

    /// Its owner gives it another address.
    pub fn give_address(&mut self, number: u64, ip: &'static str) {
        self.deferred.insert(service(number));
        self.truth(number).ip = Some(ip);
    }

    pub fn kinds(&self, number: u64) -> Vec<&'static str> {
        self.entries
            .iter()
            .filter(|(id, _)| *id == service(number))
            .map(|(_, entry)| entry.kind())
            .collect()
    }

    /// Submissions of all processes.
    pub fn count_all_submissions(&self, number: u64) -> usize {
        let kinds = self.kinds(number);
        kinds.iter().filter(|kind| **kind == "intent").count()
    }

    pub fn move_to_the_end(&mut self, number: u64) {
        self.deferred.insert(service(number));
        self.order.retain(|id| *id != service(number));
        self.order.push(service(number));
    }

    pub fn move_to_the_front(&mut self, number: u64) {
        self.deferred.insert(service(number));
        self.order.retain(|id| *id != service(number));
        self.order.insert(0, service(number));
    }

    /// The list has the order of the manifest, from its end.
    pub fn turn_the_list(&mut self) {
        self.order.reverse();
    }

    /// Instances of the account that nobody ordered to rebuild.
    pub fn add_strangers(&mut self, jobs: u64, count: u64) {
        for number in jobs + 1..=jobs + count {
            let like = self.account[&service(1)].clone();
            self.account.insert(service(number), like);
            self.order.push(service(number));
        }
    }

    /// The last ones of them are gone.
    pub fn remove_strangers(&mut self, count: usize) {
        for id in self
            .account
            .keys()
            .copied()
            .collect::<Vec<_>>()
            .iter()
            .rev()
            .take(count)
        {
            self.order.retain(|listed| listed != id);
        }
    }

    /// The question before the run has read the whole list.
    pub fn with_the_list_read(&mut self) {
        let mut list = InstanceList::default();
        list.begin_scan();
        while let Some(page) = list.scan_page() {
            let at = self.now.at;
            let reply = self.read_page(page, at).unwrap();
            list.read(page, &reply.value, at);
        }
        self.start(Vec::new(), list);
    }

    pub fn submissions(&self, number: u64) -> usize {
        self.count(&Made::Submit(service(number)))
    }

    pub fn count(&self, made: &Made) -> usize {
        self.calls.iter().filter(|(_, call)| call == made).count()
    }

    /// Works until the run ends.
    pub fn run(&mut self) {
        self.run_until(|_| false);
        self.check_end();
    }

    /// Works until the run ends, or `enough` is true after a turn.
    pub fn run_until(&mut self, enough: impl Fn(&Self) -> bool) {
        while !self.is_over() {
            self.turn();
            if enough(self) || self.is_over() {
                return;
            }
            self.wait();
        }
    }

    pub fn is_over(&self) -> bool {
        self.until.is_none()
    }

    /// Works for so long.
    pub fn run_for(&mut self, time: Duration) {
        let until = self.now.at + time;
        self.run_until(|world| world.now.at >= until);
    }

    /// One turn of the driver's loop, without the wait at its end.
    pub fn turn(&mut self) {
        self.turns += 1;
        assert!(self.turns < TURNS_MAX, "the run hangs: {:?}", self.machine);
        let input = match self.signal.take() {
            Some(signal) => Input::Signal(signal),
            None => Input::Finished(self.around.ended()),
        };
        let around = &mut self.around;
        (around.asked_now, around.recorded_now, around.failed_now) = (0, false, false);
        (around.moved_now, around.begun_now, around.refused_now) = (false, false, false);
        let knew_of_the_hold = self.machine.course.instructions.is_held();
        let lease = Lease::new(BatchId(1), around.run, 1);
        let calls_before = around.calls.len();
        let mut fault = None;
        let turn = driver::turn(&mut self.machine, around, &lease, input, &mut fault);
        self.until = at_once(turn);
        if !self.recorded_now {
            self.meddle();
        }
        assert!(
            !(knew_of_the_hold && self.refused_now),
            "it tries again although it knows that nothing may start"
        );
        self.check_rate(calls_before);
        self.check();
    }

    /// Sleeps until an answer comes or the machine wants to look at the clock.
    fn wait(&mut self) {
        let until = self.until.unwrap();
        assert!(until > self.now.at, "it never sleeps: {:?}", self.machine);
        let next = self
            .under_way
            .iter()
            .map(|(at, _)| *at)
            .min()
            .map_or(until, |at| at.min(until));
        // Never less than a millisecond: the clock on the wall has to follow.
        let time = next
            .saturating_duration_since(self.now.at)
            .max(Duration::from_millis(1));
        let time = Duration::from_millis(u64::try_from(time.as_micros().div_ceil(1000)).unwrap());
        self.pass(time);
    }

    /// Whether the calls made in this turn were made in their time.
    fn check_rate(&mut self, before: usize) {
        let interval = self.machine.gate.interval();
        if interval.is_zero() {
            return;
        }
        for nth in before..self.calls.len() {
            let (at, made) = self.calls[nth].clone();
            if let Some((last, _)) = nth.checked_sub(1).map(|last| &self.calls[last]) {
                assert!(at - *last >= interval, "two calls within {:?}", at - *last);
            }
            // The first scan may use every slot: nothing else is there to be called.
            if matches!(made, Made::Page(_)) && self.machine.account.inventory.is_scanned() {
                if let Some(last) = self.last_poll {
                    assert!(
                        at - last >= interval * 2,
                        "two polls within {:?}",
                        at - last
                    );
                }
                self.last_poll = Some(at);
            }
        }
    }

    /// What must hold at every instant.
    fn check(&self) {
        let machine = &self.machine;
        // Nothing was made of the same job twice, and nothing of a job in doubt.
        let out = self
            .under_way
            .iter()
            .filter(|(_, finished)| matches!(finished, Finished::Submit(..)))
            .count();
        let out = out + machine.flights.unconfirmed();
        assert_eq!(out, machine.flights.out(), "submissions are miscounted");
        // What is in flight stays there when the limit is lowered.
        let lowered = !self.begun_now && self.has_set();
        let workers = machine.options.workers;
        assert!(lowered || machine.in_flight() <= workers + self.inherited_or_doubted());
        self.check_control();
        if machine.slots() > 0 {
            let by = machine.held_back_by(self.now);
            let is_true = !matches!(by, Some(Limit::Workers | Limit::FailureBudget));
            assert!(is_true, "it says {by:?}, and {} may start", machine.slots());
        }
        if let Some(budget) = machine.budget.max() {
            let failures = machine.budget.failures(machine.flights.doubts());
            let in_flight = machine.flights.at_risk() as u64;
            let at_risk = failures.failed + failures.watched + failures.held + in_flight;
            let suspects = machine.backlog.suspects().len() as u64;
            assert!(
                lowered || at_risk + suspects <= budget + self.inherited,
                "{failures:?} with {in_flight} in flight of {budget}"
            );
        }
        if let Some(allowed) = self.allowed_mismatches() {
            let mismatched = self.harm().mismatched;
            assert!(mismatched <= allowed + 1, "{mismatched} of {allowed}");
        }
        self.check_nothing_is_left_undone();
    }

    /// The limits of the run were set by an operator.
    fn has_set(&self) -> bool {
        let is_set = |entry: &ControlEntry| matches!(entry.instruction, Instruction::Set(_));
        self.said.iter().any(|(_, entry)| is_set(entry))
    }

    /// What operators say is heard soon, and all that was heard counts.
    fn check_control(&self) {
        let machine = &self.machine;
        let last = self.said.last().map_or(0, |(seq, _)| *seq);
        let is_heard = machine.course.instructions.heard() == last;
        let late = self
            .said_at
            .is_some_and(|at| self.now.at >= at + 2 * SECOND);
        let may_hear = !machine.is_ending() && !self.failed_now && !machine.desk.is_hindered();
        assert!(is_heard || !late || !may_hear, "nobody listens");
        let control = self.control_of_run();
        if is_heard {
            assert_eq!(machine.course.instructions.is_held(), control.is_held());
            let workers = control.limits.workers.unwrap_or(self.options.workers);
            assert_eq!(machine.options.workers, workers);
        }
    }

    /// Doubts that turned out to be rebuilding take a slot each, beyond the workers.
    fn inherited_or_doubted(&self) -> usize {
        self.entries
            .iter()
            .filter(|(_, entry)| {
                matches!(
                    entry,
                    LedgerEntry::Unknown { .. } | LedgerEntry::Interrupted
                )
            })
            .count()
    }

    /// What may start, starts: no job waits for nothing.
    fn check_nothing_is_left_undone(&self) {
        let machine = &self.machine;
        // A slot that a failed guard freed is found within a heartbeat.
        let may_start = !machine.is_ending()
            && !self.moved_now
            && !self.failed_now
            && self.machine.desk.is_done()
            && machine.gate.is_open()
            && (self.options.no_wait || machine.account.inventory.is_scanned())
            && !machine.wants_order()
            && machine.may_send()
            && !machine.course.instructions.is_held()
            && machine.knows_rollout()
            && machine.slots() > 0;
        if !may_start || machine.gate.free_at(Purpose::Submission) > self.now.at {
            return;
        }
        let back_by_ms = machine.back_by_ms(self.now);
        let fits = |job: &QueuedJob| machine.fits(job.order.image(), back_by_ms, self.now);
        let mut ready = machine.backlog.waiting().iter().filter(|waiting| {
            matches!(
                machine.readiness(&waiting.job, self.now),
                Readiness::Ready { .. }
            ) && fits(&waiting.job)
        });
        // Nobody overtakes one whose host key is being read.
        let is_known = |job| matches!(machine.key_before(job, self.now), Before::Known(_));
        let ready = ready.next().filter(|waiting| is_known(&waiting.job));
        assert!(ready.is_none(), "a job could start and does not: {ready:?}");
        // Where the clock on the wall went on alone, delays still last as long as they were meant to.
        if machine.wants_jobs(self.now).is_none() && !self.meddled && self.slept.is_zero() {
            let known = machine.backlog.known();
            let buffered = machine
                .backlog
                .waiting()
                .iter()
                .any(|waiting| waiting.deferred_since.is_none());
            let forgotten = self
                .due(self.now.unix_ms, usize::MAX)
                .into_iter()
                .find(|job| {
                    let is_bound = is_bound(job, &machine.rollout.bindings.over());
                    !known.contains(&job.id) && machine.is_admitted(job) && fits(job) && !is_bound
                });
            assert!(
                buffered || forgotten.is_none(),
                "a due job is not asked for: {forgotten:?}"
            );
        }
    }

    /// What ends the run early is so.
    fn check_halt(&self) {
        match self.machine.halt() {
            Some(Halt::FailureBudget { failed, budget }) => assert!(failed >= budget),
            Some(Halt::GroupDown { group, .. }) => {
                let max = self.options.rollout.max_per_group.get() as usize;
                let members = self.queue.values();
                let members = members.filter(|job| job.group.as_ref() == Some(group));
                let down = members.filter(|job| self.is_down(job)).count();
                assert!(down >= max || self.meddled, "{down} of {group} are down");
            }
            Some(Halt::Canary { service, .. }) => {
                assert!(self.canaries().any(|job| job.service == *service) || self.meddled);
            }
            _ => {}
        }
    }

    /// What must hold when the run has ended.
    pub fn check_end(&self) {
        let lost = self.machine.lost_its_store();
        let early = lost || self.machine.halt().is_some() || self.machine.signal().is_some();
        for job in self.queue.values() {
            let record = &job.record;
            let truth = &self.account[&job.service];
            assert!(
                truth.wiped <= truth.may_be_wiped,
                "{} was wiped {} times",
                job.service,
                truth.wiped
            );
            if record.executed() == Executed::No {
                assert_eq!(
                    truth.wiped, 0,
                    "{} was wiped, and nobody knows",
                    job.service
                );
            }
            // Acceptance alone proves no end, and says so; what is odd is flagged.
            let is_proven = record.evidence != Some(Evidence::Accepted) && record.failure.is_none();
            let can_tell = record.target.is_some() && record.baseline.is_some();
            if record.state == State::Done && is_proven {
                assert!(
                    truth.wiped > 0,
                    "{} is done, and was never wiped",
                    job.service
                );
                // A list that froze between the new name and `rebuilding` looks like a quick rebuild.
                let froze =
                    !self.oddities.frozen_s.is_empty() || self.oddities.frozen_page_s.is_some();
                let hidden = froze && record.evidence == Some(Evidence::Image);
                assert!(
                    hidden || !truth.undone || !can_tell,
                    "{} is done, and has its old image",
                    job.service
                );
                assert!(
                    hidden || truth.back_at.is_some_and(|at| at <= self.now.at),
                    "{} is done, and its disk is still being written: {record:?}, {truth:?}, {:?}",
                    job.service,
                    self.entries
                        .iter()
                        .filter(|(id, _)| *id == job.service)
                        .collect::<Vec<_>>()
                );
            }
            assert!(
                lost || record.state != State::Submitting,
                "an answer was not waited for"
            );
            let settled = record.state.is_final() || record.held;
            let no_wait = self.options.no_wait && record.state != State::Queued;
            assert!(settled || no_wait || early, "{job:?} was left behind");
        }
        self.check_halt();
        if !lost {
            self.check_window_closed();
        }
        // Fresh jobs start in the manifest's order: nothing here defers one before another, unless
        // there are so many pages for so few calls that readings grow old before their jobs start, or
        // the process stood still, and the page that was read last is the only one that counts.
        let pages = self.order.len().div_ceil(self.page_size);
        let round = Duration::from_secs(pages as u64 * 2).as_secs_f64() / self.options.rate_per_s;
        // Likewise where a list that deceives keeps each job waiting for minutes.
        let grow_old =
            self.options.rate_per_s > 0.0 && round > 60.0 || self.oddities != Oddities::default();
        // What could not be recorded is given up, and comes back behind the others.
        let store_fails = self.chances.busy > 0.0 || !self.said.is_empty();
        let grouped = self.queue.values().any(|job| job.group.is_some());
        if self.deferred.is_empty()
            && self.options.rollout.order != StartOrder::List
            && !grouped
            && self.shifts == 0
            && !grow_old
            && !store_fails
            && !self.stood_still
        {
            assert!(
                self.starts.is_sorted(),
                "the manifest's order was not kept: {:?}",
                self.starts
            );
        }
    }

    /// A run that the window has ended has left nothing undone that would have fitted. What could not be
    /// recorded, the queue does not know.
    fn check_window_closed(&self) {
        let Some(Halt::WindowClosed { window, opens_ms }) = self.machine.halt() else {
            return;
        };
        assert!(*opens_ms > self.now.unix_ms && window.closes_at(*opens_ms).is_some());
        let queued = || {
            let jobs = self.queue.values();
            jobs.filter(|job| job.record.state == State::Queued)
        };
        assert!(self.meddled || queued().next().is_some(), "nothing is left");
        let could_start = queued().find(|job| self.is_back_in_time(job) == Some(true));
        assert!(could_start.is_none(), "{could_start:?} could start");
        let is_watched = |job: &&QueuedJob| !(job.record.state.is_final() || job.record.held);
        let mut jobs = self.queue.values().filter(is_watched);
        let left = jobs.find(|job| job.record.state != State::Queued);
        assert!(
            self.options.no_wait || left.is_none(),
            "{left:?} is in flight"
        );
    }
}

impl Around {
    /// Another process begins, and finds these in flight.
    fn process(&self, in_flight: Vec<QueuedJob>, list: InstanceList) -> Machine {
        let start = Start {
            options: self.options.clone(),
            counts: self.count(),
            owner: self.bound.clone(),
            session: Session::new(self.can_login, self.generation, self.now.at)
                .confirmed_by_code(self.can_confirm),
            list,
            in_flight: in_flight.into(),
            failures: self.harm(),
            durations: self.durations(),
            control: self.control_of_run(),
            seed: 1,
        };
        Machine::new(start, self.now)
    }

    /// Whoever paused the batch lets it go on.
    pub fn lift_the_pause(&mut self) {
        if self.control_of_run().paused.is_some() {
            self.say(Instruction::Go);
        }
    }

    /// An operator says this now.
    pub fn say(&mut self, instruction: Instruction) {
        let entry = ControlEntry {
            run: instruction.is_of_a_run().then_some(self.run),
            at_ms: self.now.unix_ms,
            operator: "anna".to_owned(),
            reason: Some("the backup is running".to_owned()),
            instruction,
        };
        let seq = self.said.last().map_or(1, |(seq, _)| seq + 1);
        self.said.push((seq, entry));
        self.said_at = Some(self.now.at);
    }

    /// What was said, as far as it concerns the run at work.
    pub fn control_of_run(&self) -> Control {
        let mut control = Control::of(Some(self.run));
        control.hear_all(&self.said);
        control
    }

    fn count(&self) -> Counts {
        let mut counts = Counts::default();
        for job in self.queue.values() {
            *counts.of_mut(job.record.state) += 1;
            counts.held += u64::from(job.record.held);
        }
        counts
    }

    /// As `queue/sqlite/overview.rs` answers.
    fn harm(&self) -> Harm {
        let in_state = |state| {
            let jobs = self.queue.values();
            jobs.filter(move |job| job.record.state == state)
        };
        let is_of = |job: &QueuedJob, kind: FailureKind| {
            let failure = job.record.failure.as_ref();
            failure.is_some_and(|failure| failure.error_kind == kind)
        };
        let mismatched = |job: &&QueuedJob| is_of(job, FailureKind::PlanMismatch);
        let counts = |job: &&QueuedJob| {
            let left_out = is_of(job, FailureKind::NotListed) || mismatched(job);
            !left_out && !self.dealt_with.contains(&job.id)
        };
        Harm {
            mismatched: in_state(State::Failed).filter(mismatched).count() as u64,
            failed: in_state(State::Failed).filter(counts).count() as u64,
            in_doubt: in_state(State::InDoubt).map(|job| job.id).collect(),
        }
    }

    /// As `queue/sqlite/durations.rs` answers.
    fn durations(&self) -> Durations {
        let jobs = self.queue.values();
        let took = |job: &QueuedJob| {
            let took = (job.order.image(), job.record.took()?);
            Some((job.record.completed_ms, took))
        };
        let mut took: Vec<_> = jobs.filter_map(took).collect();
        took.sort_by_key(|(completed_ms, _)| *completed_ms);
        let mut durations = Durations::default();
        durations.extend(self.before.iter().copied());
        durations.extend(took.into_iter().map(|(_, took)| took));
        durations
    }

    /// If it starts now: it would be back before the window closes, as far as the queue tells; `None`:
    /// there is no window, or the run has seen what an operator took out of the queue.
    fn is_back_in_time(&self, job: &QueuedJob) -> Option<bool> {
        let window = self.options.rollout.window.as_ref()?;
        let Some(closes_ms) = window.closes_at(self.now.unix_ms) else {
            return Some(false);
        };
        if self.meddled {
            return None;
        }
        let seen = [Some(Evidence::Observed), Some(Evidence::Image)];
        let others = self.queue.values().filter(|other| {
            seen.contains(&other.record.evidence) && other.order.image() == job.order.image()
        });
        let mut took_ms: Vec<i64> = others
            .filter_map(|other| Some(other.record.completed_ms? - other.record.submitted_ms?))
            .collect();
        let before = self.before.iter();
        let before = before.filter(|(image, _)| *image == job.order.image());
        took_ms.extend(before.map(|(_, took)| i64::try_from(took.as_millis()).unwrap()));
        took_ms.sort_unstable();
        let timeout_ms = i64::try_from(self.options.rules.rebuild_timeout.as_millis()).unwrap();
        // At most one of twenty takes longer.
        let takes_ms = match took_ms.len() {
            0..5 => timeout_ms,
            count => took_ms[count - 1 - count / 20],
        };
        Some(self.now.unix_ms + takes_ms <= closes_ms)
    }

    pub fn elapsed(&self) -> Duration {
        self.now.at - self.started
    }

    /// The machine sleeps: the monotonic clock stands still, the one on the wall does not, and the
    /// world goes on.
    pub fn sleep(&mut self, time: Duration) {
        let earlier = |at: &mut Instant| *at = at.checked_sub(time).unwrap();
        for truth in self.account.values_mut() {
            for shown in &mut truth.shown {
                earlier(&mut shown.from);
            }
            truth.back_at.iter_mut().for_each(earlier);
        }
        for (at, _) in &mut self.under_way {
            *at = at.checked_sub(time).unwrap().max(self.now.at);
        }
        self.slept += time;
        self.now.unix_ms += i64::try_from(time.as_millis()).unwrap();
    }

    /// The pages that have been asked for come late: they show what stands there now.
    pub fn read_late(&mut self) {
        for (at, finished) in std::mem::take(&mut self.under_way) {
            let finished = match finished {
                Finished::Page(asked, Ok(before)) => {
                    let late = self.read_page(asked, self.now.at).map(|late| Reply {
                        requested_at: before.requested_at,
                        ..late
                    });
                    Finished::Page(asked, late)
                }
                other => other,
            };
            self.under_way.push((at, finished));
        }
    }

    /// Time passes, and the run does not notice.
    pub fn pass(&mut self, time: Duration) {
        self.now.at += time;
        self.now.unix_ms += i64::try_from(time.as_millis()).unwrap();
    }

    /// The calls that have ended by now.
    fn ended(&mut self) -> Vec<Finished> {
        let now = self.now.at;
        self.under_way.sort_by_key(|(at, _)| *at);
        let later = self.under_way.partition_point(|(at, _)| *at <= now);
        let ended: Vec<_> = self.under_way.drain(..later).map(|(_, one)| one).collect();
        for finished in &ended {
            match finished {
                Finished::Owner(Ok(reply)) => {
                    self.told = Some((reply.generation, reply.value.clone()));
                }
                Finished::Owner(Err(ReadError::Unauthorized { generation, .. })) => {
                    self.told = Some((*generation, None));
                }
                Finished::Owner(Err(error)) if error.is_refusal() => {
                    self.told = Some((self.generation, None));
                }
                _ => {}
            }
        }
        let pauses = ended.iter().filter_map(asked_pause);
        let held_until = pauses.map(|pause| now + pause).max();
        self.held_until = self.held_until.max(held_until.unwrap_or(now));
        ended
    }

    fn allowed_mismatches(&self) -> Option<u64> {
        self.options
            .tolerances
            .mismatches
            .of(self.queue.len() as u64)
    }

    /// The store is asked: whether it answers.
    fn asked(&mut self) -> Result<(), StoreError> {
        self.asked_now += 1;
        assert!(
            self.asked_now < 60,
            "the run asks the store again and again"
        );
        if self.random.f64() < self.chances.busy {
            self.failed_now = true;
            return Err(StoreError::Busy);
        }
        Ok(())
    }

    /// As `queue/sqlite/read.rs` answers.
    fn due(&self, now_ms: i64, limit: usize) -> Vec<QueuedJob> {
        let mut due: Vec<&QueuedJob> = self
            .queue
            .values()
            .filter(|job| job.record.state == State::Queued && job.record.not_before_ms <= now_ms)
            .collect();
        due.sort_by_key(|job| (job.record.not_before_ms, job.id));
        due.into_iter().take(limit).cloned().collect()
    }

    fn next_ready_ms(&self, after_ms: i64) -> Option<i64> {
        self.queue
            .values()
            .filter(|job| job.record.state == State::Queued)
            .map(|job| job.record.not_before_ms)
            .filter(|at| *at > after_ms)
            .min()
    }

    /// Its instance may be out of service because of it, as far as is recorded and nobody has given his
    /// word.
    fn is_down(&self, job: &QueuedJob) -> bool {
        let is_spoken_of = job.record.state == State::Failed && self.dealt_with.contains(&job.id);
        job.record.is_down() && !is_spoken_of
    }

    /// The jobs that go first.
    fn canaries(&self) -> impl Iterator<Item = &QueuedJob> {
        let jobs = self.queue.values();
        let jobs = jobs.filter(|job| job.record.state != State::Cancelled);
        let each = self.options.rollout.canary.map_or(0, NonZeroU32::get);
        jobs.take(each as usize)
    }

    /// The job's intent is being written: those that go first are proven, and no more of its group are
    /// down by it than may be.
    fn check_rollout(&self, job: &QueuedJob) {
        let is_proven = |job: &QueuedJob| {
            let record = &job.record;
            record.state == State::Done && record.evidence != Some(Evidence::Accepted)
        };
        // What somebody has put back waits for nobody to be proven.
        let is_first = job.record.is_down() || self.canaries().any(|canary| canary.id == job.id);
        let is_released = self.control_of_run().released.is_some();
        assert!(
            is_first || is_released || self.canaries().all(is_proven),
            "{} starts before those that go first are proven",
            job.service
        );
        // Of those that are down and were put back, the first goes first.
        // What was let go by somebody's word, and then put back beside the run, the run may not know yet.
        let counts = |other: &&QueuedJob| {
            let is_let_go = self.dealt_with.contains(&other.id);
            let waits_behind = job.record.is_down() && other.id > job.id;
            let waits = other.record.state == State::Queued && (waits_behind || is_let_go);
            self.is_down(other) && !waits
        };
        let down = self.others_of_its_group(job).filter(counts).count();
        assert!(
            down < self.options.rollout.max_per_group.get() as usize,
            "{} goes down while {down} of its group are",
            job.service
        );
    }

    fn others_of_its_group(&self, job: &QueuedJob) -> impl Iterator<Item = &QueuedJob> {
        let (id, group) = (job.id, job.group.clone());
        let others = self.queue.values();
        others.filter(move |other| group.is_some() && other.group == group && other.id != id)
    }

    /// An instance is being wiped: no more of its group are really down by it than may be. What a list
    /// that stands still hides, nobody sees; that a rebuild is done the API's word alone may have said.
    fn check_group_of(&self, service: ServiceId) {
        let hides = !self.oddities.frozen_s.is_empty() || self.oddities.frozen_page_s.is_some();
        let job = self.queue.values().find(|job| job.service == service);
        let others = self.others_of_its_group(job.expect("it was ordered"));
        let is_down = |other: &&QueuedJob| {
            let truth = &self.account[&other.service];
            let is_back = truth.back_at.is_some_and(|at| at <= self.now.at);
            let is_spoken_of = self.dealt_with.contains(&other.id);
            let by_word = other.record.evidence == Some(Evidence::Accepted);
            truth.wiped > 0 && !is_back && !is_spoken_of && !by_word
        };
        let down = others.filter(is_down).count();
        assert!(
            hides || down < self.options.rollout.max_per_group.get() as usize,
            "{service} is wiped while {down} of its group are down"
        );
    }

    /// Writes what still stands as the machine believes.
    fn write(&mut self, steps: &[&Transition]) -> Recorded {
        let mut recorded = Recorded::default();
        let is_held = self.control_of_run().is_held();
        let (mismatched, allowed) = (self.harm().mismatched, self.allowed_mismatches());
        for step in steps {
            let is_back = self.is_back_in_time(&self.queue[&step.job]);
            let Transition {
                job,
                from,
                entry,
                at_ms: _,
                to,
            } = step;
            if is_held && matches!(entry, LedgerEntry::Intent { .. }) {
                self.refused_now = true;
                recorded.held.insert(*job);
                continue;
            }
            let row = &self.queue[job];
            let record = &row.record;
            if (record.state, record.attempt) != (from.state, from.attempt) {
                // The intent that this follows was not written after all.
                let is_of_nothing = matches!(entry, LedgerEntry::NotExecuted { .. })
                    && record.attempt + 1 == from.attempt;
                assert!(
                    self.meddled || is_of_nothing,
                    "{entry:?} conflicts although nobody meddled: {record:?}, {:?}",
                    self.entries
                        .iter()
                        .filter(|(id, _)| *id == row.service)
                        .map(|(_, entry)| entry.kind())
                        .collect::<Vec<_>>()
                );
                recorded.conflicts.insert(*job);
                continue;
            }
            if recorded.conflicts.contains(job) {
                continue;
            }
            // A commit that was said to have failed had written it, and state and attempt still stand.
            if self.chances.store_fails > 0.0 && record == to {
                continue;
            }
            // The database writes only what changes.
            assert_eq!(record, from, "state and attempt stand for the rest");
            if let (LedgerEntry::Intent { .. }, Some(is_back)) = (entry, is_back) {
                assert!(is_back, "it would not be back before the window closes");
            }
            if let LedgerEntry::Intent { baseline, .. } = entry {
                let is_touched = record.executed() != Executed::No;
                assert_expected(&row.expected, is_touched, baseline.as_ref());
                self.check_rollout(&self.queue[job]);
                let since = Duration::from_millis(
                    u64::try_from(self.now.unix_ms - sent_ms(record)).unwrap_or(0),
                );
                assert!(
                    record.executed_now != Executed::Maybe || since >= self.options.rules.settle,
                    "sent again {since:?} after what may still take effect"
                );
                assert!(allowed.is_none_or(|allowed| mismatched <= allowed));
            }
            if matches!(entry, LedgerEntry::Intent { .. }) {
                self.begun_now = true;
                if record.attempt == 0 {
                    self.starts.push(row.line);
                }
            }
            if matches!(entry, LedgerEntry::Intent { .. }) {
                // What was said before says nothing of what happens now.
                self.dealt_with.remove(job);
            }
            let row = self.queue.get_mut(job).unwrap();
            row.record = to.clone();
            self.entries.push((row.service, entry.clone()));
        }
        recorded
    }

    /// An operator's commands beside the run.
    fn meddle(&mut self) {
        if self.random.f64() >= self.chances.operator {
            return;
        }
        let jobs: Vec<JobId> = self.queue.keys().copied().collect();
        let job = jobs[self.random.usize(..jobs.len())];
        let row = self.queue.get_mut(&job).unwrap();
        let entry = match row.record.state {
            State::Queued => LedgerEntry::Cancelled,
            State::Failed if row.record.executed() == Executed::No => return,
            // Somebody has mended it, and has it rebuilt all the same.
            State::Failed if self.dealt_with.contains(&job) => {
                let truth = self.account.get_mut(&row.service).unwrap();
                truth.may_be_wiped += 1;
                truth.back_at = truth.back_at.or(Some(self.now.at));
                LedgerEntry::Retried
            }
            State::InDoubt | State::Failed => LedgerEntry::Resolved {
                verdict: Verdict::Failed,
                reason: "I looked".to_owned(),
                hook: false,
            },
            _ => return,
        };
        row.record = row.record.apply(&entry, self.now.unix_ms).unwrap();
        self.dealt_with.insert(job);
        self.meddled = true;
    }

    fn make(&mut self, call: Call) {
        if let Call::Submit(job, rebuild) = &call {
            let row = &self.queue[job];
            assert_eq!(row.service, rebuild.service);
            assert_eq!(
                row.record.state,
                State::Submitting,
                "sent without a committed intent"
            );
        }
        assert!(
            self.now.at >= self.held_until || matches!(call, Call::Look(..)),
            "a call while the API had asked for none"
        );
        let at = self.now.at;
        let mut latency = self.latency.mul_f64(0.5 + self.random.f64());
        if let Call::Owner = &call {
            latency += self.owner_lag;
        }
        if let Call::Submit(_, rebuild) = &call {
            latency += self.slow.get(&rebuild.service).copied().unwrap_or_default();
        }
        if self.random.f64() < self.chances.session_ends {
            self.session_lives = false;
        }
        let (made, finished) = match call {
            Call::Login => (Made::Login, Finished::Login(self.login())),
            Call::Confirm => (Made::Confirm, Finished::Login(self.login())),
            Call::Keepalive => (Made::Keepalive, Finished::Keepalive(self.keepalive())),
            Call::Whoami => (Made::Whoami, Finished::Whoami(self.whoami())),
            Call::Owner => (Made::Owner, Finished::Owner(self.owner(at + latency))),
            Call::Page(page) => {
                let read = self.read_page(page, at + latency);
                (Made::Page(page), Finished::Page(page, read))
            }
            Call::LookUp(_) => unreachable!("a run looks nothing up"),
            Call::History(query) => {
                let service = query.service;
                let read = self.history(service, at + latency);
                (Made::History(service), Finished::History(service, read))
            }
            Call::Look(service, look) => return self.look(service, look),
            Call::Preview(image, service) => {
                let read = self.preview(service, at + latency);
                (
                    Made::Preview(image),
                    Finished::Preview(image, service, read),
                )
            }
            Call::Submit(_, submission) => {
                let Submission { service, order } = *submission;
                let image = order.image().expect("a rebuild has one");
                let submitted = self.submit(service, image, at + latency);
                (
                    Made::Submit(service),
                    Finished::Submit(service, Box::new(submitted)),
                )
            }
        };
        if matches!(made, Made::Submit(_)) {
            self.check_owner();
        }
        self.calls.push((at, made));
        self.under_way.push((at + latency, finished));
    }

    /// It is no call of the API, and counts against no rate.
    fn look(&mut self, service: ServiceId, look: Look) {
        let at = self.now.at;
        let seen = self.ssh.look(&look, at);
        let latency = if seen.is_ok() { self.latency } else { PATIENCE };
        let sighting = Sighting {
            service,
            look,
            seen,
            asked_at: at,
            answered_ms: self.unix_ms(at + latency),
        };
        self.under_way
            .push((at + latency, Finished::Look(sighting)));
    }

    fn login(&mut self) -> Result<u64, LoginError> {
        if self.down {
            return Err(LoginError::Failed(network()));
        }
        if let Some(error) = self.logins.pop_front() {
            return Err(error);
        }
        self.session_lives = true;
        self.generation += 1;
        if let Some(next) = self.later_owners.pop_front() {
            self.owner = next;
        }
        Ok(self.generation)
    }

    fn keepalive(&mut self) -> Keepalive {
        if self.down {
            return Keepalive::Failed(network());
        }
        if let Some(answer) = self.keepalives.pop_front() {
            return answer;
        }
        if self.session_lives {
            Keepalive::Alive
        } else {
            Keepalive::Dead {
                message: "your session has expired".to_owned(),
            }
        }
    }

    fn whoami(&mut self) -> Keepalive {
        if let Some(answer) = self.whoamis.pop_front() {
            return answer;
        }
        self.keepalive()
    }

    fn owner(&mut self, answered_at: Instant) -> Read<Option<Owner>> {
        if let Some(error) = self.owners.pop_front() {
            return Err(error);
        }
        match self.obstacle() {
            Some(error) => Err(error),
            None => Ok(self.reply(self.owner.map(owner), answered_at)),
        }
    }

    /// A job is being sent: the session that lives has said whose it is, and the batch is that
    /// account's. A session that has died since sends nothing.
    fn check_owner(&self) {
        if !self.session_lives {
            return;
        }
        let (generation, told) = self.told.clone().expect("it was asked whose it is");
        assert_eq!(
            generation, self.generation,
            "of this session nobody has asked"
        );
        assert!(
            told.is_none() || told == self.owner.map(owner),
            "this session is not {told:?}'s"
        );
        // Where the session does not say whose it is, the batch is nobody's.
        assert_eq!(told, self.bound, "whose session, and whose batch");
    }

    fn obstacle(&mut self) -> Option<ReadError> {
        if self.down {
            return Some(ReadError::Failed(network()));
        }
        if !self.session_lives {
            return Some(ReadError::Unauthorized {
                generation: self.generation,
                message: "access denied".to_owned(),
            });
        }
        (self.random.f64() < self.chances.read_fails).then(|| match self.random.u8(0..4) {
            0 => ReadError::Failed(network()),
            1 => ReadError::Failed(garbled()),
            2 => ReadError::SlowDown { retry_after: None },
            _ => ReadError::Blocked { status: 403 },
        })
    }

    fn read_page(&mut self, asked: u32, answered_at: Instant) -> Read<Page> {
        let fails = self.page_that_fails == Some(asked);
        let fails = fails.then(|| ReadError::Failed(garbled()));
        if let Some(error) = (self.pages.pop_front())
            .or(self.page_always.clone())
            .or(fails)
        {
            return Err(error);
        }
        if let Some(error) = self.obstacle() {
            return Err(error);
        }
        let listed: Vec<ServiceId> = self
            .order
            .iter()
            .copied()
            .filter(|id| self.account[id].listed)
            .collect();
        let read_at = self
            .now
            .at
            .checked_sub(self.list_lag.min(self.elapsed()))
            .unwrap();
        let pages = listed.len().div_ceil(self.page_size).max(1);
        // Beyond the end comes the last page, as the panel does it.
        let number = (asked as usize).min(pages);
        let read_at = self.shown_at(number, read_at);
        let mut instances: Vec<Instance> = listed
            .iter()
            .skip((number - 1) * self.page_size)
            .take(self.page_size)
            .map(|id| {
                let shown = &self.account[id].shown;
                let later = shown.partition_point(|shown| shown.from <= read_at);
                let shown = &shown[later.saturating_sub(1)];
                Instance {
                    service: *id,
                    status: shown.status.into(),
                    image: Some(self.spelled(shown.image).to_owned()),
                    name: None,
                    ip: self.account[id].ip.map(str::to_owned),
                    datacenter: None,
                }
            })
            .collect();
        let twice = instances
            .iter()
            .find(|row| Some(row.service) == self.oddities.twice)
            .cloned();
        instances.extend(twice.map(|row| Instance {
            status: InstanceStatus::Active,
            ..row
        }));
        let turn = self.shifts.min(self.order.len());
        self.order.rotate_left(turn);
        Ok(self.reply(
            Page {
                number: u32::try_from(number).unwrap(),
                per_page: None,
                total: listed.len() as u64 + self.total_off_by,
                rows: instances.len() as u64,
                instances,
            },
            answered_at,
        ))
    }

    /// The moment that a page shows, if it is read now and everything is shown as it was at `read_at`.
    fn shown_at(&self, page: usize, read_at: Instant) -> Instant {
        let Oddities {
            frozen_s,
            frozen_page_s,
            page_lag_s,
            ..
        } = &self.oddities;
        let elapsed = self.elapsed().as_secs();
        let whole = frozen_s.iter().copied();
        let of_page = frozen_page_s
            .filter(|(frozen, _, _)| *frozen == page)
            .map(|(_, from, until)| (from, until));
        let frozen = whole
            .chain(of_page)
            .filter(|(from, until)| (*from..*until).contains(&elapsed))
            .map(|(from, _)| self.started + Duration::from_secs(from))
            .min();
        let lag = Duration::from_secs(page_lag_s * page as u64).min(self.elapsed());
        let read_at = frozen.map_or(read_at, |frozen| frozen.min(read_at));
        // What happened before a sleep has moved into the past with it.
        read_at.checked_sub(lag).unwrap()
    }

    /// What the list calls an image.
    fn spelled(&self, image: &'static str) -> &'static str {
        match self.oddities.new_name {
            Some(name) if image == "new" => name,
            _ => image,
        }
    }

    fn preview(&mut self, service: ServiceId, answered_at: Instant) -> Read<Preview> {
        if let Some(error) = self.previews.pop_front().or(self.preview_always.clone()) {
            return Err(error);
        }
        if let Some(error) = self.obstacle() {
            return Err(error);
        }
        let offers = !self.lacking.contains(&service);
        let images = NAMES
            .iter()
            .filter(|(id, _)| offers || *id != NEW)
            .map(|(id, name)| Image {
                id: id.parse().unwrap(),
                name: (*name).to_owned(),
                zone: Some(self.zone.to_owned()),
            })
            .collect();
        let ssh_keys = Vec::new();
        Ok(self.reply(Preview { images, ssh_keys }, answered_at))
    }

    /// What the API has noted of an instance: every wipe.
    fn history(&mut self, service: ServiceId, answered_at: Instant) -> Read<History> {
        if let Some(error) = self.histories.pop_front() {
            return Err(error);
        }
        if let Some(error) = self.obstacle() {
            return Err(error);
        }
        let rebuilds = u64::from(self.account[&service].wiped);
        let history = History {
            total: rebuilds + 1,
            read: rebuilds + 1,
            rebuilds,
            shown: None,
            is_newest: false,
        };
        Ok(self.reply(history, answered_at))
    }

    fn reply<T>(&self, value: T, answered_at: Instant) -> Reply<T> {
        Reply {
            value,
            generation: self.generation,
            requested_at: self.now.at,
            answered_at,
            answered_ms: self.unix_ms(answered_at),
        }
    }

    fn unix_ms(&self, at: Instant) -> i64 {
        self.now.unix_ms + i64::try_from((at - self.now.at).as_millis()).unwrap()
    }

    fn submit(&mut self, service: ServiceId, image: ImageId, answered_at: Instant) -> Submitted {
        let fate = self.fate(service);
        let executed = match &fate {
            Fate::Accepted(rebuilding) => Some(rebuilding.clone()),
            Fate::Unknown(rebuilding) => rebuilding.clone(),
            _ => None,
        };
        if let Some(rebuilding) = executed {
            let name = NAMES
                .iter()
                .find(|(id, _)| image == id.parse().unwrap())
                .unwrap()
                .1;
            self.execute(service, name, &rebuilding);
        }
        if let Trap::Foreign(after) = self.ssh.trap {
            self.ssh.rebuilt(service, self.now.at + after, &usual());
        }
        let answer = match &fate {
            Fate::Accepted(_) | Fate::Ignored => Answer::Accepted,
            Fate::Unknown(_) => Answer::Unknown(network()),
            Fate::NotSent => Answer::NotSent(Failure::new("connect", "connection refused")),
            Fate::SlowDown(retry_after) => Answer::SlowDown {
                retry_after: *retry_after,
            },
            Fate::Refused => Answer::Refused(Failure::new("value", "no such image")),
            Fate::Unauthorized => Answer::Unauthorized {
                message: "access denied".to_owned(),
            },
            Fate::Blocked => Answer::Blocked { status: 403 },
            Fate::HalfSession => Answer::HalfSession {
                asks_for: HalfSession::SecondFactor,
                failure: Failure::new("elsewhere", "func=totp.confirm"),
            },
        };
        Submitted {
            generation: self.generation,
            sent: (fate != Fate::NotSent).then_some(Sent {
                at_ms: self.now.unix_ms,
                at: self.now.at,
            }),
            answered_ms: self.unix_ms(answered_at),
            answered_at,
            answer,
            pause: None,
        }
    }

    fn fate(&mut self, service: ServiceId) -> Fate {
        if self.down {
            return Fate::NotSent;
        }
        if !self.session_lives {
            return Fate::Unauthorized;
        }
        if let Some(fate) = self.account[&service].always.clone() {
            return fate;
        }
        if let Some(fate) = self.submits.pop_front() {
            return fate;
        }
        let mut rebuilding = usual();
        rebuilding.lag = rebuilding.lag.mul_f64(2.0 * self.random.f64());
        rebuilding.takes = rebuilding.takes.mul_f64(2.0 * self.random.f64());
        rebuilding.name_lag = self.random.bool().then_some(Duration::ZERO);
        if self.chances.late_name > 0.0 {
            let longest = (6 * MINUTE).mul_f64(self.chances.late_name * 2.0);
            rebuilding.name_lag = Some(longest.mul_f64(0.4 + 0.6 * self.random.f64()));
        }
        if self.random.f64() < self.chances.broken {
            rebuilding.ends = match self.random.u8(0..4) {
                0 => End::Error,
                1 => End::Never,
                2 => End::Undone,
                _ => End::ErrorBefore,
            };
            // That it is undone between two readings of its page, or while the list stands still, is an
            // assumption which is accepted.
            if rebuilding.ends == End::Undone {
                let still = self.oddities.frozen_s.iter().copied();
                let page = self.oddities.frozen_page_s.map(|(_, from, to)| (from, to));
                let thaws = still
                    .chain(page)
                    .map(|(_, to)| to)
                    .max()
                    .unwrap_or_default();
                let thaws = self.started + Duration::from_secs(thaws);
                let seen = self.options.rules.settle + 10 * SECOND;
                let until_seen = thaws.saturating_duration_since(self.now.at) + seen;
                rebuilding.takes = rebuilding.takes.max(until_seen);
            }
        }
        if self.random.f64() < self.chances.ignored {
            return Fate::Ignored;
        }
        let chance = self.random.f64();
        let Chances {
            unknown,
            not_sent,
            slow_down,
            refused,
            ..
        } = self.chances;
        if chance < unknown {
            Fate::Unknown(self.random.bool().then_some(rebuilding))
        } else if chance < unknown + not_sent {
            Fate::NotSent
        } else if chance < unknown + not_sent + slow_down {
            Fate::SlowDown(self.random.bool().then_some(30 * SECOND))
        } else if chance < unknown + not_sent + slow_down + refused {
            match self.random.u8(0..4) {
                0 => Fate::Refused,
                1 => Fate::HalfSession,
                2 => Fate::Blocked,
                _ => Fate::Unauthorized,
            }
        } else {
            Fate::Accepted(rebuilding)
        }
    }

    fn execute(&mut self, service: ServiceId, name: &'static str, rebuilding: &Rebuilding) {
        self.check_group_of(service);
        let at = self.now.at;
        let truth = self.account.get_mut(&service).unwrap();
        truth.shown.retain(|shown| shown.from <= at);
        let before = truth.shown.last().unwrap().clone();
        let begins = at + rebuilding.lag + self.ssh.delay();
        if self.options.witnesses.ssh_port.is_some() {
            self.ssh.rebuilt(service, begins, rebuilding);
        }
        let truth = self.account.get_mut(&service).unwrap();
        let ends = begins + rebuilding.takes;
        // Status and name show by themselves, each in its time.
        let mut statuses = vec![(begins, "rebuilding")];
        match rebuilding.ends {
            End::Back | End::Undone => statuses.push((ends, "active")),
            End::Error | End::ErrorBefore => statuses.push((ends, "error")),
            End::Never => {}
        }
        let mut names = match rebuilding.ends {
            End::ErrorBefore => Vec::new(),
            End::Never if rebuilding.name_lag.is_none() => Vec::new(),
            End::Never | End::Back | End::Error | End::Undone => {
                vec![(rebuilding.name_lag.map_or(ends, |lag| at + lag), name)]
            }
        };
        if rebuilding.ends == End::Undone {
            names.push((ends.max(names[0].0), before.image));
        }
        let mut moments: Vec<Instant> = statuses.iter().chain(&names).map(|(at, _)| *at).collect();
        moments.sort_unstable();
        let last = |changes: &[(Instant, &'static str)], at, first| {
            let past = changes.iter().rev().find(|(from, _)| *from <= at);
            past.map_or(first, |(_, word)| *word)
        };
        for from in moments {
            truth.shown.push(Shown {
                from,
                status: last(&statuses, from, before.status),
                image: last(&names, from, before.image),
            });
        }
        truth.wiped += 1;
        truth.back_at = matches!(rebuilding.ends, End::Back | End::Undone).then_some(ends);
        // Where the ordered image stood there before, nothing is undone by putting it back.
        truth.undone = rebuilding.ends == End::Undone && before.image != name;
    }
}

/// The pause that an answer asks for.
/// Nothing is sent to an instance that was other than its order expects when that was read.
fn assert_expected(expected: &Expected, is_touched: bool, baseline: Option<&Baseline>) {
    let Some(baseline) = baseline else {
        assert!(expected.is_nothing(), "nobody has looked");
        return;
    };
    let stood = Expected {
        name: baseline.name.clone(),
        ip: baseline.ip.clone(),
        image: baseline.image.clone(),
        status: Some(baseline.status.clone()),
        seen: true,
        contradicted: false,
    };
    let differences = expected.differences(&stood, is_touched);
    assert!(differences.is_empty(), "{differences:?}");
}

fn asked_pause(finished: &Finished) -> Option<Duration> {
    match finished {
        Finished::Submit(_, submitted) => match submitted.answer {
            Answer::SlowDown { retry_after } => retry_after,
            _ => None,
        },
        Finished::Page(_, Err(ReadError::SlowDown { retry_after }))
        | Finished::Preview(_, _, Err(ReadError::SlowDown { retry_after }))
        | Finished::Keepalive(Keepalive::SlowDown { retry_after })
        | Finished::Login(Err(LoginError::SlowDown { retry_after })) => *retry_after,
        _ => None,
    }
}

/// What a future that waits for nothing brings.
fn at_once<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing in this world is waited for"),
    }
}

impl Deref for World {
    type Target = Around;

    fn deref(&self) -> &Around {
        &self.around
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Around {
        &mut self.around
    }
}

impl Outside for Around {
    type Store = Self;

    fn store(&mut self) -> &mut Self {
        self
    }

    fn now(&self) -> Now {
        self.now
    }

    fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    fn call(&mut self, call: Call) {
        self.make(call);
    }

    async fn next(&mut self, _: Instant) -> Input {
        unreachable!("the tests move the clock themselves")
    }
}

impl Store for Around {
    async fn ready(
        &mut self,
        _: BatchId,
        until_ms: i64,
        limit: usize,
        admission: &Admission,
    ) -> Result<Ready, StoreError> {
        self.asked()?;
        let mut jobs = self.due(until_ms, usize::MAX);
        jobs.retain(|job| admission.admits(job) && !is_bound(job, &admission.over));
        jobs.truncate(limit);
        let is_all = jobs.len() < limit;
        let next_ms = is_all.then(|| self.next_ready_ms(until_ms)).flatten();
        Ok(Ready {
            jobs,
            is_all,
            next_ms,
        })
    }

    async fn strays(&mut self, batch: BatchId) -> Result<Strays, StoreError> {
        self.asked()?;
        let is_stray = |job: &&QueuedJob| {
            let record = &job.record;
            record.executed_now == Executed::Maybe && record.state != State::Submitting
        };
        let stray = |job: &QueuedJob| Stray {
            attempt: attempt(job),
            batch,
            service: job.service,
            is_own: true,
            is_in_the_way: job.record.state == State::Queued,
            sent_ms: sent_ms(&job.record),
            sender: None,
        };
        Ok(Strays {
            all: self.queue.values().filter(is_stray).map(stray).collect(),
            ..Strays::default()
        })
    }

    async fn in_flight(&mut self, _: BatchId, _: &[State]) -> Result<Vec<QueuedJob>, StoreError> {
        unreachable!("the machine is told at its start")
    }

    async fn failures(&mut self, _: BatchId) -> Result<Harm, StoreError> {
        self.asked()?;
        Ok(self.harm())
    }

    async fn queued(
        &mut self,
        _: BatchId,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.asked()?;
        let queued = |job: &&QueuedJob| job.record.state == State::Queued && Some(job.id) > after;
        let jobs = self.queue.values().filter(queued);
        Ok(jobs.take(limit).map(Pending::from).collect())
    }

    async fn rollout(
        &mut self,
        _: BatchId,
        canaries: Option<NonZeroU32>,
    ) -> Result<RolloutProgress, StoreError> {
        self.asked()?;
        let down = self.queue.values().filter(|job| self.is_down(job));
        let down = down.filter_map(|job| {
            let others = self.others_of_its_group(job);
            let waits = |job: &QueuedJob| {
                job.record.state == State::Queued && job.record.executed() == Executed::No
            };
            Some(Down {
                other_batch: None,
                job: job.id,
                service: job.service,
                group: job.group.clone()?,
                state: job.record.state,
                is_waited_for: others.filter(|other| waits(other)).count() > 0,
            })
        });
        Ok(RolloutProgress {
            down: down.collect(),
            canaries: canaries.map(|_| self.canaries().cloned().collect()),
        })
    }

    async fn queued_jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        self.asked()?;
        let jobs = jobs.iter().map(|job| &self.queue[job]);
        let queued = |job: &&QueuedJob| job.record.state == State::Queued;
        Ok(jobs.filter(queued).cloned().collect())
    }

    async fn has_queued(&mut self, _: BatchId) -> Result<bool, StoreError> {
        self.asked()?;
        if let Some(act) = self.in_the_last_moment.take() {
            act(self);
        }
        let mut jobs = self.queue.values();
        Ok(jobs.any(|job| job.record.state == State::Queued))
    }

    async fn counts(&mut self, _: BatchId) -> Result<Counts, StoreError> {
        self.asked()?;
        Ok(self.count())
    }

    async fn bind(&mut self, _: BatchId, owner: &Owner) -> Result<Owner, StoreError> {
        self.asked()?;
        Ok(self.bound.get_or_insert_with(|| owner.clone()).clone())
    }

    async fn control(
        &mut self,
        _: BatchId,
        after: i64,
    ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
        self.asked()?;
        let said = self.said.iter().filter(|(seq, _)| *seq > after);
        Ok(said.cloned().collect())
    }

    async fn record(&mut self, _: &Lease, steps: &[&Transition]) -> Result<Recorded, StoreError> {
        self.recorded_now = true;
        self.asked()?;
        self.meddle();
        let fails = self.random.f64() < self.chances.store_fails;
        if fails && self.random.bool() {
            self.failed_now = true;
            return Err(broken());
        }
        let recorded = self.write(steps);
        self.moved_now |= !recorded.is_all();
        if fails {
            // It was written, and nobody knows: to write it again finds everything moved.
            (self.failed_now, self.meddled) = (true, true);
            return Err(broken());
        }
        Ok(recorded)
    }
}

fn attempt(job: &QueuedJob) -> Attempt {
    Attempt {
        job: job.id,
        number: job.record.attempt,
    }
}

/// What was sent for it may still take effect, as far as the run knows.
fn is_bound(job: &QueuedJob, over: &[Attempt]) -> bool {
    job.record.executed_now == Executed::Maybe && !over.contains(&attempt(job))
}

fn sent_ms(record: &JobRecord) -> i64 {
    record.submitted_ms.or(record.intent_ms).unwrap_or(0)
}

fn broken() -> StoreError {
    StoreError::Storage {
        reason: "disk I/O error".to_owned(),
    }
}
