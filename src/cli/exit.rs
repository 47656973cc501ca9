//! Exit codes: a contract, scripts rely on them.

use crate::job::Counts;
use crate::queue::QueueError;
use crate::runner::{Ending, Signal};

/// Every job is done (or cancelled on purpose, or accepted under `--no-wait`).
pub const DONE: u8 = 0;
/// Ended, and some jobs failed.
pub const FAILED: u8 = 1;
/// Usage, configuration or manifest invalid: nothing was queued, nothing was sent.
pub const USAGE: u8 = 2;
/// Ended, and some jobs are in doubt.
pub const IN_DOUBT: u8 = 3;
/// Halted before the end: failure budget, credentials, IP blocked, outage.
pub const HALTED: u8 = 4;
/// A bug.
pub const BUG: u8 = 70;
/// The database can't be written.
pub const STORAGE: u8 = 74;
/// Another process works on this queue.
pub const BUSY: u8 = 75;
/// SIGINT.
pub const INTERRUPTED: u8 = 130;
/// SIGTERM or SIGHUP.
pub const TERMINATED: u8 = 143;

/// The code of a batch that has ended.
pub fn of_counts(counts: &Counts) -> u8 {
    if counts.in_doubt > 0 {
        IN_DOUBT
    } else if counts.failed > 0 {
        FAILED
    } else {
        DONE
    }
}

/// The code of a run. Where several apply: 70/74, then the signal, then 4, 3, 1. `left_out`: some
/// services were not even queued, because they are in doubt elsewhere.
pub fn of_run(ending: &Ending, left_out: bool) -> u8 {
    if let Some(error) = &ending.storage {
        return of_queue(error);
    }
    if let Some(signal) = ending.signal {
        return of_signal(signal);
    }
    if ending.halt.is_some() {
        HALTED
    } else if left_out {
        IN_DOUBT
    } else {
        of_counts(&ending.counts)
    }
}

/// The code of a process that a signal has stopped.
pub fn of_signal(signal: Signal) -> u8 {
    match signal {
        Signal::Interrupt => INTERRUPTED,
        Signal::Terminate => TERMINATED,
    }
}

/// The code of a queue's fault.
pub fn of_queue(error: &QueueError) -> u8 {
    match error {
        QueueError::NotFound { .. }
        | QueueError::Unusable { .. }
        | QueueError::Foreign { .. }
        | QueueError::TooOpen { .. }
        | QueueError::Newer { .. }
        | QueueError::Older { .. } => USAGE,
        QueueError::Locked(_) | QueueError::Busy => BUSY,
        QueueError::Storage { .. } => STORAGE,
        QueueError::Bug(_) => BUG,
    }
}
