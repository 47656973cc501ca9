//! Services that are bound by a submission of which nobody knows the outcome: their jobs are not handed out
//! until it can take effect no more.
//!
//! The store keeps them back by itself, and is told which submissions are over. What is new in the queue is
//! therefore bound until the store was asked about it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::canaries::FRESH;
use crate::job::{BatchId, ServiceId};
use crate::queue::{Attempt, Strays};
use crate::run::Now;
use crate::run::hosts::orphan::Missing;
use crate::run::hosts::{Waits, stray};
use crate::time;

/// How long the store's answer is believed: an operator may say something meanwhile.
const AGE_MAX: Duration = Duration::from_secs(10);

/// What binds services of the batch.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// When the store was asked last; `None`: it has to be asked.
    asked_at: Option<Instant>,
    known: HashMap<Attempt, Binding>,
}

/// A submission that binds its service.
#[derive(Debug)]
struct Binding {
    is_in_the_way: bool,
    until: Until,
}

#[derive(Debug)]
enum Until {
    Over,
    At(Instant),
    /// Somebody has to say that its sender is down.
    Word(Unfenced),
}

/// A job that waits for somebody to say that a host is down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unfenced {
    pub(super) service: ServiceId,
    /// The batch of which the host has left something.
    pub(super) batch: BatchId,
    pub(super) host: String,
}

impl Bindings {
    /// The store has to be asked, for the first time or again.
    pub(super) fn are_old(&self, now: Now) -> bool {
        now.is_past(self.asked_at, AGE_MAX)
    }

    /// What is known is of this very moment.
    pub(super) fn are_fresh(&self, now: Now) -> bool {
        !now.is_past(self.asked_at, FRESH)
    }

    pub(super) fn forget(&mut self) {
        self.asked_at = None;
    }

    /// What the store says. A clock that is set back binds nothing for longer than what was sent takes.
    pub(super) fn learn(&mut self, strays: &Strays, waits: Waits, now: Now) {
        let mut before = std::mem::take(&mut self.known);
        for stray in &strays.all {
            let at = |from_ms, until_ms, longest| {
                let left = time::between(from_ms, until_ms).min(longest);
                Until::At(now.at + left)
            };
            let until = match stray::missing(stray, strays, waits, now.unix_ms) {
                None => Until::Over,
                Some(Missing::Fence { host }) => Until::Word(Unfenced {
                    service: stray.service,
                    batch: stray.batch,
                    host,
                }),
                Some(Missing::Time { until_ms, .. }) => {
                    at(strays.now_ms, until_ms, waits.request + waits.settle)
                }
                Some(Missing::Effect { until_ms }) => at(now.unix_ms, until_ms, waits.settle),
            };
            let until = match (before.remove(&stray.attempt), until) {
                (
                    Some(Binding {
                        until: Until::Over, ..
                    }),
                    _,
                ) => Until::Over,
                (
                    Some(Binding {
                        until: Until::At(known),
                        ..
                    }),
                    Until::At(at),
                ) => Until::At(known.min(at)),
                (_, until) => until,
            };
            let binding = Binding {
                is_in_the_way: stray.is_in_the_way,
                until,
            };
            self.known.insert(stray.attempt, binding);
        }
        self.asked_at = Some(now.at);
    }

    /// Submissions that can take effect no more.
    pub(super) fn over(&self) -> Vec<Attempt> {
        let over = |(attempt, binding): (&Attempt, &Binding)| {
            matches!(binding.until, Until::Over).then_some(*attempt)
        };
        self.known.iter().filter_map(over).collect()
    }

    /// Time has passed: whether a service is bound no more that was.
    pub(super) fn take_freed(&mut self, now: Now) -> bool {
        let mut is_freed = false;
        for binding in self.known.values_mut() {
            if matches!(binding.until, Until::At(at) if at <= now.at) {
                binding.until = Until::Over;
                is_freed |= binding.is_in_the_way;
            }
        }
        is_freed
    }

    /// When the next service is bound no more; `None`: none is that only waits for time to pass.
    pub(super) fn next_at(&self) -> Option<Instant> {
        let in_the_way = self.known.values().filter(|binding| binding.is_in_the_way);
        let at = in_the_way.filter_map(|binding| match binding.until {
            Until::At(at) => Some(at),
            Until::Over | Until::Word(_) => None,
        });
        at.min()
    }

    /// A job that waits for somebody's word: the one with the lowest service number.
    pub(super) fn unfenced(&self) -> Option<&Unfenced> {
        let in_the_way = self.known.values().filter(|binding| binding.is_in_the_way);
        let unfenced = in_the_way.filter_map(|binding| match &binding.until {
            Until::Word(unfenced) => Some(unfenced),
            Until::Over | Until::At(_) => None,
        });
        unfenced.min_by_key(|unfenced| unfenced.service)
    }
}
