//! Documents that somebody wants to look at, apart from the list and from any job: each is read once.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::job::Failure;
use crate::run::Now;
use crate::zomro::{Found, Lookup};

/// Readings of one document that may fail, in a way that says something of the document.
const TRIES_MAX: u32 = 3;

/// Readings under way at once.
const UNDER_WAY_MAX: usize = 4;

/// A document that was not read yet.
#[derive(Debug, Clone)]
struct Wanted {
    lookup: Lookup,
    not_before: Instant,
    failures: u32,
}

/// What was read, or why it could not be.
pub type Looked = (Lookup, Result<Found, Failure>);

/// What is wanted, and what was found.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    wanted: VecDeque<Wanted>,
    asked: Vec<Wanted>,
    looked: Vec<Looked>,
}

impl Lookups {
    /// These are wanted, in this order.
    pub(super) fn want(&mut self, lookups: Vec<Lookup>, now: Now) {
        self.wanted.extend(lookups.into_iter().map(|lookup| Wanted {
            lookup,
            not_before: now.at,
            failures: 0,
        }));
    }

    /// Some were not read yet.
    pub(super) fn are_wanted(&self) -> bool {
        !self.wanted.is_empty() || !self.asked.is_empty()
    }

    /// The next one may be asked for from then on; `None`: none, or enough are under way.
    pub(super) fn may_ask(&self) -> Option<Instant> {
        let next = self.wanted.front()?;
        (self.asked.len() < UNDER_WAY_MAX).then_some(next.not_before)
    }

    /// The next one is being asked for.
    pub(super) fn ask(&mut self) -> Option<Lookup> {
        let next = self.wanted.pop_front()?;
        let lookup = next.lookup.clone();
        self.asked.push(next);
        Some(lookup)
    }

    pub(super) fn found(&mut self, lookup: &Lookup, found: Found) {
        if let Some(wanted) = self.take(lookup) {
            self.looked.push((wanted.lookup, Ok(found)));
        }
    }

    /// The API's own refusal: it is asked for again some times, and then given up.
    pub(super) fn refused(
        &mut self,
        lookup: &Lookup,
        failure: &Failure,
        delay: Duration,
        now: Now,
    ) {
        let Some(mut wanted) = self.take(lookup) else {
            return;
        };
        wanted.failures += 1;
        if wanted.failures >= TRIES_MAX {
            self.looked.push((wanted.lookup, Err(failure.clone())));
        } else {
            wanted.not_before = now.at + delay;
            self.wanted.push_front(wanted);
        }
    }

    /// It did not get through, which says nothing of it: again after `delay`.
    pub(super) fn again(&mut self, lookup: &Lookup, delay: Duration, now: Now) {
        if let Some(mut wanted) = self.take(lookup) {
            wanted.not_before = now.at + delay;
            self.wanted.push_front(wanted);
        }
    }

    /// How often its reading was refused.
    pub(super) fn failures(&self, lookup: &Lookup) -> u32 {
        let asked = self.asked.iter().find(|asked| asked.lookup == *lookup);
        asked.map_or(0, |asked| asked.failures)
    }

    /// What was read since this was asked last.
    pub(super) fn take_looked(&mut self) -> Vec<Looked> {
        std::mem::take(&mut self.looked)
    }

    fn take(&mut self, lookup: &Lookup) -> Option<Wanted> {
        let place = self
            .asked
            .iter()
            .position(|asked| asked.lookup == *lookup)?;
        Some(self.asked.swap_remove(place))
    }
}
