//! How a run goes: what concerns several rooms, and what they are asked in which order.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::backlog::Backlog;
use super::bindings::Bindings;
use super::budget::Budget;
use super::canaries::Canaries;
use super::control::Instructions;
use super::desk::Desk;
use super::flights::{Flight, Flights};
use super::gate::{Gate, SessionNeed};
use super::groups::Groups;
use super::histories::Histories;
use super::images::Images;
use super::inventory::Inventory;
use super::lookups::{Looked, Lookups};
use super::narrator::Narrator;
use super::order_check::OrderCheck;
use super::owner::Ownership;
use super::sequence::Sequence;
use super::witness::Witness;
use super::{Finished, Step};
use crate::event::Event;
use crate::job::{Control, Counts, ImageId, JobId, LedgerEntry, Owner, State, Transition};
use crate::queue::{Harm, QueuedJob, Tenure};
use crate::run::evidence::Tracker;
use crate::run::hosts::orphan::left_behind;
use crate::run::session::Session;
use crate::run::{Durations, Halt, InstanceList, Now, Options, Signal};
use crate::time;

/// An order that was left alone for so long is only gone on with when that was asked for: its
/// servers may be in use by now.
pub const STALE_AFTER: Duration = Duration::from_hours(24);

/// The longest silence between two turns: something always looks at the clock so often.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(1);

/// What a run begins with.
#[derive(Debug)]
pub struct Start {
    /// The options.
    pub options: Options,
    /// Where the batch stands.
    pub counts: Counts,
    /// Whose it is; `None`: nobody's so far.
    pub owner: Option<Owner>,
    /// The session.
    pub session: Session,
    /// What was read of the account's list already.
    pub list: InstanceList,
    /// What an earlier process has left in flight: what it was submitting is in doubt now.
    pub in_flight: LeftInFlight,
    /// What has gone wrong with the batch, and nobody has dealt with.
    pub failures: Harm,
    /// How long it took to rebuild with the ordered images before.
    pub durations: Durations,
    /// What operators have said of the batch.
    pub control: Control,
    /// Of the jitter.
    pub seed: u64,
}

/// A run: all that it knows beyond the store. Each room owns its fields and answers questions; what
/// concerns several of them is decided here.
#[derive(Debug)]
pub struct Machine {
    pub(super) options: Options,
    pub(super) gate: Gate,
    pub(super) account: AccountRooms,
    pub(super) backlog: Backlog,
    pub(super) flights: Flights,
    pub(super) budget: Budget,
    pub(super) rollout: RolloutRooms,
    pub(super) narrator: Narrator,
    pub(super) desk: Desk,
    pub(super) course: Course,
}

/// The rooms of what is read of the account.
#[derive(Debug)]
pub(super) struct AccountRooms {
    pub(super) inventory: Inventory,
    pub(super) images: Images,
    pub(super) lookups: Lookups,
    pub(super) histories: Histories,
    pub(super) ownership: Ownership,
    pub(super) order_check: OrderCheck,
    pub(super) witness: Witness,
}

/// The rooms of who goes first and in which order the others follow, of who never goes down together, and
/// of who is bound.
#[derive(Debug)]
pub(super) struct RolloutRooms {
    pub(super) canaries: Canaries,
    pub(super) groups: Groups,
    pub(super) bindings: Bindings,
    pub(super) sequence: Sequence,
}

/// What comes next within a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    AskControl,
    AskFailures,
    AskQueued,
    /// Ask for these, which a reading of the list has not shown.
    AskQueuedJobs(Vec<JobId>),
    Bind,
    AskRollout,
    AskStrays,
    AskReady,
    Decide,
    Recount,
    End,
    AskForMore,
    /// Nothing can be done before somebody has spoken, or time has passed.
    Rest,
}

