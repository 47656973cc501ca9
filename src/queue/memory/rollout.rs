//! What the rules of a roll-out ask of the store in memory.

use std::num::NonZeroU32;

use super::{MemoryStore, StoredJob};
use crate::job::{BatchId, Executed, LedgerEntry, State};
use crate::queue::{Down, FirstOfEach, QueuedJob, RolloutProgress};

impl MemoryStore {
    pub(super) fn progress(&self, batch: BatchId, canaries: Option<NonZeroU32>) -> RolloutProgress {
        let down = self.jobs.values().filter(|stored| self.is_down(stored));
        let mut down: Vec<Down> = down
            .filter_map(|stored| self.as_of(batch, stored))
            .collect();
        down.sort_by_key(|down| down.job);
        let jobs = self.of(batch);
        let jobs = jobs.filter(|job| job.record.state != State::Cancelled);
        RolloutProgress {
            down,
            canaries: canaries.map(|each| {
                let mut first = FirstOfEach::new(each);
                let canaries = jobs.filter(|job| first.is_one(job.order.image()));
                canaries.cloned().collect()
            }),
        }
    }

    fn is_down(&self, StoredJob { job, .. }: &StoredJob) -> bool {
        let is_settled = job.record.state == State::Failed && self.is_resolved(job);
        job.group.is_some() && job.record.is_down() && !is_settled
    }

    /// What `stored` has taken down, as `batch` sees it.
    fn as_of(&self, batch: BatchId, stored: &StoredJob) -> Option<Down> {
        let now = self.of(batch).find(|job| job.service == stored.job.service);
        if stored.batch != batch {
            let later = self.of_service(stored.job.service);
            let mut later = later.filter(|later| later.batch > stored.batch);
            let is_cancelled = now.is_some_and(|now| now.record.state == State::Cancelled);
            if is_cancelled || later.any(|later| later.job.record.executed() != Executed::No) {
                return None;
            }
        }
        let job = now.unwrap_or(&stored.job);
        let group = job.group.clone()?;
        let is_waiting = |job: &QueuedJob| {
            let record = &job.record;
            record.state == State::Queued
                && record.executed() == Executed::No
                && job.group.as_ref() == Some(&group)
        };
        Some(Down {
            other_batch: (stored.batch != batch).then_some(stored.batch),
            job: job.id,
            service: job.service,
            state: job.record.state,
            is_waited_for: self.of(batch).any(is_waiting),
            group,
        })
    }

    /// The last that the ledger says of it is somebody's word.
    pub(super) fn is_resolved(&self, job: &QueuedJob) -> bool {
        let mut entries = self.ledger.iter().rev();
        let last = entries.find(|entry| entry.job == job.id);
        last.is_some_and(|entry| matches!(entry.line.entry, LedgerEntry::Resolved { .. }))
    }
}
