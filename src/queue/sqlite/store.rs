//! The port's verbs, for SQLite.

use std::error::Error;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use super::handle::Queue;
use crate::job::{
    Action, BatchId, ControlEntry, Counts, ImageId, JobId, NewJob, Owner, ServiceId, State,
    Transition,
};
use crate::queue::{
    AccessNews, Admission, Backend, Batch, CommandOutcome, Decision, EnqueueError, EnqueuePolicy,
    Enqueued, Flaw, Given, Harm, Lease, LedgerLine, NewBatch, NewRun, Pending, Preview, QueuedJob,
    Ready, Recorded, ResultSink, RolloutProgress, Rows, Selection, Store, StoreError, Target,
};

impl Store for Queue {
    async fn ready(
        &mut self,
        batch: BatchId,
        until_ms: i64,
        limit: usize,
        admission: &Admission,
    ) -> Result<Ready, StoreError> {
        if let Some(only) = &admission.only {
            let queued = self.queued_of(only).await?;
            return Ok(admission.ready_among(queued, until_ms, limit));
        }
        let jobs = if admission.not_of.is_empty() && admission.not_images.is_empty() {
            self.due(batch, until_ms, limit).await?
        } else {
            self.due_but_of(batch, until_ms, limit, admission).await?
        };
        let is_all = jobs.len() < limit;
        let next_ms = if is_all {
            self.next_due_ms(batch, until_ms).await?
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
    ) -> Result<Vec<QueuedJob>, StoreError> {
        self.unsettled(batch, states).await
    }

    async fn failures(&mut self, batch: BatchId) -> Result<Harm, StoreError> {
        self.harm(batch).await
    }

    async fn queued(
        &mut self,
        batch: BatchId,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        self.pending(batch, after, limit).await
    }

    async fn rollout(
        &mut self,
        batch: BatchId,
        canaries: Option<NonZeroU32>,
    ) -> Result<RolloutProgress, StoreError> {
        self.rollout_progress(batch, canaries).await
    }

    async fn queued_jobs(&mut self, jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError> {
        self.queued_of(jobs).await
    }

    async fn has_queued(&mut self, batch: BatchId) -> Result<bool, StoreError> {
        self.any_queued(batch).await
    }

    async fn counts(&mut self, batch: BatchId) -> Result<Counts, StoreError> {
        self.tally(batch).await
    }

    async fn bind(&mut self, batch: BatchId, owner: &Owner) -> Result<Owner, StoreError> {
        self.bind_batch(batch, owner).await
    }

    async fn control(
        &mut self,
        batch: BatchId,
        after: i64,
    ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
        Queue::control(self, batch, after).await
    }

    async fn record(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
    ) -> Result<Recorded, StoreError> {
        self.record_steps(lease, steps).await
    }
}

impl Backend for Queue {
    async fn preview<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
        queued: &mut (dyn FnMut(&NewJob) + Send),
    ) -> Result<Preview, EnqueueError<E>> {
        Queue::preview(self, batch, policy, rows, queued).await
    }

    async fn enqueue<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
    ) -> Result<Enqueued, EnqueueError<E>> {
        Queue::enqueue(self, batch, policy, rows).await
    }

    async fn acquire(&mut self, run: &NewRun) -> Result<Lease, StoreError> {
        Queue::acquire(self, run).await
    }

    async fn renew(&mut self, lease: &Lease) -> Result<(), StoreError> {
        Queue::renew(self, lease).await
    }

    async fn release(
        &mut self,
        lease: Lease,
        ended_ms: i64,
        exit_code: u8,
        halted: Option<&str>,
    ) -> Result<(), StoreError> {
        Queue::release(self, lease, ended_ms, exit_code, halted).await
    }

    async fn command(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        states: &[State],
        decide: &Decision<'_>,
        at_ms: i64,
    ) -> Result<CommandOutcome, StoreError> {
        Queue::command(self, batch, selection, states, decide, at_ms).await
    }

    async fn instruct(&mut self, batch: BatchId, entry: &ControlEntry) -> Result<bool, StoreError> {
        Queue::instruct(self, batch, entry).await
    }

    async fn compare_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        Queue::compare_access(self, batch, rows).await
    }

    async fn take_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        given: Given<'_>,
        rows: &mut Rows<'_, E>,
    ) -> Result<AccessNews, EnqueueError<E>> {
        Queue::take_access(self, batch, given, rows).await
    }

    async fn command_from<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        manifest: &str,
        rows: &mut Rows<'_, E>,
        decide: &Decision<'_>,
    ) -> Result<CommandOutcome, EnqueueError<E>> {
        Queue::command_from(self, batch, selection, manifest, rows, decide).await
    }

    async fn batches(&mut self) -> Result<Vec<Batch>, StoreError> {
        Queue::batches(self).await
    }

    async fn targets(
        &mut self,
        batch: BatchId,
        each: &mut (dyn FnMut(Target) + Send),
    ) -> Result<(), StoreError> {
        Queue::targets(self, batch, each).await
    }

    async fn results(
        &mut self,
        batch: BatchId,
        states: &[State],
        sink: &mut ResultSink<'_>,
    ) -> Result<io::Result<()>, StoreError> {
        Queue::results(self, batch, states, sink).await
    }

    async fn jobs_of(
        &mut self,
        service: ServiceId,
    ) -> Result<Vec<(BatchId, QueuedJob)>, StoreError> {
        Queue::jobs_of(self, service).await
    }

    async fn durations(
        &mut self,
        provider: &str,
        action: Action,
        images: &[Option<ImageId>],
        limit: usize,
    ) -> Result<Vec<(Option<ImageId>, Duration)>, StoreError> {
        Queue::durations(self, provider, action, images, limit).await
    }

    async fn history(&mut self, job: JobId) -> Result<Vec<LedgerLine>, StoreError> {
        Queue::history(self, job).await
    }

    async fn check(&mut self, found: &mut (dyn FnMut(Flaw) + Send)) -> Result<u64, StoreError> {
        Queue::check(self, found).await
    }

    async fn close(self) -> Result<(), StoreError> {
        Queue::close(self).await
    }
}
