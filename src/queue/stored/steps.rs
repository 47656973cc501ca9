//! What it takes to write a set of steps, beside the jobs themselves.

use std::collections::{HashMap, HashSet};

use crate::job::{LedgerEntry, RunId, Transition};
use crate::queue::Lease;

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub enum Writer<'a> {
    /// A run, under its lease.
    Run(&'a Lease),
    /// An operator's command.
    Operator,
}

impl<'a> Writer<'a> {
    pub fn lease(self) -> Option<&'a Lease> {
        match self {
            Self::Run(lease) => Some(lease),
            Self::Operator => None,
        }
    }

    pub fn run(self) -> Option<RunId> {
        self.lease().map(Lease::run)
    }
}

pub fn is_intent(step: &Transition) -> bool {
    matches!(step.entry, LedgerEntry::Intent { .. })
}

/// `steps` in their order, cut where a job comes a second time: one statement moves a job once.
pub fn waves<'a, 'b>(steps: &'a [&'b Transition]) -> impl Iterator<Item = &'a [&'b Transition]> {
    let mut rest = steps;
    std::iter::from_fn(move || {
        let mut seen = HashSet::with_capacity(rest.len());
        let end = (rest.iter())
            .position(|step| !seen.insert(step.job))
            .unwrap_or(rest.len());
        let (wave, later) = rest.split_at(end);
        rest = later;
        (!wave.is_empty()).then_some(wave)
    })
}

/// By how much `steps` change the number of jobs in each state, and of the held ones.
pub fn tally_changes(steps: &[&Transition]) -> Vec<(&'static str, i64)> {
    let mut change: HashMap<&'static str, i64> = HashMap::new();
    // A hook's course moves no job, and says nothing of when the batch was worked on.
    let moves = |step: &&&Transition| !matches!(step.entry, LedgerEntry::Hook(_));
    for step in steps.iter().filter(moves) {
        *change.entry(step.from.state.as_str()).or_default() -= 1;
        *change.entry(step.to.state.as_str()).or_default() += 1;
        // The word `held` sets the flag, every step out of doubt clears it, and what a doubt is told of while
        // it is held leaves it as it is.
        let held = i64::from(step.to.held) - i64::from(step.from.held);
        if held != 0 {
            *change.entry("held").or_default() += held;
        }
    }
    change.into_iter().collect()
}

/// The jobs whose passwords are needed no more after `steps`.
pub fn erased(steps: &[&Transition]) -> Vec<i64> {
    steps
        .iter()
        .filter(|step| !step.to.needs_secret())
        .map(|step| step.job.stored())
        .collect()
}
