//! A run: one pure machine between two ports.
//!
//! The one fact to know: nothing is sent before its intent is committed. A turn:
//!
//! ```text
//!            ┌────────────── driver: the one loop, decides nothing ──────────────┐
//!   Store ◀──┤ Ask, Record ──▶ answers, conflicts                                │
//!            │                        │ Input                                    │
//!            │                        ▼                                          │
//!            │                machine::handle(input, now)   no I/O, no clock     │
//!            │                        │ Output: events, calls, what to wait for  │
//!   API   ◀──┤ calls ──▶ worker ──▶ Finished                                     │
//!            └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! [`driver`] is generic over what is outside: `process` is the real clock, API and queue; the
//! tests and the bench bring worlds of their own. A submission is among the calls only after the
//! machine was told that its intent is committed.
//!
//! The rules that the [`machine`] applies are small pure modules of their own: how doubts end and
//! rebuilds complete ([`evidence`]), what the list says ([`list`]), when a page of it is read again
//! ([`poll_schedule`]), when to try again ([`backoff`]), how fast ([`rate_limiter`]), how much may go
//! wrong ([`budget`]), what an outage is ([`outage`]), what the session needs ([`session`]).

mod account;
pub mod backoff;
pub mod budget;
pub mod driver;
pub mod evidence;
pub mod list;
pub mod machine;
pub mod outage;
pub mod poll_schedule;
mod process;
pub mod rate_limiter;
pub mod session;
mod worker;

use std::time::{Duration, Instant};

pub use account::{Account, read_account};
pub use budget::MaxFailures;
pub use list::InstanceList;
pub use process::{Ending, Setup, Signals, run};

use crate::zomro::Incurable;
use backoff::Backoff;
use evidence::Rules;

/// The options of a run. Defaults and meanings stand at the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Instances being rebuilt at once, at most.
    pub workers: usize,
    /// API calls per second; 0: no limit.
    pub rate_per_s: f64,
    /// Retries of a submission that was proven not to be executed.
    pub retries: u32,
    /// Delays between tries.
    pub backoff: Backoff,
    /// How long nothing may get through.
    pub outage_timeout: Duration,
    /// When doubts end and rebuilds are complete.
    pub rules: Rules,
    /// How much may go wrong.
    pub max_failures: MaxFailures,
    /// Ends when everything is accepted; reads no list.
    pub no_wait: bool,
    /// Goes on however long the process, or the order, was left alone.
    pub stale: bool,
}

/// Now, on both clocks: durations inside the process are monotonic, what is stored is Unix time.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The monotonic clock.
    pub at: Instant,
    /// The clock on the wall.
    pub unix_ms: i64,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self {
            at: Instant::now(),
            unix_ms: crate::time::now_ms(),
        }
    }

    /// `delay` from now, as Unix time.
    pub fn after_ms(self, delay: Duration) -> i64 {
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.unix_ms.saturating_add(delay_ms)
    }
}

/// A signal that asks the run to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// SIGTERM or SIGHUP.
    Terminate,
}

/// Why a run ends before its batch has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Halt {
    /// `--max-failures` is used up.
    FailureBudget {
        /// Failed jobs and held doubts of the batch that nobody has dealt with.
        failed: u64,
        /// The budget.
        budget: u64,
    },
    /// More than a tenth of the order is not in the account's list. Nothing was sent.
    NotListed {
        /// Services of the order that a complete reading of the list does not show.
        missing: u64,
        /// Services of the order.
        jobs: u64,
        /// The first of the missing ones.
        first: crate::job::ServiceId,
    },
    /// The process was suspended for so long that the servers may be in use by now.
    StoodStill {
        /// For how long.
        lasted: Duration,
    },
    /// The API does not accept the credentials.
    Credentials(String),
    /// The account asks for a one-time code, which nobody is there to give.
    SecondFactor,
    /// The session lives, and may not do what a run needs.
    Rights(String),
    /// The first call met what no retry can cure.
    Incurable(Incurable),
    /// The API blocks this address.
    Blocked {
        /// The HTTP status.
        status: u16,
    },
    /// The account could not be read for the question that stands before a run.
    Unread(String),
    /// For too long the API has only asked to slow down.
    SlowedDown {
        /// For how long.
        lasted: Duration,
        /// Readings succeeded meanwhile.
        only_submissions: bool,
    },
    /// Nothing got through for too long.
    Outage {
        /// For how long.
        lasted: Duration,
        /// What the last call met.
        error: String,
    },
}

impl std::fmt::Display for Halt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::FailureBudget { failed, budget } => write!(
                f,
                "the failure budget is used up: {failed} {jobs} in doubt, --max-failures allows {budget}",
                jobs = if *failed == 1 {
                    "job failed or is"
                } else {
                    "jobs failed or are"
                }
            ),
            Self::NotListed {
                missing,
                jobs,
                first,
            } => write!(
                f,
                "{missing} of {jobs} services of the order are not in the account's list ({first}, …)"
            ),
            Self::StoodStill { lasted } => write!(
                f,
                "this process stood still for {}: the servers may be in use by now",
                crate::time::short(*lasted)
            ),
            Self::Credentials(message) => {
                write!(f, "the API does not accept the credentials: {message}")
            }
            Self::SecondFactor => f.write_str("the account asks for a second factor"),
            Self::Rights(message) => {
                write!(f, "the session may not read the account's list: {message}")
            }
            Self::Incurable(why) => why.fmt(f),
            Self::Blocked { status } => {
                write!(
                    f,
                    "the API blocks this address (HTTP {status}); blocks are temporary"
                )
            }
            Self::Unread(error) => write!(f, "cannot read the account's list: {error}"),
            Self::SlowedDown {
                lasted,
                only_submissions,
            } => write!(
                f,
                "for {} the API has answered every {} with a request to slow down (HTTP 429 or 503)",
                crate::time::short(*lasted),
                if *only_submissions {
                    "submission"
                } else {
                    "call"
                },
            ),
            Self::Outage { lasted, error } => {
                write!(
                    f,
                    "nothing got through to the API for {}: {error}",
                    crate::time::short(*lasted)
                )
            }
        }
    }
}
