//! What the rules of a roll-out ask of the store in memory.

use std::collections::HashMap;
use std::num::NonZeroU32;

use super::MemoryStore;
use crate::job::{BatchId, ImageId, LedgerEntry, State};
use crate::queue::{Down, QueuedJob, RolloutProgress};

impl MemoryStore {
    pub(super) fn progress(&self, batch: BatchId, canaries: Option<NonZeroU32>) -> RolloutProgress {
        let down = self.of(batch).filter(|job| job.record.is_down());
        let down = down.filter(|job| job.record.state != State::Failed || !self.is_resolved(job));
        let down = down.filter_map(|job| {
            Some(Down {
                job: job.id,
                service: job.service,
                group: job.group.clone()?,
                state: job.record.state,
            })
        });
        let mut of_image: HashMap<Option<ImageId>, u32> = HashMap::new();
        let jobs = self.of(batch);
        let jobs = jobs.filter(|job| job.record.state != State::Cancelled);
        let is_canary = |job: &&QueuedJob| {
            let place = of_image.entry(job.order.image()).or_default();
            *place += 1;
            canaries.is_some_and(|each| *place <= each.get())
        };
        RolloutProgress {
            down: down.collect(),
            canaries: jobs.filter(is_canary).cloned().collect(),
        }
    }

    /// The last that the ledger says of it is somebody's word.
    pub(super) fn is_resolved(&self, job: &QueuedJob) -> bool {
        let mut entries = self.ledger.iter().rev();
        let last = entries.find(|entry| entry.job == job.id);
        last.is_some_and(|entry| matches!(entry.line.entry, LedgerEntry::Resolved { .. }))
    }
}
