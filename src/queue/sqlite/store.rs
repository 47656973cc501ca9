//! The port's verbs, for SQLite.

use std::collections::HashSet;

use super::Queue;
use crate::job::{BatchId, Counts, JobId, RunId, ServiceId, State, Transition};
use crate::queue::{Harm, QueueError, QueuedJob, Ready, Store};

impl Store for Queue {
    async fn ready(
        &mut self,
        batch: BatchId,
        until_ms: i64,
        limit: usize,
    ) -> Result<Ready, QueueError> {
        let jobs = Queue::ready(self, batch, until_ms, limit).await?;
        let is_all = jobs.len() < limit;
        let next_ms = if is_all {
            self.next_ready_ms(batch, until_ms).await?
        } else {
            None
        };
        Ok(Ready {
            jobs,
            is_all,
            next_ms,
        })
    }

    async fn in_flight(
        &mut self,
        batch: BatchId,
        states: &[State],
    ) -> Result<Vec<QueuedJob>, QueueError> {
        Queue::in_flight(self, batch, states).await
    }

    async fn failures(&mut self, batch: BatchId) -> Result<Harm, QueueError> {
        self.harm(batch).await
    }

    async fn queued(&mut self, batch: BatchId) -> Result<Vec<(JobId, ServiceId)>, QueueError> {
        self.queued_services(batch).await
    }

    async fn queued_jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, QueueError> {
        Queue::queued_jobs(self, jobs).await
    }

    async fn has_queued(&mut self, batch: BatchId) -> Result<bool, QueueError> {
        Queue::has_queued(self, batch).await
    }

    async fn counts(&mut self, batch: BatchId) -> Result<Counts, QueueError> {
        let batches = self.batches().await?;
        let known = batches.iter().find(|known| known.id == batch);
        Ok(known.map(|known| known.counts).unwrap_or_default())
    }

    async fn record(
        &mut self,
        batch: BatchId,
        run: RunId,
        steps: &[&Transition],
    ) -> Result<HashSet<JobId>, QueueError> {
        Queue::record(self, batch, Some(run), steps.iter().copied()).await
    }
}
