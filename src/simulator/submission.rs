//! What an action is told of a submission, and the course that it takes, whatever the action is.

use std::time::Duration;

use super::behaviour::{Behaviour, Outcome};
use super::form::Fields;

/// A submission about an instance, with all that decides whether it is taken and how it goes.
#[derive(Debug)]
pub(super) struct Submission<'a> {
    pub(super) fields: &'a Fields,
    /// Something that was submitted before is still under way.
    pub(super) is_busy: bool,
    /// The name of the data centre in which the instance stands.
    pub(super) datacenter: &'a str,
    /// What the list shows of the instance, without any lag.
    pub(super) status: &'a str,
    /// How a test wants it to go.
    pub(super) next: Behaviour,
    /// What everything random follows: the seed of the account, the service, the submission.
    pub(super) seed: [u64; 3],
}

/// How something that was accepted goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Course {
    /// From the acceptance until the list shows it.
    pub(super) accept_lag: Duration,
    /// How long it then takes.
    pub(super) duration: Duration,
    pub(super) outcome: Outcome,
}

impl Course {
    /// As a test wants it; where that says nothing, these times, and as it was ordered.
    pub(super) fn new(wanted: &Behaviour, accept_lag: Duration, duration: Duration) -> Self {
        let or = |ms: Option<u64>, usual| ms.map_or(usual, Duration::from_millis);
        Self {
            accept_lag: or(wanted.accept_lag_ms, accept_lag),
            duration: or(wanted.duration_ms, duration),
            outcome: wanted.outcome.unwrap_or_default(),
        }
    }

    /// How long after the acceptance it ends; `None`: never.
    pub(super) fn ends_after(&self) -> Option<Duration> {
        match self.outcome {
            Outcome::Active | Outcome::Error | Outcome::RolledBack => Some(self.length()),
            Outcome::Never | Outcome::Ignored => None,
        }
    }

    /// From the acceptance to the planned end.
    pub(super) fn length(&self) -> Duration {
        self.accept_lag + self.duration
    }
}
