//! What refleet asks of the place where jobs and their ledger are kept.
//!
//! The verbs are few and speak of jobs, never of rows. [`Store`] is what a run at work asks, so that
//! its tests can stand on little; [`Backend`] adds what moves batches and jobs, [`Overview`] what
//! commands only look at. `conformance` (in the tests) is what every backend has to pass.
//!
//! [`Store::record`] is the only verb that moves a job for a run: it writes the new record, the ledger
//! entry and the tally in one transaction, and only where the job still stands as the caller
//! believed; what has moved meanwhile is reported back, not forced.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;

use super::{
    AccessNews, Admission, AtWork, Batch, Beside, CommandOutcome, Conflict, Decision, EnqueueError,
    EnqueuePolicy, Enqueued, Flaw, Given, Harm, Lease, LedgerLine, NewBatch, NewRun, Oldest,
    Pending, Preview, QueuedJob, Ready, ResultSink, RolloutProgress, Rows, Run, RunPace, Selection,
    StoreError, Strays, Target,
};
use crate::job::{
    Action, BatchId, ControlEntry, Counts, Expected, Group, Happened, HookCounts, HookState,
    ImageId, JobId, NewJob, Owner, RunId, ServiceId, State, Transition,
};

/// Which steps [`Store::record`] did not write. All others are committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Jobs that somebody else had moved.
    pub conflicts: HashSet<JobId>,
    /// Jobs that were to be begun while the batch was paused, or the run drained.
    pub held: HashSet<JobId>,
}

impl Recorded {
    /// Everything was written.
    pub fn is_all(&self) -> bool {
        self.conflicts.is_empty() && self.held.is_empty()
    }
}

/// What a run asks.
pub trait Store {
    /// Queued jobs that are due at `until_ms` (Unix time) and admitted, `limit` of them at most. None of a
    /// service of which a submission may still take effect, but for those that the admission says are over.
    fn ready(
        &mut self,
        batch: BatchId,
        until_ms: i64,
        limit: usize,
        admission: &Admission,
    ) -> impl Future<Output = Result<Ready, StoreError>>;

    /// Submissions that may still take effect, of the services of the batch.
    fn strays(&mut self, batch: BatchId) -> impl Future<Output = Result<Strays, StoreError>>;

    /// Jobs in one of these states.
    fn in_flight(
        &mut self,
        batch: BatchId,
        states: &[State],
    ) -> impl Future<Output = Result<Vec<QueuedJob>, StoreError>>;

    /// What has gone wrong with the batch, and nobody has dealt with.
    fn failures(&mut self, batch: BatchId) -> impl Future<Output = Result<Harm, StoreError>>;

    /// The next queued jobs of the batch behind `after`, in the manifest's order: `limit` of them, or all
    /// that there are.
    fn queued(
        &mut self,
        batch: BatchId,
        after: Option<JobId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Pending>, StoreError>>;

    /// How far the roll-out has come, where of each image `canaries` go first, or none.
    fn rollout(
        &mut self,
        batch: BatchId,
        canaries: Option<NonZeroU32>,
    ) -> impl Future<Output = Result<RolloutProgress, StoreError>>;

    /// These jobs, as far as they are queued.
    fn queued_jobs(
        &mut self,
        jobs: &[JobId],
    ) -> impl Future<Output = Result<Vec<QueuedJob>, StoreError>>;

    /// The batch has a queued job, due or not.
    fn has_queued(&mut self, batch: BatchId) -> impl Future<Output = Result<bool, StoreError>>;

    /// The batch's jobs per state.
    fn counts(&mut self, batch: BatchId) -> impl Future<Output = Result<Counts, StoreError>>;

    /// The batch belongs to `owner`, if it belonged to nobody before; returns whose it is now. What a
    /// batch belongs to never changes: a process that comes too late, with whatever lease, only learns it.
    fn bind(
        &mut self,
        batch: BatchId,
        owner: &Owner,
    ) -> impl Future<Output = Result<Owner, StoreError>>;

    /// What operators said of the batch after the entry with number `after`, in its order.
    fn control(
        &mut self,
        batch: BatchId,
        after: i64,
    ) -> impl Future<Output = Result<Vec<(i64, ControlEntry)>, StoreError>>;

    /// Commits `steps` of the lease's batch together, and says which of them were not written. While
    /// the batch is paused, or the run drained, no intent is. Under a lease that was lost nothing at all is written
    /// ([`StoreError::LeaseLost`]).
    ///
    /// After another error nobody knows whether the steps were committed. To write them again is
    /// safe: what was committed has moved and is left alone.
    fn record(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
    ) -> impl Future<Output = Result<Recorded, StoreError>>;
}

/// What orders, runs and operators do.
pub trait Backend: Store + Sized {
    /// What [`Self::enqueue`] would do; each row that it would queue is handed to `queued`. Writes
    /// nothing.
    fn preview<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
        queued: &mut (dyn FnMut(&NewJob) + Send),
    ) -> impl Future<Output = Result<Preview, EnqueueError<E>>>;

