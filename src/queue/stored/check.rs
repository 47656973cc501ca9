//! What the ledger makes of a job, against what the job says, and the tally against the jobs.

use std::collections::HashMap;

use super::rows::batch_of;
use crate::job::{BatchId, Counts, JobRecord, LedgerEntry, Submissions};
use crate::queue::{Batch, QueuedJob};
use crate::time;

/// How far a time may lie outside what the order of events allows, since clocks are set back.
const CLOCK_TOLERANCE_MS: i64 = 86_400_000;

/// 2020-01-01: no rebuild was ordered before refleet existed.
const EPOCH_MS: i64 = 1_577_836_800_000;

/// One line of the ledger.
pub struct StoredEntry {
    pub seq: i64,
    pub at_ms: i64,
    /// `None`: it cannot be read.
    pub entry: Option<LedgerEntry>,
}

/// What the history of `job` makes of it, or what is wrong with that history.
fn fold(job: &QueuedJob, history: &[StoredEntry]) -> Result<JobRecord, String> {
    let mut record = JobRecord::queued();
    let mut submissions = Submissions::default();
    for StoredEntry { seq, at_ms, entry } in history {
        let wrong = |what: &dyn std::fmt::Display| format!("ledger entry {seq}: {what}");
        let Some(entry) = entry else {
            return Err(format!("ledger entry {seq} cannot be read"));
        };
        submissions
            .see(entry, job.order.action())
            .map_err(|unpermitted| wrong(&unpermitted))?;
        record = record
            .apply(entry, *at_ms)
            .map_err(|illegal| wrong(&illegal))?;
    }
    Ok(record)
}

/// What is wrong with `job`, by its own history.
pub fn compare(job: &QueuedJob, history: &[StoredEntry]) -> Option<String> {
    match fold(job, history) {
        Err(what) => return Some(what),
        Ok(_) if history.is_empty() && job.record != JobRecord::queued() => {
            return Some(format!(
                "it is {}, and its ledger is empty",
                job.record.state
            ));
        }
        Ok(folded) if folded != job.record => {
            return Some(format!(
                "its ledger says {} after {} submissions, the job says {} after {}{}",
                folded.state,
                folded.attempt,
                job.record.state,
                job.record.attempt,
                if folded.state == job.record.state {
                    " (they differ in other respects)"
                } else {
                    ""
                }
            ));
        }
        Ok(_) => {}
    }
    let JobRecord {
        intent_ms,
        submitted_ms,
        completed_ms,
        ..
    } = job.record;
    let latest_ms = time::now_ms() + CLOCK_TOLERANCE_MS;
    let named = [
        ("intent", intent_ms),
        ("submission", submitted_ms),
        ("completion", completed_ms),
    ];
    for (name, at_ms) in named {
        if let Some(at_ms) = at_ms
            && !(EPOCH_MS..=latest_ms).contains(&at_ms)
        {
            return Some(format!(
                "the time of its {name} is impossible: {}",
                time::rfc3339(at_ms)
            ));
        }
    }
    for ((before, earlier), (after, later)) in [(named[0], named[1]), (named[1], named[2])] {
        if let Some((earlier, later)) = earlier.zip(later)
            && later < earlier - CLOCK_TOLERANCE_MS
        {
            return Some(format!("its {after} lies before its {before}"));
        }
    }
    None
}

/// Jobs per batch and state, counted one by one.
#[derive(Default)]
pub struct Tallied(HashMap<BatchId, Counts>);

impl Tallied {
    pub fn count(&mut self, job: &QueuedJob) {
        let counts = self.0.entry(batch_of(job.id)).or_default();
        *counts.of_mut(job.record.state) += 1;
        counts.held += u64::from(job.record.held);
    }

    /// Where the tallies of `batches` say something else.
    pub fn differences(mut self, batches: &[Batch]) -> Vec<String> {
        let difference = |batch: &Batch| {
            let counted = self.0.remove(&batch.id).unwrap_or_default();
            (counted != batch.counts).then(|| {
                format!(
                    "the tally of batch {} says {:?}, its jobs are {counted:?}",
                    batch.id, batch.counts
                )
            })
        };
        batches.iter().filter_map(difference).collect()
    }
}
