//! On how many instances something is being done at the same time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct RunningExecutions {
    ends: BinaryHeap<Reverse<Instant>>,
    endless: u64,
    max: u64,
}

impl RunningExecutions {
    /// An execution begins; `None`: it has no end.
    pub(super) fn begin(&mut self, ends: Option<Instant>, now: Instant) {
        while self.ends.peek().is_some_and(|Reverse(end)| *end <= now) {
            self.ends.pop();
        }
        match ends {
            Some(ends) => self.ends.push(Reverse(ends)),
            None => self.endless += 1,
        }
        self.max = self.max.max(self.ends.len() as u64 + self.endless);
    }

    /// Somebody has ended an execution that had no end of its own.
    pub(super) fn end_endless(&mut self) {
        self.endless -= 1;
    }

    /// The most at the same time, by each one's planned end.
    pub(super) fn max(&self) -> u64 {
        self.max
    }
}
