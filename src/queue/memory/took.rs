//! How long it took.

use std::time::Duration;

use super::{MemoryStore, StoredJob};
use crate::job::{Action, ImageId};

impl MemoryStore {
    /// Of those that were seen to complete, by their images.
    pub(super) fn took(
        &self,
        provider: &str,
        action: Action,
        images: &[Option<ImageId>],
        limit: usize,
    ) -> Vec<(Option<ImageId>, Duration)> {
        let is_of_the_provider = |stored: &&StoredJob| {
            let order = self.stored(stored.batch).map(|batch| &batch.order);
            order.is_some_and(|order| order.provider == provider && order.action == action)
        };
        let mut durations = Vec::new();
        for &image in images {
            let jobs = self.jobs.values().filter(is_of_the_provider);
            let jobs = jobs.filter(|stored| stored.job.order.image() == image);
            let mut took: Vec<(Option<i64>, Duration)> = jobs
                .filter_map(|stored| {
                    let record = &stored.job.record;
                    Some((record.completed_ms, record.took()?))
                })
                .collect();
            took.sort_by_key(|(completed_ms, _)| *completed_ms);
            let latest = took.split_off(took.len().saturating_sub(limit));
            durations.extend(latest.into_iter().map(|(_, took)| (image, took)));
        }
        durations
    }
}
