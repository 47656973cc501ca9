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
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::course::{HEARTBEAT, Phase};
use super::desk::News;
use super::order_check::PAGE;
use super::{Call, Finished, Machine, Step};
use crate::event::Event;
use crate::job::{ControlEntry, Counts, ImageId, JobId, Owner, ServiceId};
use crate::queue::{Admission, Harm, Pending, QueuedJob, Ready, Recorded, RolloutProgress, Strays};
use crate::run::{Now, Signal};
use crate::zomro::Lookup;

/// The pause before a store that did not answer is tried again.
const HINDERED: Duration = Duration::from_millis(500);

/// What the machine is told.
#[derive(Debug)]
pub enum Input {
    /// Nothing but that time has passed.
    Time,
    /// Calls have ended.
    Finished(Vec<Finished>),
    /// Somebody asks the run to stop. The second time it ends at once.
    Signal(Signal),
    /// These documents are wanted: for a look at the account.
    LookUp(Vec<Lookup>),
    /// The names of these images are wanted, through previews of these instances: for a look at the
    /// account.
    Name(Vec<(ImageId, Vec<ServiceId>)>),
    /// The right to work was lost: nothing that is begun from now on is this run's to begin.
    Evicted(StoreFault),
    /// The store's answer to [`Next::Ask`].
    Answered(Result<Answer, StoreFault>),
    /// The store's answer to [`Next::Record`]: the same steps, and which of them were not written.
    Recorded(Vec<Step>, Result<Recorded, StoreFault>),
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
    /// What operators have said of it.
    Control {
        /// After this entry.
        after: i64,
    },
    /// What has gone wrong, and nobody has dealt with.
    Failures,
    /// Which jobs are still to be sent, and what they expect of their instances.
    Queued {
        /// Behind this one.
        after: Option<JobId>,
        /// So many at most.
        limit: usize,
    },
    /// These jobs, as far as they are queued.
    QueuedJobs(Vec<JobId>),
    /// Whose it is: this account's, if it was nobody's.
    Bind(Owner),
    /// How far the roll-out has come, where of each image so many go first.
    Rollout(Option<NonZeroU32>),
    /// What may still take effect, of the services of the batch.
    Strays,
    /// Jobs that are due.
    Ready {
        /// Until then, as Unix time.
        until_ms: i64,
        /// So many at most.
        limit: usize,
        /// Which of them may start.
        admission: Admission,
    },
    /// Where the batch stands.
    Counts,
    /// Whether a job is queued.
    HasQueued,
}

/// What the store answers.
#[derive(Debug)]
pub enum Answer {
    /// To [`Question::Control`], in its order.
    Control(Vec<(i64, ControlEntry)>),
    /// To [`Question::Failures`].
    Failures(Harm),
    /// To [`Question::Queued`], in the manifest's order.
    Queued(Vec<Pending>),
    /// To [`Question::QueuedJobs`].
    QueuedJobs(Vec<QueuedJob>),
    /// To [`Question::Bind`].
    Bound(Owner),
    /// To [`Question::Rollout`].
    Rollout(RolloutProgress),
    /// To [`Question::Strays`].
    Strays(Strays),
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

impl Machine {
    /// Takes `input`, and says what is to be done now. The only way to move the machine.
    pub fn handle(&mut self, input: Input, now: Now) -> Output {
        let next = match self.take(input, now) {
            Some(next) => next,
            None => self.proceed(now),
        };
        Output {
            events: self.narrator.take(),
            calls: self.desk.take_calls(),
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
            Input::Signal(_) if self.course.signal.is_some() => return Some(Next::Over),
            Input::Signal(signal) => {
                self.stop(signal);
                self.begin_turn();
            }
            Input::LookUp(lookups) => {
                self.account.lookups.want(lookups, now);
                self.begin_turn();
            }
            Input::Name(named) => {
                self.account.images.want(named);
                self.begin_turn();
            }
            Input::Evicted(fault) => {
                self.store_failed(fault, now);
                self.begin_turn();
            }
            Input::Answered(Ok(answer)) => self.answered(answer, now),
            Input::Answered(Err(fault)) => self.not_answered(fault, now),
            Input::Recorded(steps, Ok(recorded)) => self.recorded(&steps, recorded),
            Input::Recorded(steps, Err(fault)) => {
                let given_up = self.desk.keep_unwritten(steps);
                self.drop_jobs(&given_up);
                self.store_failed(fault, now);
            }
        }
        None
    }