/// How far the run has come: its turn, its clock, and why it ends.
#[derive(Debug, Default)]
pub(super) struct Course {
    pub(super) phase: Phase,
    /// Nothing is to be rebuilt.
    pub(super) only_looks: bool,
    /// A look that wants to know whose the session is.
    pub(super) asks_owner: bool,
    pub(super) halt: Option<Halt>,
    pub(super) signal: Option<Signal>,
    pub(super) instructions: Instructions,
    /// The jobs that the store was asked for, of which page; `None`: whichever the manifest's order says.
    pub(super) asked_for: Option<(u32, Vec<JobId>)>,
    /// So many such questions of this turn were answered with nobody.
    pub(super) asked_in_vain: u32,
    /// When the clocks were looked at last.
    pub(super) noticed: Option<Now>,
    /// When they are to be looked at next.
    pub(super) wake_at: Option<Instant>,
}

/// What earlier processes have left in flight.
#[derive(Debug, Default)]
pub struct LeftInFlight {
    /// The jobs.
    pub jobs: Vec<QueuedJob>,
    /// Who was about to send some of them, and may do so yet. Of the others nobody can.
    pub senders: HashMap<JobId, Tenure>,
}

impl From<Vec<QueuedJob>> for LeftInFlight {
    fn from(jobs: Vec<QueuedJob>) -> Self {
        Self {
            jobs,
            senders: HashMap::new(),
        }
    }
}

impl Machine {
    /// A run begins.
    pub fn new(start: Start, now: Now) -> Self {
        let Start {
            options,
            counts,
            owner,
            session,
            list,
            in_flight,
            failures,
            durations,
            control,
            seed,
        } = start;
        let jobs = counts.total();
        let mut machine = Self {
            gate: Gate::new(&options, session, list.is_scanned(), seed, now),
            account: AccountRooms {
                inventory: Inventory::new(list, &durations, now),
                images: Images::default(),
                lookups: Lookups::default(),
                histories: Histories::new(options.witnesses.history.clone(), now.at),
                ownership: Ownership::new(owner, now),
                order_check: OrderCheck::new(jobs),
                witness: Witness::new(options.witnesses.ssh_port),
            },
            backlog: Backlog::default(),
            rollout: RolloutRooms {
                canaries: Canaries::new(options.rollout.canary),
                groups: Groups::new(options.rollout.max_per_group),
                bindings: Bindings::default(),
                sequence: Sequence::new(options.rollout.order, options.workers),
            },
            flights: Flights::new(durations),
            budget: Budget::new(
                options.tolerances.failures.of(jobs),
                options.tolerances.mismatches.of(jobs),
            ),
            narrator: Narrator::new(counts, now),
            desk: Desk::default(),
            course: Course::default(),
            options,
        };
        if !machine.options.no_wait && !machine.account.inventory.is_scanned() {
            machine.account.inventory.begin_scan();
        }
        let session = machine.gate.session_mut();
        if machine.options.no_wait && session.is_ready() && !session.can_login() {
            // A submission must not be the first call of a run: whether anything is there, and
            // whether the token is worth anything, is asked without risk.
            session.check(now.at);
        }
        machine.recover(in_flight, &failures, now);
        machine.begin_under(control, now);
        machine
    }

    /// A look at the account, with nothing to rebuild: over when the list is read (with `no_wait`: it
    /// is not), and what [`Input::Name`](super::Input::Name) and
    /// [`Input::LookUp`](super::Input::LookUp) ask for.
    pub fn to_look(start: Start, now: Now) -> Self {
        let mut machine = Self::new(start, now);
        machine.course.only_looks = true;
        machine.course.asks_owner = !machine.options.no_wait;
        machine
    }

    /// A look that is over when the session has said whose it is.
    pub fn to_ask_owner(start: Start, now: Now) -> Self {
        let mut machine = Self::to_look(start, now);
        machine.course.asks_owner = true;
        machine
    }

