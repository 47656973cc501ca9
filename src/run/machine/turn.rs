//! The machine's one verb, and what a turn is made of.
//!
//! A turn begins with an input: calls have ended, a signal came, or only time has passed. Then the
//! machine asks the store what it has to know, decides, hands out the ledger entries to commit, and
//! only when it is told that they are committed the calls that rest on them:
//!
//! ```text
//!  Time, Finished, Signal ──▶ Ask ──▶ (Answered ──▶ Ask …) ──▶ decide ──▶ Record
//!                                                                            │
//!       Wait ◀── Ask whether there is more ◀── calls ◀── Recorded ◀──────────┘
//! ```
//!
//! What happens when a commit fails is decided here too: intents are given up, outcomes are kept and
//! written again, a database that somebody else holds is borne for a while, and after any other fault
//! nothing is sent any more.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::{Call, Finished, Machine, Step};
use crate::event::{Event, JobEvent};
use crate::job::{Counts, JobId, LedgerEntry, ServiceId, State};
use crate::queue::{Harm, QueuedJob, Ready};
use crate::run::{Now, Signal};
use crate::{text, time};

/// How long another program may hold the database before the run gives up.
const BUSY_MAX: Duration = Duration::from_mins(2);

/// The pause before a database that did not answer is tried again.
const HINDERED: Duration = Duration::from_millis(500);

/// How often the store is asked whether other commands have moved jobs of this batch.
const RECOUNT: Duration = Duration::from_secs(1);

/// What the machine is told.
#[derive(Debug)]
pub enum Input {
    /// Nothing but that time has passed.
    Time,
    /// Calls have ended.
    Finished(Vec<Finished>),
    /// Somebody asks the run to stop. The second time it ends at once.
    Signal(Signal),
    /// The store's answer to [`Next::Ask`].
    Answered(Result<Answer, StoreFault>),
    /// The store's answer to [`Next::Record`]: the same steps, and the jobs among them that somebody
    /// else had moved.
    Recorded(Vec<Step>, Result<HashSet<JobId>, StoreFault>),
}

/// What is to be done now, in this order.
#[derive(Debug)]
pub struct Output {
    /// Tell these.
    pub events: Vec<Event>,
    /// Make these calls. What a submission rests on is committed: it is only ever handed out after
    /// that was said by [`Input::Recorded`].
    pub calls: Vec<Call>,
    /// Then do this.
    pub next: Next,
}

/// What the machine waits for.
#[derive(Debug)]
pub enum Next {
    /// Ask the store; answer by [`Input::Answered`].
    Ask(Question),
    /// Commit all of these together; answer by [`Input::Recorded`].
    Record(Vec<Step>),
    /// Wait until something happens, and no longer than until then.
    Wait(Instant),
    /// The run is over.
    Over,
}

/// What the store is asked of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What has gone wrong, and nobody has dealt with.
    Failures,
    /// Which services are still to be rebuilt.
    Queued,
    /// These jobs, as far as they are queued.
    QueuedJobs(Vec<JobId>),
    /// Jobs that are due.
    Ready {
        /// Until then, as Unix time.
        until_ms: i64,
        /// So many at most.
        limit: usize,
    },
    /// Where the batch stands.
    Counts,
    /// Whether a job is queued.
    HasQueued,
}

/// What the store answers.
#[derive(Debug)]
pub enum Answer {
    /// To [`Question::Failures`].
    Failures(Harm),
    /// To [`Question::Queued`], in the manifest's order.
    Queued(Vec<(JobId, ServiceId)>),
    /// To [`Question::QueuedJobs`].
    QueuedJobs(Vec<QueuedJob>),
    /// To [`Question::Ready`].
    Ready(Ready),
    /// To [`Question::Counts`].
    Counts(Counts),
    /// To [`Question::HasQueued`].
    HasQueued(bool),
}

/// Why the store did not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreFault {
    /// Another program holds it; it may let go.
    pub is_busy: bool,
    /// For people.
    pub message: String,
}

