//! The queue that `--db` names, in whichever database it lies.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use super::{
    AccessNews, Admission, AtWork, Backend, Batch, Beside, CommandOutcome, Conflict, Decision,
    EnqueueError, EnqueuePolicy, Enqueued, Flaw, Given, Harm, Lease, LedgerLine, Location,
    NewBatch, NewRun, Note, Oldest, Open, OpenError, Overview, Pending, PostgresQueue, Preview,
    QueueLock, QueuedJob, Ready, Recorded, Renewal, ResultSink, RolloutProgress, Rows, Run,
    RunPace, Selection, SqliteQueue, Store, StoreError, Strays, Target, Tenure,
};
use crate::job::{
    Action, BatchId, ControlEntry, Counts, Expected, Group, Happened, HookCounts, HookState,
    ImageId, JobId, NewJob, Owner, RunId, ServiceId, State, Transition,
};

/// A queue that was opened.
#[derive(Debug)]
pub enum Queue {
    /// In one SQLite file.
    Sqlite(SqliteQueue),
    /// On a PostgreSQL server.
    Postgres(PostgresQueue),
}

impl Queue {
    /// Opens what lies at `location`.
    pub async fn open(location: &Location, mode: Open) -> Result<Self, OpenError> {
        match location {
            Location::File(path) => SqliteQueue::open(path, mode).await.map(Self::Sqlite),
            Location::Server(server) => {
                (PostgresQueue::open(server, mode).await).map(Self::Postgres)
            }
        }
    }

    /// [`Queue::open`] with [`Open::Create`] for a writer of whole batches (`run`, `load`).
    pub async fn open_for_load(location: &Location) -> Result<Self, OpenError> {
        match location {
            Location::File(path) => SqliteQueue::open_for_load(path).await.map(Self::Sqlite),
            Location::Server(server) => {
                let opened = PostgresQueue::open(server, Open::Create).await;
                opened.map(Self::Postgres)
            }
        }
    }

    /// The same queue once more, for what this process does beside a run of its own.
    pub async fn another(&self) -> Result<Self, OpenError> {
        match self {
            Self::Sqlite(queue) => queue.another().await.map(Self::Sqlite),
            Self::Postgres(queue) => Ok(Self::Postgres(queue.another())),
        }
    }

    /// Where it lies, as people are told.
    pub fn shown(&self) -> PathBuf {
        match self {
            Self::Sqlite(queue) => queue.path().to_owned(),
            Self::Postgres(queue) => PathBuf::from(queue.server().to_string()),
        }
    }

    /// Keeps other runs away from what lies at `location`, as long as it is held. `None`: whoever works
    /// there is kept away by a lease.
    pub fn lock(location: &Location) -> Result<Option<QueueLock>, OpenError> {
        match location {
            Location::File(path) => QueueLock::acquire(path).map(Some),
            Location::Server(_) => Ok(None),
        }
    }

    /// What the operator should know about where it lies.
    pub fn notes(&self) -> &[Note] {
        match self {
            Self::Sqlite(queue) => queue.notes(),
            Self::Postgres(_) => &[],
        }
    }

    /// The queue of several hosts; `None`: it is one machine's.
    pub fn shared(&mut self) -> Option<&mut PostgresQueue> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(queue) => Some(queue),
        }
    }

    /// Why this is not the database in which the ledger was written, for who only looks; `None`: it is, or it
    /// is a file, of which opening tells.
    pub async fn why_another(&mut self) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(queue) => queue.why_another().await,
        }
    }

    /// Who was about to send those jobs of `batch` that are being submitted, and may do so yet.
    pub async fn senders(&mut self, batch: BatchId) -> Result<HashMap<JobId, Tenure>, StoreError> {
        match self {
            // Its lock says that no other process lives.
            Self::Sqlite(_) => Ok(HashMap::new()),
            Self::Postgres(queue) => {
                let senders = queue.senders(batch).await?.into_iter();
                let may_send = senders.filter(|(_, sender)| sender.ended_ms.is_none());
                Ok(may_send.map(|(job, sender)| (job, sender.tenure)).collect())
            }
        }
    }

    /// What renews leases, where they end with time; `None`: they end with the process.
    pub fn renewal(&self) -> Option<Renewal> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(queue) => Some(queue.renewal()),
        }
    }
}

/// Hands each verb on to the backend.
macro_rules! hand_on {
    ($(fn $verb:ident $(<$error:ident>)? ($($argument:ident: $type:ty),*) -> $returned:ty;)+) => {
        $(
            async fn $verb $(<$error: Error + 'static>)? (&mut self, $($argument: $type),*) -> $returned {
                match self {
                    Self::Sqlite(queue) => queue.$verb($($argument),*).await,
                    Self::Postgres(queue) => queue.$verb($($argument),*).await,
                }
            }
        )+
    };
}