    /// Takes over what earlier processes left in flight (what was being submitted is in doubt now),
    /// and what has gone wrong with the batch.
    pub(super) fn recover(&mut self, left: LeftInFlight, failures: &Harm, now: Now) {
        let LeftInFlight { jobs, senders } = left;
        let is_interrupted = |job: &&QueuedJob| job.record.state == State::Submitting;
        let interrupted = jobs.iter().filter(is_interrupted).count();
        for mut job in jobs {
            if job.record.state == State::Submitting {
                let sender = senders.get(&job.id);
                let orphaned = sender.and_then(|tenure| left_behind(&job.record, tenure));
                let entry = orphaned.unwrap_or(LedgerEntry::Interrupted);
                self.step(&mut job, entry, now.unix_ms);
            }
            self.recall_keys(&job);
            if self.options.no_wait || job.record.held {
                continue;
            }
            let record = &job.record;
            let since_ms = (record.submitted_ms.or(record.intent_ms)).unwrap_or(now.unix_ms);
            let age = time::between(since_ms, now.unix_ms);
            let mut tracker = Tracker::inherited(now.at, age);
            // It has answered as before when ours should have begun: the ledger says so only then.
            if let Some(before) = record.key_before()
                && record.host_key.as_ref() == Some(before)
            {
                let keys = tracker.keys_mut();
                keys.note(&before.key, &before.key, now.at);
            }
            self.flights.put(Flight::inherited(job, tracker));
        }
        let in_doubt = failures.in_doubt.len() + interrupted;
        self.learn_failures(failures, in_doubt, now);
        self.tell_if_the_budget_limits();
    }

    pub(super) fn tell_if_the_budget_limits(&mut self) {
        // What is in flight already takes its part of both: the budget's bound is the lower one just where
        // it leaves fewer slots.
        let in_flight_max = self.headroom().saturating_add(self.in_flight());
        if in_flight_max < self.options.workers {
            self.narrator.tell(Event::BudgetLimits { in_flight_max });
        }
    }

    /// Where the batch stands, as far as this run knows.
    pub fn counts(&self) -> Counts {
        self.narrator.counts()
    }

    /// What was learned, and the store has not taken: where the run has lost its store, nobody else knows
    /// it.
    pub fn unwritten(&self) -> impl Iterator<Item = &Transition> {
        self.desk.unwritten().iter().map(|step| &step.transition)
    }

    /// The run has to know what the operator has dealt with meanwhile.
    pub(super) fn wants_failures(&self, now: Now) -> bool {
        let counts = self.budget.is_touched() || self.flights.has_any(State::InDoubt);
        // What is still to be committed, the store does not know yet.
        counts && self.budget.is_old(now) && self.desk.is_clear() && !self.is_ending()
    }

    /// The store's answer. A doubt that is none any more is not watched any longer: somebody has given
    /// his word on it.
    pub(super) fn answer_failures(&mut self, failures: &Harm, now: Now) {
        let in_doubt: HashSet<JobId> = failures.in_doubt.iter().copied().collect();
        // He may have put them back.
        for job in self.flights.keep_doubts(&in_doubt) {
            self.rollout.sequence.put_back(job, 0);
        }
        self.learn_failures(failures, in_doubt.len(), now);
    }

    pub(super) fn learn_failures(&mut self, harm: &Harm, in_doubt: usize, now: Now) {
        let held = in_doubt.saturating_sub(self.flights.doubts());
        self.budget
            .learn(harm.failed, held as u64, harm.mismatched, now);
    }

    /// A call has ended.
    pub(super) fn finished(&mut self, finished: Finished, now: Now) {
        self.notice_suspension(now);
        match finished {
            Finished::Login(result) => self.login_finished(result, now),
            Finished::Keepalive(result) => self.keepalive_finished(result, now),
            Finished::Whoami(result) => self.whoami_finished(result, now),
            Finished::Owner(result) => self.owner_finished(result, now),
            Finished::Page(asked, result) => self.page_finished(asked, result, now),
            Finished::Preview(image, service, result) => {
                self.preview_finished(image, service, result, now);
            }
            Finished::LookUp(lookup, result) => self.lookup_finished(&lookup, result, now),
            Finished::History(service, result) => self.history_finished(service, result, now),
            Finished::Look(sighting) => self.look_finished(&sighting),
            Finished::Submit(service, submitted) => {
                self.submission_finished(service, *submitted, now);
            }
        }
    }

    /// A signal came: nothing new starts, the calls under way are waited for.
    pub(super) fn stop(&mut self, signal: Signal) {
        if self.course.signal.is_none() {
            self.course.signal = Some(signal);
            let calls = self.flights.out();
            self.narrator.tell(Event::Stopping { calls });
        }
    }