/// What the machine does next within a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    AskFailures,
    AskQueued,
    AskQueuedJobs,
    AskReady,
    Decide,
    Recount,
    End,
    AskForMore,
}

/// What is to be recorded, and what rests on it.
#[derive(Debug)]
pub(super) struct Desk {
    phase: Phase,
    /// Decided in this turn.
    steps: Vec<Step>,
    /// Steps whose commit failed: whether they were written is unknown. To write them again is safe.
    unwritten: Vec<Step>,
    /// Calls that wait for the commit, and those that may be made now.
    resting: Vec<Call>,
    released: Vec<Call>,
    /// Jobs that a reading of the list has not shown, to be asked for.
    missing: Vec<JobId>,
    /// The store did not answer in this turn.
    is_hindered: bool,
    /// Nothing was begun in this turn, because something was still to be written.
    has_put_off: bool,
    busy_since: Option<Instant>,
    /// The store failed for good: nothing is sent any more.
    is_broken: bool,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::AskFailures,
            steps: Vec::new(),
            unwritten: Vec::new(),
            resting: Vec::new(),
            released: Vec::new(),
            missing: Vec::new(),
            is_hindered: false,
            has_put_off: false,
            busy_since: None,
            is_broken: false,
        }
    }

    pub(super) fn note(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Jobs that were moved in this turn: the store does not know it yet.
    pub(super) fn moving(&self) -> impl Iterator<Item = JobId> {
        self.steps.iter().map(|step| step.transition.job)
    }

    /// Some of them are queued again.
    pub(super) fn puts_back(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| step.transition.to.state == State::Queued)
    }

    pub(super) fn is_clear(&self) -> bool {
        self.steps.is_empty()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The store does not answer, or has not written everything yet: nothing is begun meanwhile.
    pub(super) fn is_hindered(&self) -> bool {
        self.is_hindered || !self.unwritten.is_empty()
    }

    /// Jobs may be begun in this turn; otherwise it is remembered that they were put off.
    pub(super) fn may_start(&mut self) -> bool {
        self.has_put_off = self.is_hindered();
        !self.has_put_off
    }

    /// All that can be written is written.
    pub(super) fn is_done(&self) -> bool {
        self.is_broken || self.unwritten.is_empty()
    }

    /// Makes `call` once everything that was decided is committed.
    pub(super) fn call(&mut self, call: Call) {
        self.resting.push(call);
    }
}

impl Machine {
    /// Takes `input`, and says what is to be done now. The only way to move the machine.
    pub fn handle(&mut self, input: Input, now: Now) -> Output {
        let next = match self.take(input, now) {
            Some(next) => next,
            None => self.proceed(now),
        };
        Output {
            events: std::mem::take(&mut self.events),
            calls: std::mem::take(&mut self.desk.released),
            next,
        }
    }

    fn take(&mut self, input: Input, now: Now) -> Option<Next> {
        match input {
            Input::Time => self.begin_turn(),
            Input::Finished(all) => {
                for finished in all {
                    self.finished(finished, now);
                }
                self.begin_turn();
            }
            Input::Signal(signal) => {
                if self.signal.is_some() {
                    return Some(Next::Over);
                }
                self.stop(signal);
                self.begin_turn();
            }
            Input::Answered(Ok(answer)) => self.answered(answer, now),
            Input::Answered(Err(fault)) => self.not_answered(fault, now),
            Input::Recorded(steps, Ok(conflicts)) => self.recorded(&steps, &conflicts),
            Input::Recorded(steps, Err(fault)) => self.not_recorded(steps, fault, now),
        }
        None
    }

    fn begin_turn(&mut self) {
        self.desk.phase = Phase::AskFailures;
        self.desk.is_hindered = false;
    }

