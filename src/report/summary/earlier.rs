//! The order of the same manifest before this one: was it like last night?

use std::collections::HashSet;

use serde::Serialize;

use super::durations::{Took, kept_ms};
use super::span::Span;
use crate::job::{BatchId, Counts, ResultRow, ServiceId, State};
use crate::time::Stamp;

/// An earlier order, as far as this one is compared with it. Its rows go by before those of this one.
#[derive(Debug)]
pub struct Earlier {
    batch: BatchId,
    created_at: Stamp,
    counts: Counts,
    took_ms: Vec<u32>,
    span: Span,
    /// Those that did not end well.
    troubled: HashSet<ServiceId>,
    both: u64,
    now_only: u64,
    recovered: u64,
}

/// How an order compares with the one before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub batch: BatchId,
    pub created_at: Stamp,
    pub total: u64,
    pub counts: Counts,
    #[serde(flatten)]
    pub took: Took,
    pub elapsed_ms: Option<u64>,
    /// Failed or in doubt, now and then.
    pub troubled_both: u64,
    /// Failed or in doubt now, and not then.
    pub troubled_now_only: u64,
    /// Failed or in doubt then, and done now.
    pub recovered: u64,
}

fn is_troubled(state: State) -> bool {
    match state {
        State::Failed | State::InDoubt => true,
        State::Queued | State::Submitting | State::InProgress | State::Done | State::Cancelled => {
            false
        }
    }
}

impl Earlier {
    pub fn new(batch: BatchId, created_ms: i64) -> Self {
        Self {
            batch,
            created_at: Stamp(created_ms),
            counts: Counts::default(),
            took_ms: Vec::new(),
            span: Span::default(),
            troubled: HashSet::new(),
            both: 0,
            now_only: 0,
            recovered: 0,
        }
    }

    /// A row of the earlier order.
    pub fn row(&mut self, row: &ResultRow) {
        self.counts.add(row);
        self.took_ms.extend(kept_ms(row));
        self.span.row(row);
        if is_troubled(row.state) {
            self.troubled.insert(row.service);
        }
    }

    /// A row of the present one.
    pub fn compare(&mut self, row: &ResultRow) {
        let was_troubled = self.troubled.contains(&row.service);
        self.both += u64::from(was_troubled && is_troubled(row.state));
        self.now_only += u64::from(!was_troubled && is_troubled(row.state));
        self.recovered += u64::from(was_troubled && row.state == State::Done);
    }

    pub fn finish(self) -> Comparison {
        Comparison {
            batch: self.batch,
            created_at: self.created_at,
            total: self.counts.total(),
            counts: self.counts,
            took: Took::of(self.took_ms),
            elapsed_ms: self.span.elapsed_ms(),
            troubled_both: self.both,
            troubled_now_only: self.now_only,
            recovered: self.recovered,
        }
    }
}
