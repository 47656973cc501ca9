//! What a run asks of the place where jobs and their ledger are kept.
//!
//! The verbs are few and speak of jobs, never of rows. [`Store::record`] is the only one that moves a
//! job: it writes the new record, the ledger entry and the tally in one transaction, and only where
//! the job still stands as the caller believed; what has moved meanwhile is reported back, not forced.

use std::collections::HashSet;

use super::{Harm, QueueError, QueuedJob};
use crate::job::{BatchId, Counts, JobId, RunId, ServiceId, State, Transition};

/// Jobs that may start.
#[derive(Debug, Clone, Default)]
pub struct Ready {
    /// Those that are due, the longest due first.
    pub jobs: Vec<QueuedJob>,
    /// There are no more than these.
    pub is_all: bool,
    /// When the next one falls due after them, as Unix time; only where these are all.
    pub next_ms: Option<i64>,
}

/// Where jobs and their ledger are kept.
pub trait Store {
    /// Queued jobs that are due at `until_ms` (Unix time), `limit` of them at most.
    fn ready(
        &mut self,
        batch: BatchId,
        until_ms: i64,
        limit: usize,
    ) -> impl Future<Output = Result<Ready, QueueError>>;

    /// Jobs in one of these states.
    fn in_flight(
        &mut self,
        batch: BatchId,
        states: &[State],
    ) -> impl Future<Output = Result<Vec<QueuedJob>, QueueError>>;

    /// What has gone wrong with the batch, and nobody has dealt with.
    fn failures(&mut self, batch: BatchId) -> impl Future<Output = Result<Harm, QueueError>>;

    /// The batch's queued jobs, in the manifest's order.
    fn queued(
        &mut self,
        batch: BatchId,
    ) -> impl Future<Output = Result<Vec<(JobId, ServiceId)>, QueueError>>;

    /// These jobs, as far as they are queued.
    fn queued_jobs(
        &mut self,
        jobs: &[JobId],
    ) -> impl Future<Output = Result<Vec<QueuedJob>, QueueError>>;

    /// The batch has a queued job, due or not.
    fn has_queued(&mut self, batch: BatchId) -> impl Future<Output = Result<bool, QueueError>>;

    /// The batch's jobs per state.
    fn counts(&mut self, batch: BatchId) -> impl Future<Output = Result<Counts, QueueError>>;

    /// Commits `steps` together. Returns the jobs that somebody else had moved: nothing of theirs was
    /// written.
    fn record(
        &mut self,
        batch: BatchId,
        run: RunId,
        steps: &[&Transition],
    ) -> impl Future<Output = Result<HashSet<JobId>, QueueError>>;
}
