//! Why a run ends before its batch has ended.

use std::time::Duration;

use crate::job::{BatchId, Executed, Group, Owner, ServiceId, State};
use crate::time::Window;
use crate::zomro::Incurable;

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
        first: ServiceId,
        /// So many of the order were sent before the list was whole.
        sent: usize,
    },
    /// More instances than `--max-mismatch` allows are other than the order expects.
    PlanMismatch {
        /// So many of the batch, those included on which earlier runs gave up.
        mismatched: u64,
        /// So many are allowed.
        allowed: u64,
        /// Nothing was sent by this run.
        nothing_sent: bool,
    },
    /// Nothing of what is left would be back before the window closes, or it is closed.
    WindowClosed {
        /// By its zone's clocks.
        window: Window,
        /// When it opens next, as Unix time.
        opens_ms: i64,
    },
    /// One of those that go first did not end well, or nobody has seen that it did.
    Canary {
        /// The first such instance.
        service: ServiceId,
        /// Where its job stands.
        state: State,
        /// Whether the instance was touched.
        executed: Executed,
    },
    /// Nothing more can start: too many members of a group are down, and only somebody's word helps.
    GroupDown {
        /// The first such group.
        group: Group,
        /// A member that is down.
        service: ServiceId,
        /// Where its job stands.
        state: State,
        /// The batch whose job took it down, if that is another one.
        other_batch: Option<BatchId>,
    },
    /// Nothing more can start: a host may still send what it has left, and nobody has said that it is down.
    Unfenced {
        /// An instance that waits for that.
        service: ServiceId,
        /// The batch that it was submitted for.
        batch: BatchId,
        /// The host.
        host: String,
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
    /// The batch is another account's than the session.
    OtherAccount {
        /// The batch's.
        theirs: Owner,
        /// The session's.
        ours: Owner,
    },
    /// The batch is an account's, and the API does not say whose the session is.
    UnknownAccount {
        /// The batch's.
        theirs: Owner,
        /// What the API says instead, in brackets behind a space; empty: nothing.
        why: String,
    },
    /// The account asks for a one-time code, and there is no right one.
    NotConfirmed(String),
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
    /// An operator has paused the batch, before this run began.
    Paused {
        /// Who.
        operator: String,
        /// When, as Unix time.
        since_ms: i64,
        /// Why.
        reason: Option<String>,
    },
    /// An operator has drained the run, and there is work left.
    Drained {
        /// Who.
        operator: String,
        /// Why.
        reason: Option<String>,
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
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each halt")]
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
                sent,
            } => {
                write!(
                    f,
                    "{missing} of {jobs} services of the order are not in the account's list ({first}, …)"
                )?;
                match sent {
                    0 => Ok(()),
                    sent => write!(f, "; {sent} were sent before all of it was read"),
                }
            }
            Self::PlanMismatch {
                mismatched,
                allowed,
                nothing_sent,
            } => write!(
                f,
                "{mismatched} {instances} other than the order expects, --max-mismatch allows {allowed}{nothing}",
                instances = if *mismatched == 1 {
                    "instance is"
                } else {
                    "instances are"
                },
                nothing = if *nothing_sent {
                    "; nothing was sent"
                } else {
                    ""
                }
            ),
            Self::WindowClosed { window, opens_ms } => write!(
                f,
                "the window {window} is closed for what is left; it opens next on {}",
                window.zone.local(*opens_ms)
            ),
            Self::Canary {
                service,
                state,
                executed: _,
            } => write!(
                f,
                "service {service} was to go first, and {}: nothing else is started",
                match state {
                    State::Done => "the API has accepted it, but nobody has seen it done",
                    State::InDoubt => "is in doubt",
                    State::Queued
                    | State::Submitting
                    | State::InProgress
                    | State::Failed
                    | State::Cancelled => "failed",
                }
            ),
            Self::GroupDown {
                group,
                service,
                state,
                other_batch: _,
            } => write!(
                f,
                "service {service} of group `{group}` is {state}: what is left would take more of its group down than --max-per-group allows"
            ),
            Self::Unfenced {
                service,
                batch,
                host,
            } => write!(
                f,
                "host {} may still send what it left of batch {batch} for service {service}: nobody has said that it is down",
                crate::text::brief(host, 64)
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
            Self::OtherAccount { theirs, ours } => write!(
                f,
                "the batch belongs to account {theirs}, and the credentials are those of account {ours}"
            ),
            Self::UnknownAccount { theirs, why } => write!(
                f,
                "the batch belongs to account {theirs}, and the API does not say whose this session is{why}"
            ),
            Self::NotConfirmed(message) => f.write_str(message),
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
            Self::Paused {
                operator,
                since_ms,
                reason,
            } => write!(
                f,
                "the batch is paused, by {operator} on {}{}",
                crate::time::human(*since_ms),
                because(reason.as_deref())
            ),
            Self::Drained { operator, reason } => write!(
                f,
                "the run was drained by {operator}{}",
                because(reason.as_deref())
            ),
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

/// An operator's reason, behind what was done.
fn because(reason: Option<&str>) -> String {
    reason.map_or_else(String::new, |reason| {
        format!(": {}", crate::text::brief(reason, 200))
    })
}
