//! What is known of this process: the fold of what its runs have told.

use std::collections::BTreeMap;

use crate::event::Event;
use crate::exit::Exit;
use crate::job::{Action, BatchId, Counts, Owner, RunId};
use crate::time;

/// What the process was called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// It works on an order, and ends.
    Run,
    /// A service: to be asked to end is its usual end.
    Work,
}

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Work => "work",
        }
    }
}

/// The process that worked on the same batch before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previous {
    /// `None`: it never said how it ended. It was killed, or its machine stopped.
    pub exit_code: Option<u8>,
}

/// The work on one batch.
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) batch: BatchId,
    /// The file's name, without its folder.
    pub(super) manifest: String,
    pub(super) action: Action,
    pub(super) account: Option<Owner>,
    pub(super) is_simulated: bool,
    pub(super) counts: Counts,
    /// API calls so far.
    pub(super) calls: Box<dyn Fn() -> u64 + Send>,
    pub(super) is_at_work: bool,
    pub(super) exit: Option<Exit>,
}

/// What is known of this process.
pub(super) struct Standing {
    pub(super) command: Command,
    /// The process's own name, which all that is told of it bears.
    pub(super) id: uuid::Uuid,
    pub(super) started_ms: i64,
    /// When a run told something last, or a service looked at its queue.
    pub(super) progress_ms: i64,
    /// Those at work, and those that ended last.
    pub(super) runs: Vec<Run>,
    /// Calls of those that are forgotten.
    calls_before: u64,
    /// How many have ended with each code.
    pub(super) ended: BTreeMap<u8, u64>,
    /// `None`: none did, or no run has begun.
    pub(super) previous: Option<Previous>,
    /// The metrics file was left behind by a process that never said how it ended.
    pub(super) is_left_running: bool,
    /// The closing summary.
    pub(super) summary: Option<String>,
}

impl Standing {
    pub(super) fn new(command: Command, id: uuid::Uuid, started_ms: i64) -> Self {
        Self {
            command,
            id,
            started_ms,
            progress_ms: started_ms,
            runs: Vec::new(),
            calls_before: 0,
            ended: BTreeMap::new(),
            previous: None,
            is_left_running: false,
            summary: None,
        }
    }

    /// A further run begins; those that have ended are over.
    pub(super) fn begin(&mut self, run: Run, previous: Option<Previous>) {
        let ended = self.runs.iter().filter(|run| !run.is_at_work);
        self.calls_before += ended.map(|run| (run.calls)()).sum::<u64>();
        self.runs.retain(|run| run.is_at_work);
        self.runs.push(run);
        self.previous = previous;
        self.summary = None;
    }

    pub(super) fn hear(&mut self, run: RunId, event: &Event) {
        self.progress_ms = time::now_ms();
        let Some(of_run) = self.runs.iter_mut().find(|it| it.id == run) else {
            return;
        };
        match event {
            Event::RunStarted {
                action,
                counts,
                account,
                simulated,
                ..
            } => {
                of_run.action = *action;
                of_run.counts = *counts;
                of_run.account.clone_from(account);
                of_run.is_simulated = *simulated;
            }
            Event::Job(job) => of_run.counts.step(job.from, job.to, job.held),
            Event::Recounted { counts } => of_run.counts = *counts,
            Event::RunEnded {
                counts, exit_code, ..
            } => {
                of_run.counts = *counts;
                of_run.exit = Some(*exit_code);
                *self.ended.entry(exit_code.code()).or_default() += 1;
            }
            Event::Activity(_)
            | Event::Control(_)
            | Event::Warning { .. }
            | Event::Paused { .. }
            | Event::Resumed
            | Event::StartOrder(_)
            | Event::BudgetLimits { .. }
            | Event::Halting { .. }
            | Event::Stopping { .. } => {}
        }
    }

    /// The run does no more, whether it has said how it ended or not.
    pub(super) fn leave(&mut self, run: RunId) {
        for of_run in self.runs.iter_mut().filter(|it| it.id == run) {
            of_run.is_at_work = false;
        }
    }