    /// What the calls and steps of this turn are.
    pub(super) fn decide(&mut self, now: Now) {
        self.notice_suspension(now);
        self.course.wake_at = Some(now.at + HEARTBEAT);
        self.check_limits(now);
        self.check_window(now);
        self.free_services(now);
        self.end_if_drained();
        if self.is_ending() {
            self.half_session_not_confirmed();
            self.hold_all_waiting(now);
        } else {
            // The session's own calls go first.
            match self.gate.session_need(now) {
                SessionNeed::Nothing => {}
                SessionNeed::At(at) => self.wake_by(at),
                SessionNeed::Call(call) => self.desk.call(call),
            }
            if self.gate.is_open() {
                self.ask_owner(now);
                self.read_what_is_urgent(now);
                if self.desk.may_start() {
                    self.start_jobs(now);
                }
                self.name_images(now);
                self.look_up(now);
                self.read_histories(now);
                self.read_list(now);
            }
            self.look_after(now);
        }
        let is_ending = self.is_ending();
        let why_paused = if is_ending {
            None
        } else {
            self.gate.why_paused(now)
        };
        self.narrator.pause(why_paused, is_ending);
        if let Some(activity) = self.activity(now) {
            self.narrator.activity(activity);
        }
        // Only now: asked before these steps are committed, the store would not know of them yet.
        if self.desk.puts_back() {
            self.backlog.look_again();
        }
    }

    /// Jobs whose step was not written, or is given up.
    pub(super) fn drop_jobs(&mut self, jobs: &HashSet<JobId>) {
        if jobs.is_empty() {
            return;
        }
        for job in jobs {
            self.rollout.sequence.put_back(*job, 0);
        }
        self.flights.give_up(jobs);
        self.backlog.leave_out(jobs);
        self.backlog.look_again();
        self.rollout.groups.forget();
        self.rollout.canaries.forget();
    }

    /// Nothing is left to do, or nothing more may be done and no answer is outstanding.
    pub(super) fn is_over(&self) -> bool {
        if self.flights.out() > 0 || !self.desk.is_done() {
            return false;
        }
        let knows_list = self.account.inventory.is_scanned() && self.owner_is_answered();
        let reads_list = !(self.options.no_wait || knows_list);
        let is_wanted = reads_list
            || self.course.asks_owner && !self.owner_is_answered()
            || self.account.images.are_wanted()
            || self.account.lookups.are_wanted();
        let looks_on = self.course.only_looks && is_wanted;
        let is_left = !self.backlog.is_empty() || !self.flights.is_empty();
        self.is_ending() || !looks_on && !is_left && !self.account.witness.is_looking()
    }

    /// What was read of the account's list.
    pub fn list(&self) -> &InstanceList {
        self.account.inventory.list()
    }

    /// The same, when nothing more is to be read.
    pub fn into_list(self) -> InstanceList {
        self.account.inventory.into_list()
    }

    /// The names of images, and the images that no instance offered which was asked for them.
    pub fn image_names(&self) -> (HashMap<ImageId, String>, HashSet<ImageId>) {
        self.account.images.names()
    }

    /// What was looked up since this was asked last.
    pub fn take_looked(&mut self) -> Vec<Looked> {
        self.account.lookups.take_looked()
    }

    /// Why the run ends early.
    pub fn halt(&self) -> Option<&Halt> {
        self.course.halt.as_ref()
    }

    /// The signal that stopped it.
    pub fn signal(&self) -> Option<Signal> {
        self.course.signal
    }

    /// The store failed for good, and that ended the run.
    pub fn lost_its_store(&self) -> bool {
        self.desk.is_broken()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.flights.in_flight(&self.options.rules)
    }

    /// Jobs that may start now: free workers, as far as the failure budget goes.
    pub(super) fn slots(&self) -> usize {
        let workers = self.options.workers.saturating_sub(self.in_flight());
        workers.min(self.headroom())
    }

    /// Jobs that the failure budget lets start, even if everything in flight fails too.
    pub(super) fn headroom(&self) -> usize {
        let (doubts, at_risk) = (self.flights.doubts(), self.flights.at_risk());
        self.budget.headroom(doubts, at_risk)
    }

    /// One more failure is within the budget.
    pub(super) fn may_fail(&self) -> bool {
        self.headroom() > 0
    }

