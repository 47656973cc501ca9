//! The options of a run.

use std::time::Duration;

use super::backoff::Backoff;
use super::evidence::Rules;
use super::{Rollout, Tolerance};
use crate::zomro::HistoryShape;

/// The options of a run. Defaults and meanings stand at the command line.
#[derive(Debug, Clone)]
pub struct Options {
    /// Instances being rebuilt at once, at most.
    pub workers: usize,
    /// API calls per second; 0: no limit.
    pub rate_per_s: f64,
    /// Delays between tries.
    pub backoff: Backoff,
    /// How long nothing may get through.
    pub outage_timeout: Duration,
    /// When doubts end and rebuilds are complete.
    pub rules: Rules,
    /// How much may go wrong.
    pub tolerances: Tolerances,
    /// Who goes first, and who never goes down together.
    pub rollout: Rollout,
    /// Who is asked beside the account's list.
    pub witnesses: Witnesses,
    /// Ends when everything is accepted; reads no list.
    pub no_wait: bool,
    /// Goes on however long the process, or the order, was left alone.
    pub stale: bool,
}

/// For so long at most a new host key is looked for: its system is back, and its SSH server soon is.
const KEYS_TAKE_MAX: Duration = Duration::from_mins(1);

impl Options {
    /// For how long after a success its instance's new host key is looked for; zero: it is not.
    pub fn keys_take(&self) -> Duration {
        match self.witnesses.ssh_port {
            Some(_) => (self.rules.apart() * 2).min(KEYS_TAKE_MAX),
            None => Duration::ZERO,
        }
    }
}

/// Who is asked beside the account's list what has become of an instance.
#[derive(Debug, Clone, Default)]
pub struct Witnesses {
    /// Where instances answer SSH whose rows don't say it; `None`: none is asked for its host key.
    pub ssh_port: Option<u16>,
    /// Where the API has a history of each service, which is read before a doubt is held; `None`: nobody has
    /// said that it has.
    pub history: Option<HistoryShape>,
}

/// How much of a batch may go wrong before its run halts.
#[derive(Debug, Clone, Copy)]
pub struct Tolerances {
    /// Jobs that have failed or are in doubt.
    pub failures: Tolerance,
    /// Instances that are other than the order expects.
    pub mismatches: Tolerance,
}