    /// Goes through the phases of the turn until the store or the outside has to act.
    fn proceed(&mut self, now: Now) -> Next {
        loop {
            match self.desk.phase {
                Phase::AskFailures => {
                    self.desk.phase = Phase::AskQueued;
                    if self.may_ask() && self.wants_failures(now) {
                        return Next::Ask(Question::Failures);
                    }
                }
                Phase::AskQueued => {
                    self.desk.phase = Phase::AskQueuedJobs;
                    if self.may_ask() && self.wants_order() {
                        return Next::Ask(Question::Queued);
                    }
                }
                Phase::AskQueuedJobs => {
                    self.desk.phase = Phase::AskReady;
                    if self.may_ask() && !self.desk.missing.is_empty() {
                        let missing = std::mem::take(&mut self.desk.missing);
                        return Next::Ask(Question::QueuedJobs(missing));
                    }
                }
                Phase::AskReady => {
                    self.desk.phase = Phase::Decide;
                    if self.may_ask()
                        && let Some((limit, until_ms)) = self.wants_jobs(now)
                    {
                        return Next::Ask(Question::Ready { until_ms, limit });
                    }
                }
                Phase::Decide => {
                    self.decide(now);
                    self.desk.phase = Phase::Recount;
                    let mut steps = std::mem::take(&mut self.desk.unwritten);
                    steps.append(&mut self.desk.steps);
                    if !steps.is_empty() {
                        return Next::Record(steps);
                    }
                    self.desk.released.append(&mut self.desk.resting);
                }
                Phase::Recount => {
                    self.desk.phase = Phase::End;
                    if self.may_ask() && now.at >= self.recount_at {
                        self.recount_at = now.at + RECOUNT;
                        return Next::Ask(Question::Counts);
                    }
                }
                Phase::End => {
                    if self.is_over() && self.is_ending() {
                        return Next::Over;
                    }
                    if !self.is_over() || self.desk.is_hindered() {
                        match self.wait(now) {
                            Some(next) => return next,
                            None => continue,
                        }
                    }
                    // An operator beside the run may have put jobs back since the store was asked.
                    self.desk.phase = Phase::AskForMore;
                    return Next::Ask(Question::HasQueued);
                }
                Phase::AskForMore => return Next::Over,
            }
        }
    }

    /// `None`: nothing is to be waited for, the next turn begins.
    fn wait(&mut self, now: Now) -> Option<Next> {
        // Before the store is tried again, signals and answers have their turn.
        if self.desk.is_hindered() {
            return Some(Next::Wait(now.at + HINDERED));
        }
        self.desk.busy_since = None;
        let has_put_off = std::mem::take(&mut self.desk.has_put_off);
        if self.may_ask() && (has_put_off || self.asks_the_store(now)) {
            self.begin_turn();
            return None;
        }
        Some(Next::Wait(self.wake_at(now.at)))
    }

    /// What was decided is known to the store, and it answers.
    fn may_ask(&self) -> bool {
        !self.desk.is_broken && !self.desk.is_hindered()
    }

    fn answered(&mut self, answer: Answer, now: Now) {
        match answer {
            Answer::Failures(failures) => self.bears(&failures, now),
            Answer::Queued(queued) => self.desk.missing = self.check_order(&queued),
            Answer::QueuedJobs(jobs) => self.leave_out(jobs, now),
            Answer::Ready(ready) => self.supplied(ready, now),
            Answer::Counts(counts) => {
                if counts != self.counts {
                    self.counts = counts;
                    self.events.push(Event::Recounted { counts });
                }
            }
            Answer::HasQueued(true) => {
                self.supply.forget();
                self.begin_turn();
            }
            Answer::HasQueued(false) => {}
        }
    }

    fn not_answered(&mut self, fault: StoreFault, now: Now) {
        // Nothing but the display rests on the counts: that they cannot be read now is no fault yet.
        if self.desk.phase == Phase::End {
            return;
        }
        self.desk.phase = match self.desk.phase {
            Phase::AskForMore => Phase::End,
            _ => Phase::Decide,
        };
        self.desk.is_hindered = true;
        self.store_failed(fault, now);
    }

