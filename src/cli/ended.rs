//! With which exit code a run, or a command that could not do its work, ends.

use crate::exit::Exit;
use crate::job::Failure;
use crate::queue::{OpenError, Run, StoreError};
use crate::run::{Ending, Halt, Signal};

/// The code of a run. Where several apply: 70/74, then the signal, then 8, 7, 6, 4, 5, 3, 1. `left_out`:
/// some services were not even queued, because they are in doubt elsewhere. `waits`: for what it has sent.
pub fn of_run(ending: &Ending, left_out: bool, waits: bool) -> Exit {
    if let Some(error) = &ending.storage {
        return of_store(error);
    }
    if let Some(signal) = ending.signal {
        return of_signal(signal);
    }
    if let Some(halt) = &ending.halt {
        of_halt(halt)
    } else if ending.counts.queued + ending.counts.submitting > 0 {
        // Put back by somebody in the last moment of the run.
        Exit::Outage
    } else if waits && ending.counts.in_progress > 0 {
        // A host that came too late has said that it was accepted: nobody has waited for it.
        Exit::Outage
    } else if left_out {
        Exit::InDoubt
    } else {
        Exit::of_counts(&ending.counts)
    }
}

/// The code of a run that ends before its batch has ended.
pub fn of_halt(halt: &Halt) -> Exit {
    match halt {
        Halt::Blocked { .. } => Exit::Blocked,
        Halt::Credentials(_) | Halt::SecondFactor | Halt::NotConfirmed(_) | Halt::Rights(_) => {
            Exit::Credentials
        }
        Halt::FailureBudget { .. }
        | Halt::NotListed { .. }
        | Halt::PlanMismatch { .. }
        | Halt::Canary { .. }
        | Halt::GroupDown { .. }
        | Halt::Unfenced { .. }
        | Halt::StoodStill { .. }
        | Halt::Paused { .. } => Exit::Budget,
        Halt::WindowClosed { .. } => Exit::Window,
        Halt::Outage { .. } | Halt::SlowedDown { .. } | Halt::Unread(_) | Halt::Drained { .. } => {
            Exit::Outage
        }
        Halt::Incurable(_) | Halt::OtherAccount { .. } | Halt::UnknownAccount { .. } => Exit::Usage,
    }
}

/// Why a run ended, in words: what stopped it, else what its code means. `None`: it works still, or died.
pub fn why(run: &Run) -> Option<String> {
    let meaning = run.exit_code.and_then(Exit::of_code).map(Exit::meaning);
    run.halted.clone().or(meaning.map(str::to_owned))
}

/// The code of a command that lacks a document for this reason.
pub fn of_reading(failure: &Failure) -> Exit {
    match failure.error_kind.as_str() {
        // The API's own words for "there is no such thing".
        "value" | "missed" | "exists" | "limit" | "nofunc" | "license" => Exit::Usage,
        "unauthorized" => Exit::Credentials,
        "blocked_request" => Exit::Blocked,
        _ => Exit::Outage,
    }
}

/// The code of a process that a signal has stopped.
pub fn of_signal(signal: Signal) -> Exit {
    match signal {
        Signal::Interrupt => Exit::Interrupted,
        Signal::Terminate => Exit::Terminated,
    }
}

/// The code of a database that can't be opened.
pub fn of_opening(error: &OpenError) -> Exit {
    match error {
        OpenError::Store(error) => of_store(error),
        OpenError::NotFound { .. }
        | OpenError::Unusable { .. }
        | OpenError::Foreign { .. }
        | OpenError::Server { .. }
        | OpenError::Standby { .. }
        | OpenError::Unfit(_)
        | OpenError::Newer { .. }
        | OpenError::Older { .. } => Exit::Usage,
    }
}

/// The code of a queue's fault.
pub fn of_store(error: &StoreError) -> Exit {
    match error {
        StoreError::Locked(_) | StoreError::LeaseLost { .. } | StoreError::Busy => Exit::Busy,
        StoreError::Storage { .. } | StoreError::Server { .. } | StoreError::Gone { .. } => {
            Exit::Storage
        }
        StoreError::Another { .. } => Exit::Budget,
        StoreError::Bug(_) => Exit::Bug,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::job::{AccountId, Counts, Owner};
    use crate::queue::StoreError;
    use crate::time::Window;
    use crate::zomro::Incurable;

    fn ending(halt: Option<Halt>, signal: Option<Signal>, counts: Counts) -> Ending {
        Ending {
            counts,
            halt,
            signal,
            storage: None,
            unwritten: Vec::new(),
            elapsed: Duration::ZERO,
            database: PathBuf::new(),
        }
    }

    fn owner(id: &str) -> Owner {
        Owner {
            id: AccountId::new(id),
            label: None,
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
            (
                Halt::WindowClosed {
                    window: Window {
                        hours: "01:00-05:00".parse().unwrap(),
                        zone: "UTC".parse().unwrap(),
                    },
                    opens_ms: 0,
                },
                5,
            ),
            (budget, 6),
            (Halt::Credentials("badpassword".to_owned()), 7),
            (Halt::SecondFactor, 7),
            (Halt::Rights("access".to_owned()), 7),
            (Halt::Blocked { status: 460 }, 8),
            (Halt::Incurable(Incurable::NoApi { status: 404 }), 2),
            (
                Halt::OtherAccount {
                    theirs: owner("1"),
                    ours: owner("2"),
                },
                2,
            ),
            (
                Halt::UnknownAccount {
                    theirs: owner("1"),
                    why: String::new(),
                },
                2,
            ),
        ] {
            assert_eq!(
                of_run(&ending(Some(halt.clone()), None, counts), true, true).code(),
                code
            );
            let signalled = ending(Some(halt.clone()), Some(Signal::Interrupt), counts);
            assert_eq!(of_run(&signalled, true, true), Exit::Interrupted);
            let storage = Some(StoreError::Busy);
            assert_eq!(
                of_run(
                    &Ending {
                        storage,
                        ..signalled
                    },
                    true,
                    true
                ),
                Exit::Busy
            );
        }
    }

    #[test]
    fn a_run_that_leaves_work_behind_is_not_done() {
        let mut counts = Counts {
            done: 4,
            ..Counts::default()
        };
        assert_eq!(of_run(&ending(None, None, counts), false, true), Exit::Done);
        counts.failed = 1;
        assert_eq!(
            of_run(&ending(None, None, counts), false, true),
            Exit::Failed
        );
        counts.in_doubt = 1;
        assert_eq!(
            of_run(&ending(None, None, counts), false, true),
            Exit::InDoubt
        );
        counts.queued = 1;
        assert_eq!(
            of_run(&ending(None, None, counts), false, true),
            Exit::Outage
        );
        // A late word has turned a doubt into something that nobody has waited for.
        let counts = Counts {
            done: 4,
            in_progress: 1,
            ..Counts::default()
        };
        let accepted = ending(None, None, counts);
        assert_eq!(of_run(&accepted, false, true), Exit::Outage);
        assert_eq!(of_run(&accepted, false, false), Exit::Done);
    }
}