    /// Something is to be asked of the store before anything else can be decided.
    pub(super) fn asks_the_store(&self, now: Now) -> bool {
        self.wants_control(now)
            || self.wants_jobs(now).is_some()
            || self.wants_failures(now)
            || self.wants_order()
            || self.wants_bound(now).is_some()
            || self.wants_rollout(now)
    }

    /// The run was halted or stopped: nothing new starts.
    pub(super) fn is_ending(&self) -> bool {
        self.course.halt.is_some() || self.course.signal.is_some() || self.desk.is_broken()
    }

    pub(super) fn wake_by(&mut self, at: Instant) {
        let wake_at = self.course.wake_at;
        self.course.wake_at = Some(wake_at.map_or(at, |wake_at| wake_at.min(at)));
    }

    /// When it wants to look at the clock at the latest.
    pub(super) fn wake_at(&self, now: Now) -> Instant {
        self.course.wake_at.unwrap_or(now.at + HEARTBEAT)
    }

    /// Moves `job` and notes the step.
    pub(super) fn step(&mut self, job: &mut QueuedJob, entry: LedgerEntry, at_ms: i64) {
        let from = std::mem::take(&mut job.record);
        let transition = Transition::new(job.id, from, entry, at_ms)
            .expect("the machine takes no step that the domain forbids");
        job.record = transition.to.clone();
        if job.record.state == State::Queued {
            self.rollout
                .sequence
                .put_back(job.id, job.record.not_before_ms);
        }
        self.rolled_on(job);
        self.desk.note(Step {
            service: job.service,
            line: job.line,
            image: job.order.image(),
            transition,
        });
    }

    pub(super) fn halt_for(&mut self, halt: Halt) {
        if self.course.halt.is_none() {
            let reason = halt.to_string();
            self.narrator.tell(Event::Halting { reason });
            self.course.halt = Some(halt);
        }
    }

    /// A process that was suspended has not watched: its doubts lose the proof by silence, and what
    /// it had read before says nothing of how things stand now.
    pub(super) fn notice_suspension(&mut self, now: Now) {
        let Some(last) = self.course.noticed.replace(now) else {
            return;
        };
        let limit = (self.options.rules.settle / 10).clamp(HEARTBEAT * 2, Duration::from_secs(30));
        let by_clock = now.at.saturating_duration_since(last.at);
        // The monotonic clock stands still while the machine sleeps, the one on the wall does not.
        let by_wall = time::between(last.unix_ms, now.unix_ms);
        if by_clock <= limit && by_wall <= by_clock + limit {
            return;
        }
        self.flights.interrupt(by_wall.saturating_sub(by_clock));
        self.backlog.forget_deferrals();
        self.account.inventory.forget_readings(now);
        self.account.witness.forget_all();
        let lasted = by_clock.max(by_wall);
        if lasted >= STALE_AFTER && !self.options.stale {
            self.halt_for(Halt::StoodStill { lasted });
        } else {
            let lasted = time::short(lasted);
            self.narrator.warn(format!(
                "this process stood still for {lasted}: what happened meanwhile was not watched"
            ));
        }
    }

    pub(super) fn check_limits(&mut self, now: Now) {
        if self.course.halt.is_some() {
            return;
        }
        let timeout = self.options.outage_timeout;
        let halt = match self.budget.exhausted() {
            Some((failed, budget)) => Some(Halt::FailureBudget { failed, budget }),
            None => (self.too_many_mismatches(0))
                .or_else(|| self.lost_canary())
                .or_else(|| {
                    // Nobody's patience runs out while somebody has the run wait.
                    let is_paused = self.course.instructions.is_paused();
                    if is_paused {
                        None
                    } else {
                        self.over_limit(timeout, now)
                    }
                }),
        };
        match halt {
            Some(halt) => self.halt_for(halt),
            None => {
                if let Some(at) = self.gate.limit_at(timeout, now) {
                    self.wake_by(at);
                }
            }
        }
    }

    /// Nothing came of the calls for too long.
    fn over_limit(&self, timeout: Duration, now: Now) -> Option<Halt> {
        (self.gate.over_limit(timeout, now))
            .or_else(|| self.account.inventory.over_limit(timeout, now))
            .or_else(|| self.account.ownership.over_limit(timeout, now))
    }
}
