//! From the first submission to the last completion.

use crate::job::{Happened, ResultRow};
use crate::time::{self, Stamp};

/// When the instances of a batch were worked on. What an operator said afterwards is not part of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Span {
    first_ms: Option<i64>,
    last_ms: Option<i64>,
}

impl Span {
    pub fn row(&mut self, row: &ResultRow) {
        let Some(submitted_ms) = row.submitted_ms else {
            return;
        };
        self.happened(Happened::Submitted, submitted_ms);
        let last_ms = row.completed_ms.filter(|_| !row.by_word);
        self.last_ms = self.last_ms.max(last_ms);
    }

    pub fn happened(&mut self, what: Happened, at_ms: i64) {
        match what {
            Happened::Submitted => {
                self.first_ms = Some(self.first_ms.map_or(at_ms, |first_ms| first_ms.min(at_ms)));
            }
            Happened::Done | Happened::Failed => self.last_ms = self.last_ms.max(Some(at_ms)),
        }
    }

    pub fn first(&self) -> Option<Stamp> {
        self.first_ms.map(Stamp)
    }

    pub fn last(&self) -> Option<Stamp> {
        self.last_ms.map(Stamp)
    }

    pub fn elapsed_ms(&self) -> Option<u64> {
        let (first_ms, last_ms) = self.first_ms.zip(self.last_ms)?;
        Some(time::whole_ms(time::between(first_ms, last_ms)))
    }
}