impl Store for Queue {
    hand_on! {
        fn ready(batch: BatchId, until_ms: i64, limit: usize, admission: &Admission) -> Result<Ready, StoreError>;
        fn strays(batch: BatchId) -> Result<Strays, StoreError>;
        fn in_flight(batch: BatchId, states: &[State]) -> Result<Vec<QueuedJob>, StoreError>;
        fn failures(batch: BatchId) -> Result<Harm, StoreError>;
        fn queued(batch: BatchId, after: Option<JobId>, limit: usize) -> Result<Vec<Pending>, StoreError>;
        fn rollout(batch: BatchId, canaries: Option<NonZeroU32>) -> Result<RolloutProgress, StoreError>;
        fn queued_jobs(jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError>;
        fn has_queued(batch: BatchId) -> Result<bool, StoreError>;
        fn counts(batch: BatchId) -> Result<Counts, StoreError>;
        fn bind(batch: BatchId, owner: &Owner) -> Result<Owner, StoreError>;
        fn control(batch: BatchId, after: i64) -> Result<Vec<(i64, ControlEntry)>, StoreError>;
        fn record(lease: &Lease, steps: &[&Transition]) -> Result<Recorded, StoreError>;
    }
}

impl Backend for Queue {
    hand_on! {
        fn preview<E>(batch: &NewBatch, policy: EnqueuePolicy, rows: &mut Rows<'_, E>, queued: &mut (dyn FnMut(&NewJob) + Send)) -> Result<Preview, EnqueueError<E>>;
        fn enqueue<E>(batch: &NewBatch, policy: EnqueuePolicy, rows: &mut Rows<'_, E>) -> Result<Enqueued, EnqueueError<E>>;
        fn acquire(run: &NewRun) -> Result<Lease, StoreError>;
        fn renew(lease: &Lease) -> Result<(), StoreError>;
        fn release(lease: Lease, ended_ms: i64, exit_code: u8, halted: Option<&str>) -> Result<(), StoreError>;
        fn command(batch: BatchId, selection: &Selection, states: &[State], decide: &Decision<'_>, at_ms: i64) -> Result<CommandOutcome, StoreError>;
        fn instruct(batch: BatchId, entry: &ControlEntry) -> Result<bool, StoreError>;
        fn compare_access<E>(batch: BatchId, rows: &mut Rows<'_, E>) -> Result<AccessNews, EnqueueError<E>>;
        fn take_access<E>(batch: BatchId, given: Given<'_>, rows: &mut Rows<'_, E>) -> Result<AccessNews, EnqueueError<E>>;
        fn command_from<E>(batch: BatchId, selection: &Selection, manifest: &str, rows: &mut Rows<'_, E>, decide: &Decision<'_>) -> Result<CommandOutcome, EnqueueError<E>>;
        fn batches() -> Result<Vec<Batch>, StoreError>;
        fn batch(batch: BatchId) -> Result<Option<Batch>, StoreError>;
        fn beside(batch: BatchId) -> Result<Beside, StoreError>;
        fn targets(batch: BatchId, each: &mut (dyn FnMut(Target) + Send)) -> Result<(), StoreError>;
        fn results(batch: BatchId, states: &[State], sink: &mut ResultSink<'_>) -> Result<io::Result<()>, StoreError>;
        fn jobs_of(service: ServiceId) -> Result<Vec<(BatchId, QueuedJob)>, StoreError>;
        fn durations(provider: &str, action: Action, images: &[Option<ImageId>], limit: usize) -> Result<Vec<(Option<ImageId>, Duration)>, StoreError>;
        fn hooks(batch: BatchId, states: &[HookState], after: Option<JobId>, limit: usize) -> Result<Vec<QueuedJob>, StoreError>;
        fn hook_counts(batch: BatchId) -> Result<HookCounts, StoreError>;
        fn history(job: JobId) -> Result<Vec<LedgerLine>, StoreError>;
        fn check(found: &mut (dyn FnMut(Flaw) + Send)) -> Result<u64, StoreError>;
    }

    async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(queue) => queue.close().await,
            Self::Postgres(queue) => queue.close().await,
        }
    }
}

impl Overview for Queue {
    hand_on! {
        fn at_work() -> Result<Vec<AtWork>, StoreError>;
        fn other_provider(batch: &NewBatch) -> Result<Option<Conflict>, StoreError>;
        fn options(batch: BatchId) -> Result<Option<Value>, StoreError>;
        fn ordered_with(batch: BatchId) -> Result<Option<Value>, StoreError>;
        fn runs(batch: BatchId, limit: u32) -> Result<Vec<Run>, StoreError>;
        fn jobs(jobs: &[JobId]) -> Result<Vec<QueuedJob>, StoreError>;
        fn oldest(batch: BatchId, state: State) -> Result<Option<Oldest>, StoreError>;
        fn failed_touched(batch: BatchId) -> Result<u64, StoreError>;
        fn overtaken(batch: BatchId) -> Result<Vec<(Happened, i64)>, StoreError>;
        fn flagged(batch: BatchId) -> Result<u64, StoreError>;
        fn run_pace(batch: BatchId, run: RunId, since_ms: i64, no_wait: bool) -> Result<RunPace, StoreError>;
        fn expects(batch: BatchId) -> Result<bool, StoreError>;
        fn has_groups(batch: BatchId) -> Result<bool, StoreError>;
        fn waiting_by_group(batch: BatchId, groups: &[&Group]) -> Result<HashMap<Group, u64>, StoreError>;
        fn queued_images(batch: BatchId) -> Result<Vec<(Option<ImageId>, u64)>, StoreError>;
        fn expect_what_was_seen(batch: BatchId, seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync)) -> Result<(), StoreError>;
    }
}