    fn begin_turn(&mut self) {
        self.course.phase = Phase::AskControl;
        self.course.asked_in_vain = 0;
        self.desk.begin_turn();
    }

    /// Goes through the phases of the turn until the store or the outside has to act.
    fn proceed(&mut self, now: Now) -> Next {
        loop {
            let (then, next) = match std::mem::take(&mut self.course.phase) {
                Phase::AskControl => {
                    let asks = self.may_ask() && self.wants_control(now);
                    let after = self.course.instructions.heard();
                    let ask = || Next::Ask(Question::Control { after });
                    (Phase::AskFailures, asks.then(ask))
                }
                Phase::AskFailures => {
                    let asks = self.may_ask() && self.wants_failures(now);
                    (
                        Phase::AskQueued,
                        asks.then_some(Next::Ask(Question::Failures)),
                    )
                }
                Phase::AskQueued => {
                    let asks = self.may_ask() && self.wants_order();
                    let ask = || {
                        let after = self.account.order_check.after();
                        Next::Ask(Question::Queued { after, limit: PAGE })
                    };
                    (Phase::Bind, asks.then(ask))
                }
                Phase::AskQueuedJobs(jobs) => {
                    (Phase::Bind, Some(Next::Ask(Question::QueuedJobs(jobs))))
                }
                Phase::Bind => {
                    let wanted = self.wants_bound(now).filter(|_| self.may_ask()).cloned();
                    let bind = |owner| Next::Ask(Question::Bind(owner));
                    (Phase::AskRollout, wanted.map(bind))
                }
                Phase::AskRollout => {
                    let asks = self.may_ask() && self.wants_rollout(now);
                    let ask = || Next::Ask(Question::Rollout(self.wanted_canaries(now)));
                    (Phase::AskStrays, asks.then(ask))
                }
                Phase::AskStrays => {
                    let asks = self.may_ask() && self.wants_strays(now);
                    (Phase::AskReady, asks.then_some(Next::Ask(Question::Strays)))
                }
                Phase::AskReady => {
                    let wanted = self.wants_jobs(now).filter(|_| self.may_ask());
                    let ask = |(until_ms, limit)| {
                        self.course.asked_for = self.next_in_sequence(limit, until_ms, now);
                        let asked_for = self.course.asked_for.as_ref();
                        let admission = self.admission(asked_for.map(|(_, jobs)| jobs));
                        Next::Ask(Question::Ready {
                            until_ms,
                            limit,
                            admission,
                        })
                    };
                    (Phase::Decide, wanted.map(ask))
                }
                Phase::Decide => {
                    self.decide(now);
                    let steps = self.desk.take_steps();
                    if steps.is_empty() {
                        self.desk.release(&HashSet::new());
                        (Phase::Recount, None)
                    } else {
                        (Phase::Recount, Some(Next::Record(steps)))
                    }
                }
                Phase::Recount => {
                    let asks = self.may_ask() && self.narrator.wants_counts(now);
                    (Phase::End, asks.then_some(Next::Ask(Question::Counts)))
                }
                Phase::End => self.end_of_turn(now),
                Phase::AskForMore => (Phase::AskForMore, Some(Next::Over)),
                Phase::Rest => (Phase::End, Some(Next::Wait(now.at + HEARTBEAT))),
            };
            self.course.phase = then;
            if let Some(next) = next {
                return next;
            }
        }
    }