    /// All of `steps` is committed, but for the jobs that somebody else had moved.
    fn recorded(&mut self, steps: &[Step], conflicts: &HashSet<JobId>) {
        self.drop_jobs(conflicts);
        for step in steps {
            if !conflicts.contains(&step.transition.job) {
                count(&mut self.counts, step);
                self.events.push(Event::Job(job_event(step)));
            }
        }
        let may_submit = !self.desk.is_broken;
        let resting = std::mem::take(&mut self.desk.resting);
        self.desk.released = resting
            .into_iter()
            .filter(|call| match call {
                Call::Submit(job, _) => may_submit && !conflicts.contains(job),
                _ => true,
            })
            .collect();
    }

    /// Whether any of `steps` was written, nobody knows.
    fn not_recorded(&mut self, mut steps: Vec<Step>, fault: StoreFault, now: Now) {
        // An intent whose commit failed must not be sent, whatever the disk says of it later: its job
        // is given up here, and the next run finds it in doubt at worst.
        let is_intent = |step: &Step| matches!(step.transition.entry, LedgerEntry::Intent { .. });
        let unsent: HashSet<JobId> = (steps.iter().filter(|step| is_intent(step)))
            .map(|step| step.transition.job)
            .collect();
        self.drop_jobs(&unsent);
        steps.retain(|step| !unsent.contains(&step.transition.job));
        self.desk.unwritten = steps;
        let resting = std::mem::take(&mut self.desk.resting);
        let is_submission = |call: &Call| matches!(call, Call::Submit(..));
        self.desk.released = (resting.into_iter())
            .filter(|call| !is_submission(call))
            .collect();
        self.desk.is_hindered = true;
        self.store_failed(fault, now);
    }

    fn store_failed(&mut self, fault: StoreFault, now: Now) {
        if self.desk.is_broken {
            return;
        }
        if fault.is_busy {
            if self.desk.busy_since.is_none() {
                self.events.push(Event::Warning {
                    message: "another program holds the database; nothing is sent until it lets go"
                        .to_owned(),
                });
            }
            let since = *self.desk.busy_since.get_or_insert(now.at);
            if now.at.saturating_duration_since(since) < BUSY_MAX {
                return;
            }
        }
        self.desk.is_broken = true;
        self.events.push(Event::Halting {
            reason: fault.message,
        });
    }

    /// The store failed for good, and that ended the run.
    pub fn lost_its_store(&self) -> bool {
        self.desk.is_broken
    }
}

/// Moves the step's job from one state to the other in `counts`.
fn count(counts: &mut Counts, step: &Step) {
    let (from, to) = (&step.transition.from, &step.transition.to);
    let left = counts.of_mut(from.state);
    *left = left.saturating_sub(1);
    counts.held = counts.held.saturating_sub(u64::from(from.held));
    *counts.of_mut(to.state) += 1;
    counts.held += u64::from(to.held);
}

fn job_event(step: &Step) -> JobEvent {
    let Step {
        service,
        line,
        transition,
    } = step;
    let to = &transition.to;
    let failure = transition.entry.failure();
    let rebuild = match (&transition.entry, to.submitted_ms) {
        (LedgerEntry::Completed { .. }, Some(submitted_ms)) => {
            Some(time::between(submitted_ms, transition.at_ms))
        }
        _ => None,
    };
    let error = match &transition.entry {
        LedgerEntry::Held { reason } => Some(reason.as_str()),
        _ => failure.map(|failure| failure.error.as_str()),
    };
    let baseline = to.baseline.as_ref();
    JobEvent {
        service: *service,
        name: baseline.and_then(|baseline| baseline.name.clone()),
        ip: baseline.and_then(|baseline| baseline.ip.clone()),
        line: *line,
        attempt: to.attempt,
        kind: transition.entry.kind(),
        from: transition.from.state,
        to: to.state,
        executed: to.executed(),
        held: to.held,
        evidence: to.evidence,
        error_kind: failure.map(|failure| failure.error_kind.clone()),
        error: error.map(|error| text::brief(error, text::MESSAGE_CHARS_MAX)),
        rebuild,
    }
}
