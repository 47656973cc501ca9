//! Submissions that may still take effect, in the store in memory: nobody may still send one.

use super::{MemoryStore, StoredJob};
use crate::job::{BatchId, Evidence, Executed, LedgerEntry, State};
use crate::queue::{Attempt, Stray};

impl MemoryStore {
    pub(super) fn strays_of(&self, batch: BatchId) -> Vec<Stray> {
        let may_be_stray = |stored: &&StoredJob| {
            let record = &stored.job.record;
            let is_unknown = record.executed_now == Executed::Maybe;
            is_unknown && record.state != State::Submitting
                || record.evidence == Some(Evidence::Operator)
        };
        let strays = self.jobs.values().filter(may_be_stray);
        strays
            .filter_map(|stored| self.as_stray(batch, stored))
            .collect()
    }

    /// The stray of `stored`, if `batch` has a job of its service.
    fn as_stray(&self, batch: BatchId, stored: &StoredJob) -> Option<Stray> {
        let job = &stored.job;
        let of_batch = self.of(batch).find(|own| own.service == job.service)?;
        let record = &job.record;
        let noticed = self.ledger.iter().filter(|entry| {
            let is_of = entry.job == job.id && entry.line.attempt == record.attempt;
            let entry = &entry.line.entry;
            is_of
                && matches!(
                    entry,
                    LedgerEntry::Unknown { .. } | LedgerEntry::Interrupted
                )
        });
        let noticed_ms = noticed.map(|entry| entry.line.at_ms).max();
        let sent_ms = record.submitted_ms.or(noticed_ms).or(record.intent_ms);
        Some(Stray {
            attempt: Attempt {
                job: job.id,
                number: record.attempt,
            },
            batch: stored.batch,
            service: job.service,
            is_own: stored.batch == batch,
            is_in_the_way: of_batch.record.state == State::Queued,
            sent_ms: sent_ms.unwrap_or(0),
            sender: None,
        })
    }
}
