//! How many jobs stand where.

use super::{ResultRow, State};

/// Number of jobs in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Not started.
    pub queued: u64,
    /// Intent committed, answer outstanding.
    pub submitting: u64,
    /// Accepted or seen rebuilding, and not back yet.
    pub in_progress: u64,
    /// Outcome unknown, held ones included.
    pub in_doubt: u64,
    /// Of those in doubt: the ones only an operator can settle.
    pub held: u64,
    /// Rebuilt.
    pub done: u64,
    /// Ended without success.
    pub failed: u64,
    /// Dropped by the operator.
    pub cancelled: u64,
}

impl Counts {
    /// All jobs.
    pub fn total(&self) -> u64 {
        self.queued
            + self.submitting
            + self.in_progress
            + self.in_doubt
            + self.done
            + self.failed
            + self.cancelled
    }

    /// The number of jobs in `state`.
    pub fn of(&self, state: State) -> u64 {
        match state {
            State::Queued => self.queued,
            State::Submitting => self.submitting,
            State::InProgress => self.in_progress,
            State::InDoubt => self.in_doubt,
            State::Done => self.done,
            State::Failed => self.failed,
            State::Cancelled => self.cancelled,
        }
    }

    /// The counter of `state`.
    pub fn of_mut(&mut self, state: State) -> &mut u64 {
        match state {
            State::Queued => &mut self.queued,
            State::Submitting => &mut self.submitting,
            State::InProgress => &mut self.in_progress,
            State::InDoubt => &mut self.in_doubt,
            State::Done => &mut self.done,
            State::Failed => &mut self.failed,
            State::Cancelled => &mut self.cancelled,
        }
    }

    /// A job has taken a step. `is_held`: from now on only the operator can settle it.
    pub fn step(&mut self, from: State, to: State, is_held: bool) {
        if from != to {
            let before = self.of_mut(from);
            *before = before.saturating_sub(1);
            *self.of_mut(to) += 1;
        }
        if is_held {
            self.held += 1;
        }
        // A step does not tell whether a doubt that ended had been held. No more can be held than are in
        // doubt.
        self.held = self.held.min(self.in_doubt);
    }

    /// The jobs of another batch, too.
    pub fn join(&mut self, other: &Self) {
        for state in State::ALL {
            *self.of_mut(*state) += other.of(*state);
        }
        self.held += other.held;
    }

    /// Jobs for which no run has anything left to do.
    pub fn ended(&self) -> u64 {
        self.done + self.failed + self.cancelled + self.held
    }

    /// One more job.
    pub fn add(&mut self, row: &ResultRow) {
        *self.of_mut(row.state) += 1;
        self.held += u64::from(row.held);
    }

    /// Jobs for which a run still has something to do: an *open* batch has some.
    pub fn open(&self) -> u64 {
        self.queued + self.submitting + self.in_progress + (self.in_doubt - self.held)
    }
}

/// The counters that a person reads, in the order in which they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Rebuilt.
    Done,
    /// Ended without success.
    Failed,
    /// Outcome unknown, held ones included.
    InDoubt,
    /// On its way: submitted, accepted or seen rebuilding.
    InProgress,
    /// Not started.
    Queued,
    /// Dropped by the operator.
    Cancelled,
}

impl Counter {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::Failed,
        Self::InDoubt,
        Self::InProgress,
        Self::Queued,
        Self::Cancelled,
    ];

    /// What it counts, in a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::InDoubt => "in doubt",
            Self::InProgress => "in progress",
            Self::Queued => "queued",
            Self::Cancelled => "cancelled",
        }
    }

    /// What it has counted.
    pub fn of(self, counts: &Counts) -> u64 {
        match self {
            Self::Done => counts.done,
            Self::Failed => counts.failed,
            Self::InDoubt => counts.in_doubt,
            // What is being submitted is on its way to being rebuilt.
            Self::InProgress => counts.in_progress + counts.submitting,
            Self::Queued => counts.queued,
            Self::Cancelled => counts.cancelled,
        }
    }
}