    /// What follows the last phase of a turn: a wait, another turn, or the end.
    fn end_of_turn(&mut self, now: Now) -> (Phase, Option<Next>) {
        let is_over = self.is_over();
        if is_over && self.is_ending() {
            return (Phase::End, Some(Next::Over));
        }
        // Before the store is tried again, signals and answers have their turn.
        if self.desk.is_hindered() {
            return (Phase::End, Some(Next::Wait(now.at + HINDERED)));
        }
        if is_over {
            // An operator beside the run may have put jobs back since the store was asked.
            return (Phase::AskForMore, Some(Next::Ask(Question::HasQueued)));
        }
        let was_put_off = self.desk.goes_on();
        if self.may_ask() && (was_put_off || self.asks_the_store(now)) {
            return (Phase::AskControl, None);
        }
        (Phase::End, Some(Next::Wait(self.wake_at(now))))
    }

    /// What was decided is known to the store, and it answers.
    fn may_ask(&self) -> bool {
        !self.desk.is_broken() && !self.desk.is_hindered()
    }

    fn answered(&mut self, answer: Answer, now: Now) {
        match answer {
            Answer::Control(entries) => self.heard(entries, now),
            Answer::Failures(failures) => self.answer_failures(&failures, now),
            Answer::Queued(queued) => {
                if let Some(missing) = self.check_order(&queued) {
                    if !missing.is_empty() {
                        self.course.phase = Phase::AskQueuedJobs(missing);
                    }
                } else {
                    self.course.phase = Phase::AskQueued;
                }
            }
            Answer::QueuedJobs(jobs) => self.leave_out(jobs, now),
            Answer::Bound(owner) => self.bound(owner),
            Answer::Rollout(progress) => self.answer_rollout(progress, now),
            Answer::Strays(strays) => self.answer_strays(&strays, now),
            Answer::Ready(ready) => self.supplied(ready, now),
            Answer::Counts(counts) => self.narrator.recount(counts),
            Answer::HasQueued(true) => {
                self.backlog.look_again();
                let rests = self.rests(now);
                self.begin_turn();
                if rests {
                    self.course.phase = Phase::Rest;
                }
            }
            Answer::HasQueued(false) => {}
        }
    }

    fn not_answered(&mut self, fault: StoreFault, now: Now) {
        self.course.phase = match self.course.phase {
            // Nothing but the display rests on the counts: that they cannot be read is no fault yet.
            Phase::End => return,
            Phase::AskForMore | Phase::Rest => Phase::End,
            Phase::AskControl
            | Phase::AskFailures
            | Phase::AskQueued
            | Phase::AskQueuedJobs(_)
            | Phase::Bind
            | Phase::AskRollout
            | Phase::AskStrays
            | Phase::AskReady
            | Phase::Decide
            | Phase::Recount => Phase::Decide,
        };
        self.store_failed(fault, now);
    }

    /// All of `steps` is committed, but for the jobs that somebody else had moved, and those that must
    /// not begin now.
    fn recorded(&mut self, steps: &[Step], recorded: Recorded) {
        let Recorded { conflicts, held } = recorded;
        if !held.is_empty() {
            self.course.instructions.ask_again();
        }
        let unwritten: HashSet<JobId> = conflicts.into_iter().chain(held).collect();
        self.drop_jobs(&unwritten);
        for step in steps {
            if !unwritten.contains(&step.transition.job) {
                self.narrator.step(step);
            }
        }
        self.desk.release(&unwritten);
    }

    fn store_failed(&mut self, fault: StoreFault, now: Now) {
        match self.desk.store_failed(fault.is_busy, now) {
            Some(News::Busy) => self.narrator.warn(
                "another program holds the database; nothing is sent until it lets go".to_owned(),
            ),
            Some(News::Broken) => self.narrator.tell(Event::Halting {
                reason: fault.message,
            }),
            None => {}
        }
    }
}
