//! Exit codes: a contract, scripts rely on them.

use crate::job::Counts;
use crate::queue::QueueError;
use crate::run::{Ending, Halt, Signal};

/// Every job is done (or cancelled on purpose, or accepted under `--no-wait`).
pub const DONE: u8 = 0;
/// Ended, and some jobs failed.
pub const FAILED: u8 = 1;
/// Usage, configuration or manifest invalid: nothing was queued, nothing was sent.
pub const USAGE: u8 = 2;
/// Ended, and some jobs are in doubt.
pub const IN_DOUBT: u8 = 3;
/// Halted before the end by an outage, or with work left that nobody waits for.
pub const OUTAGE: u8 = 4;
/// Halted by what somebody has to look at: the failure budget.
pub const BUDGET: u8 = 6;
/// Credentials refused, a second factor, rights missing.
pub const CREDENTIALS: u8 = 7;
/// This address is blocked.
pub const BLOCKED: u8 = 8;
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

/// The code of a run. Where several apply: 70/74, then the signal, then 8, 7, 6, 4, 3, 1. `left_out`:
/// some services were not even queued, because they are in doubt elsewhere.
pub fn of_run(ending: &Ending, left_out: bool) -> u8 {
    if let Some(error) = &ending.storage {
        return of_queue(error);
    }
    if let Some(signal) = ending.signal {
        return of_signal(signal);
    }
    if let Some(halt) = &ending.halt {
        of_halt(halt)
    } else if ending.counts.queued + ending.counts.submitting > 0 {
        // Put back by somebody in the last moment of the run.
        OUTAGE
    } else if left_out {
        IN_DOUBT
    } else {
        of_counts(&ending.counts)
    }
}

/// The code of a run that ends before its batch has ended.
pub fn of_halt(halt: &Halt) -> u8 {
    match halt {
        Halt::Blocked { .. } => BLOCKED,
        Halt::Credentials(_) | Halt::SecondFactor | Halt::Rights(_) => CREDENTIALS,
        Halt::FailureBudget { .. } | Halt::NotListed { .. } | Halt::StoodStill { .. } => BUDGET,
        Halt::Outage { .. } | Halt::SlowedDown { .. } | Halt::Unread(_) => OUTAGE,
        Halt::Incurable(_) => USAGE,
    }
}

/// The run came to its batch's end, whatever that was.
pub fn has_ended(code: u8) -> bool {
    matches!(code, DONE | FAILED | IN_DOUBT)
}

/// The code of a process that did one thing after the other: what stopped it, else the worse end.
pub fn worse(before: u8, code: u8) -> u8 {
    if has_ended(before) && has_ended(code) {
        before.max(code)
    } else {
        code
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
        | QueueError::Unfit(_)
        | QueueError::Newer { .. }
        | QueueError::Older { .. } => USAGE,
        QueueError::Locked(_) | QueueError::Busy => BUSY,
        QueueError::Storage { .. } => STORAGE,
        QueueError::Bug(_) => BUG,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::queue::QueueError;
    use crate::zomro::Incurable;

    fn ending(halt: Option<Halt>, signal: Option<Signal>, counts: Counts) -> Ending {
        Ending {
            counts,
            halt,
            signal,
            storage: None,
            elapsed: Duration::ZERO,
            database: PathBuf::new(),
        }
    }

    #[test]
    fn each_halt_has_the_code_of_its_kind() {
        let outage = Halt::Outage {
            lasted: Duration::from_mins(30),
            error: "no answer".to_owned(),
        };
        let budget = Halt::FailureBudget {
            failed: 2,
            budget: 2,
        };
        // Doubts and failures count less than any halt.
        let counts = Counts {
            queued: 3,
            failed: 2,
            in_doubt: 1,
            ..Counts::default()
        };
        for (halt, code) in [
            (outage, 4),
            (
                Halt::SlowedDown {
                    lasted: Duration::from_mins(30),
                    only_submissions: true,
                },
                4,
            ),
            (budget, 6),
            (Halt::Credentials("badpassword".to_owned()), 7),
            (Halt::SecondFactor, 7),
            (Halt::Rights("access".to_owned()), 7),
            (Halt::Blocked { status: 460 }, 8),
            (Halt::Incurable(Incurable::NoApi { status: 404 }), 2),
        ] {
            assert_eq!(
                of_run(&ending(Some(halt.clone()), None, counts), true),
                code
            );
            let signalled = ending(Some(halt.clone()), Some(Signal::Interrupt), counts);
            assert_eq!(of_run(&signalled, true), INTERRUPTED);
            let storage = Some(QueueError::Busy);
            assert_eq!(
                of_run(
                    &Ending {
                        storage,
                        ..signalled
                    },
                    true
                ),
                BUSY
            );
        }
    }

    #[test]
    fn a_run_that_leaves_work_behind_is_not_done() {
        let mut counts = Counts {
            done: 4,
            ..Counts::default()
        };
        assert_eq!(of_run(&ending(None, None, counts), false), DONE);
        counts.failed = 1;
        assert_eq!(of_run(&ending(None, None, counts), false), FAILED);
        counts.in_doubt = 1;
        assert_eq!(of_run(&ending(None, None, counts), false), IN_DOUBT);
        counts.queued = 1;
        assert_eq!(of_run(&ending(None, None, counts), false), OUTAGE);
    }
}