    /// Queues `rows` as a new batch, or nothing at all.
    fn enqueue<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
    ) -> impl Future<Output = Result<Enqueued, EnqueueError<E>>>;

    /// A run begins to work on a batch. Whatever an earlier one still holds is lost by that.
    fn acquire(&mut self, run: &NewRun) -> impl Future<Output = Result<Lease, StoreError>>;

    /// The lease goes on, or was lost.
    fn renew(&mut self, lease: &Lease) -> impl Future<Output = Result<(), StoreError>>;

    /// The run ends, and how: under a lease that was lost, too. `halted`: why before its batch, for
    /// people.
    fn release(
        &mut self,
        lease: Lease,
        ended_ms: i64,
        exit_code: u8,
        halted: Option<&str>,
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Applies an operator's command to jobs in one of `states`, all of them together; safe beside a
    /// run.
    fn command(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        states: &[State],
        decide: &Decision<'_>,
        at_ms: i64,
    ) -> impl Future<Output = Result<CommandOutcome, StoreError>>;

    /// Writes down what an operator says of the batch; safe beside a run. Returns whether the run that it
    /// is for, if any, is at work; otherwise nothing is written.
    fn instruct(
        &mut self,
        batch: BatchId,
        entry: &ControlEntry,
    ) -> impl Future<Output = Result<bool, StoreError>>;

    /// What a manifest with these rows says of the access of the batch's jobs. Writes nothing.
    fn compare_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        rows: &mut Rows<'_, E>,
    ) -> impl Future<Output = Result<AccessNews, EnqueueError<E>>>;

    /// Gives the jobs that were never executed the access that the manifest gives now, all of them
    /// together. The caller keeps runs away from the batch.
    fn take_access<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        given: Given<'_>,
        rows: &mut Rows<'_, E>,
    ) -> impl Future<Output = Result<AccessNews, EnqueueError<E>>>;

    /// [`Self::command`] on failed jobs that have a row in a manifest with the same image and zone:
    /// they take the access that it gives now, and what `decide` says happens to them.
    fn command_from<E: Error + 'static>(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        manifest: &str,
        rows: &mut Rows<'_, E>,
        decide: &Decision<'_>,
    ) -> impl Future<Output = Result<CommandOutcome, EnqueueError<E>>>;

    /// All batches, the oldest first.
    fn batches(&mut self) -> impl Future<Output = Result<Vec<Batch>, StoreError>>;

    /// One batch; `None`: there is none of that number. However many others there are, it costs the same.
    fn batch(&mut self, batch: BatchId) -> impl Future<Output = Result<Option<Batch>, StoreError>>;

    /// What else there is beside `batch`.
    fn beside(&mut self, batch: BatchId) -> impl Future<Output = Result<Beside, StoreError>>;

    /// Hands what is queued to `each`, in the order in which it may start.
    fn targets(
        &mut self,
        batch: BatchId,
        each: &mut (dyn FnMut(Target) + Send),
    ) -> impl Future<Output = Result<(), StoreError>>;

    /// Hands the results of the batch to `sink`, in the manifest's order; only those in `states`,
    /// where it names any.
    fn results(
        &mut self,
        batch: BatchId,
        states: &[State],
        sink: &mut ResultSink<'_>,
    ) -> impl Future<Output = Result<io::Result<()>, StoreError>>;

    /// All jobs of a service, the newest batch first.
    fn jobs_of(
        &mut self,
        service: ServiceId,
    ) -> impl Future<Output = Result<Vec<(BatchId, QueuedJob)>, StoreError>>;

    /// How long it took to rebuild with each of `images`, of those of the provider and action that were
    /// seen to complete: of each the `limit` latest, the one that completed first first. `None` among
    /// them stands for what gives no image.
    fn durations(
        &mut self,
        provider: &str,
        action: Action,
        images: &[Option<ImageId>],
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(Option<ImageId>, Duration)>, StoreError>>;

    /// Jobs of the batch whose hooks are in one of `states`, behind the job `after`, in the manifest's order:
    /// `limit` of them, or all that there are. None of those that have ended well.
    fn hooks(
        &mut self,
        batch: BatchId,
        states: &[HookState],
        after: Option<JobId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<QueuedJob>, StoreError>>;

    /// How the hooks of the batch stand.
    fn hook_counts(
        &mut self,
        batch: BatchId,
    ) -> impl Future<Output = Result<HookCounts, StoreError>>;

    /// Everything that the ledger says of a job, in its order.
    fn history(&mut self, job: JobId) -> impl Future<Output = Result<Vec<LedgerLine>, StoreError>>;

    /// Looks for what a sound store never shows; returns the number of jobs looked at.
    fn check(
        &mut self,
        found: &mut (dyn FnMut(Flaw) + Send),
    ) -> impl Future<Output = Result<u64, StoreError>>;

    /// Everything is on the disk, and erased passwords are nowhere any more.
    fn close(self) -> impl Future<Output = Result<(), StoreError>>;
}

/// What commands ask of a batch as a whole. Nothing here changes anything, but for the one verb that says
/// so.
pub trait Overview: Backend {
    /// Who works on the queue now, and on what.
    fn at_work(&mut self) -> impl Future<Output = Result<Vec<AtWork>, StoreError>>;

    /// Why `batch` may not be ordered here, where the ledger belongs to another provider.
    fn other_provider(
        &mut self,
        batch: &NewBatch,
    ) -> impl Future<Output = Result<Option<Conflict>, StoreError>>;

    /// By which options `batch` is worked on: those of its last run, or of the one that has ordered it
    /// and did not come to work on it; `None`: it was only loaded.
    fn options(
        &mut self,
        batch: BatchId,
    ) -> impl Future<Output = Result<Option<Value>, StoreError>>;

    /// The options of the run that has ordered `batch`; `None`: it was only loaded.
    fn ordered_with(
        &mut self,
        batch: BatchId,
    ) -> impl Future<Output = Result<Option<Value>, StoreError>>;

    /// The runs that worked on `batch`, the newest first, at most `limit`.
    fn runs(
        &mut self,
        batch: BatchId,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Run>, StoreError>>;

    /// These jobs, in the manifest's order.
    fn jobs(&mut self, jobs: &[JobId]) -> impl Future<Output = Result<Vec<QueuedJob>, StoreError>>;

    /// The job of `batch` that was submitted first of those in `state`, which is none of the queued or
    /// ended ones.
    fn oldest(
        &mut self,
        batch: BatchId,
        state: State,
    ) -> impl Future<Output = Result<Option<Oldest>, StoreError>>;

    /// Failed jobs of `batch` that were, or may have been, touched.
    fn failed_touched(&mut self, batch: BatchId) -> impl Future<Output = Result<u64, StoreError>>;

    /// What happened to instances of `batch`, and when (Unix time), that their rows do not say any more
    /// since somebody has cancelled, retried or resolved the job.
    fn overtaken(
        &mut self,
        batch: BatchId,
    ) -> impl Future<Output = Result<Vec<(Happened, i64)>, StoreError>>;

    /// Finished jobs of `batch` that a human should look at.
    fn flagged(&mut self, batch: BatchId) -> impl Future<Output = Result<u64, StoreError>>;

    /// How quickly `run` works on `batch`: what has ended since `since_ms` (Unix time), and what is in
    /// flight. `no_wait`: for the run a job has ended when it is accepted.
    fn run_pace(
        &mut self,
        batch: BatchId,
        run: RunId,
        since_ms: i64,
        no_wait: bool,
    ) -> impl Future<Output = Result<RunPace, StoreError>>;

    /// A queued job of `batch` expects something of its instance.
    fn expects(&mut self, batch: BatchId) -> impl Future<Output = Result<bool, StoreError>>;

    /// Some jobs of `batch` are in groups.
    fn has_groups(&mut self, batch: BatchId) -> impl Future<Output = Result<bool, StoreError>>;

    /// Members of these groups that are queued and were never touched: how many of each group.
    fn waiting_by_group(
        &mut self,
        batch: BatchId,
        groups: &[&Group],
    ) -> impl Future<Output = Result<HashMap<Group, u64>, StoreError>>;

    /// The images that queued jobs of `batch` get, and how many get each; `None`: what gets none.
    fn queued_images(
        &mut self,
        batch: BatchId,
    ) -> impl Future<Output = Result<Vec<(Option<ImageId>, u64)>, StoreError>>;

    /// Writes: from now on what a person has `seen` of their instances must stand there when the
    /// untouched queued jobs of `batch` are submitted; where they expect something else already, they go
    /// on to.
    fn expect_what_was_seen(
        &mut self,
        batch: BatchId,
        seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync),
    ) -> impl Future<Output = Result<(), StoreError>>;
}
