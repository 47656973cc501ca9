//! Which events are worth a line.

use super::mode::{Mode, Verbosity};
use crate::event::{Activity, Event, JobEvent};
use crate::job::State;

pub fn is_shown(event: &Event, mode: Mode, verbosity: Verbosity) -> bool {
    let normal = verbosity >= Verbosity::Normal;
    let verbose = verbosity >= Verbosity::Verbose;
    match mode {
        Mode::None => return false,
        Mode::Plain if verbose => return true,
        Mode::Plain | Mode::Bar => {}
    }
    let log = normal && mode == Mode::Plain;
    match event {
        Event::RunStarted { .. }
        | Event::Control(_)
        | Event::Warning { .. }
        | Event::Paused { .. }
        | Event::Resumed
        | Event::StartOrder(_)
        | Event::BudgetLimits { .. }
        | Event::Recounted { .. }
        | Event::Stopping { .. } => normal,
        Event::Halting { .. } => true,
        Event::RunEnded { .. } => log,
        // The display shows what happens right now by itself.
        Event::Activity(activity) => {
            log && match activity {
                Activity::LoggingIn | Activity::WatchingDoubts { .. } => true,
                Activity::ReadingList { read, total } => *read == 0 || Some(*read) == *total,
                Activity::Working
                | Activity::HeldBack { .. }
                | Activity::WaitingForCompletion
                | Activity::ReadingHostKeys
                | Activity::WaitingToRetry { .. } => false,
            }
        }
        Event::Job(job) => is_job_shown(job, normal, log),
    }
}

fn is_job_shown(job: &JobEvent, normal: bool, log: bool) -> bool {
    if job.held {
        return true;
    }
    if job.from == job.to {
        return false;
    }
    match job.to {
        State::Failed => true,
        // It may settle by itself; if it does not, it will be held.
        State::InDoubt => normal,
        State::Done | State::Cancelled => log || (normal && job.from == State::InDoubt),
        State::Queued | State::InProgress => normal && job.from == State::InDoubt,
        State::Submitting => false,
    }
}