    /// API calls of all runs.
    pub(super) fn calls(&self) -> u64 {
        let now: u64 = self.runs.iter().map(|run| (run.calls)()).sum();
        self.calls_before + now
    }

    /// The jobs of all batches that are known.
    pub(super) fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for run in &self.runs {
            all.join(&run.counts);
        }
        all
    }

    /// The run before this one never said how it ended.
    pub(super) fn previous_died(&self) -> bool {
        let by_ledger = self
            .previous
            .is_some_and(|previous| previous.exit_code.is_none());
        by_ledger || self.is_left_running
    }

    /// Something that somebody has to know.
    pub(super) fn is_problem(&self, exit: Exit) -> bool {
        let is_asked_to_end = matches!(exit, Exit::Interrupted | Exit::Terminated);
        let is_usual = exit == Exit::Done || self.command == Command::Work && is_asked_to_end;
        !is_usual || self.previous_died()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::event::JobEvent;
    use crate::job::{Executed, JobId, ServiceId, State};

    /// A process of which nothing is known yet.
    pub(in crate::monitor) fn standing(command: Command) -> Standing {
        Standing::new(command, uuid::Uuid::from_u128(7), 1_764_000_000_000)
    }

    /// One that works, and made so many calls.
    pub(in crate::monitor) fn run(number: i64, counts: Counts, calls: u64) -> Run {
        Run {
            id: RunId(number),
            batch: BatchId(number),
            manifest: "customers.csv".to_owned(),
            action: Action::Rebuild,
            account: None,
            is_simulated: false,
            counts,
            calls: Box::new(move || calls),
            is_at_work: true,
            exit: None,
        }
    }

    #[test]
    fn what_has_ended_is_known_until_the_next_begins_and_its_calls_are_never_lost() {
        let done = Counts {
            done: 3,
            ..Counts::default()
        };
        let mut standing = standing(Command::Work);
        standing.begin(run(1, done, 10), None);
        standing.begin(run(2, done, 5), None);
        assert_eq!((standing.counts().done, standing.calls()), (6, 15));
        standing.leave(RunId(1));
        assert_eq!((standing.counts().done, standing.calls()), (6, 15));
        standing.begin(run(3, done, 1), None);
        assert_eq!((standing.counts().done, standing.calls()), (6, 16));
    }

    #[test]
    fn jobs_are_counted_as_they_step() {
        let queued = Counts {
            queued: 2,
            ..Counts::default()
        };
        let mut standing = standing(Command::Run);
        standing.begin(run(1, queued, 0), None);
        let mut step = |from, to, held| {
            let job = JobEvent {
                job: JobId::from_stored(17),
                service: ServiceId::new(1).unwrap(),
                name: None,
                ip: None,
                line: 2,
                image: None,
                attempt: 1,
                kind: "intent",
                from,
                to,
                executed: Executed::Maybe,
                held,
                evidence: None,
                error_kind: None,
                error: None,
                took: None,
            };
            standing.hear(RunId(1), &Event::Job(job));
            standing.counts()
        };
        step(State::Queued, State::Submitting, false);
        step(State::Submitting, State::InDoubt, false);
        let counts = step(State::InDoubt, State::InDoubt, true);
        assert_eq!((counts.queued, counts.in_doubt, counts.held), (1, 1, 1));
        let counts = step(State::InDoubt, State::Done, false);
        assert_eq!((counts.done, counts.in_doubt, counts.held), (1, 0, 0));
    }

    #[test]
    fn for_a_service_it_is_no_problem_to_be_asked_to_end() {
        assert!(standing(Command::Run).is_problem(Exit::Terminated));
        assert!(!standing(Command::Work).is_problem(Exit::Terminated));
        assert!(!standing(Command::Run).is_problem(Exit::Done));
        assert!(standing(Command::Work).is_problem(Exit::Storage));
        let mut after_a_death = standing(Command::Run);
        after_a_death.previous = Some(Previous { exit_code: None });
        assert!(after_a_death.is_problem(Exit::Done));
    }
}
