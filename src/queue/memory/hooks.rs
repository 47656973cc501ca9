//! Hooks, in the store in memory.

use super::MemoryStore;
use crate::job::{BatchId, HookCounts, HookState, JobId};
use crate::queue::QueuedJob;

impl MemoryStore {
    pub(super) fn hooked(
        &self,
        batch: BatchId,
        states: &[HookState],
        after: Option<JobId>,
        limit: usize,
    ) -> Vec<QueuedJob> {
        let jobs = self
            .of(batch)
            .filter(|job| after.is_none_or(|after| job.id > after));
        let jobs = jobs.filter(|job| {
            let state = job.record.hook.as_ref().map(|hook| hook.state);
            state.is_some_and(|state| state != HookState::Done && states.contains(&state))
        });
        jobs.take(limit).cloned().collect()
    }

    pub(super) fn count_hooks(&self, batch: BatchId) -> HookCounts {
        let mut counts = HookCounts::default();
        for job in self.of(batch) {
            if let Some(hook) = &job.record.hook {
                counts.add(hook.state, 1);
            }
        }
        counts
    }
}
