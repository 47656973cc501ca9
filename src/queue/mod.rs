//! The queue: jobs and their ledger in one database.
//!
//! The one fact to know: [`Queue::record`] is the only way in which a job moves. It writes the new
//! record, the ledger entry and the tally in one transaction, and only where the job still
//! stands as the caller believed (state and attempt); what has moved meanwhile is reported back,
//! not forced. A second backend will come behind the same verbs, so they are few and speak of
//! jobs, never of rows; `sqlite/` is the only place that knows sqlx.

mod error;
mod lock;
mod place;
mod port;
mod sqlite;

pub use error::{Conflict, EnqueueError, QueueError, Touched, Undatable};
pub use lock::{Holder, QueueLock};
pub use place::{Note, Precious, Side, Unfit, no_database, precious, resolve, unexpanded};
pub use port::{Ready, Store};
pub use sqlite::{Decision, Given, Open, Queue};

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::job::{
    AccessKind, BatchId, Counts, ImageId, JobId, JobRecord, LedgerEntry, ResultRow, RunId,
    ServiceId,
};

/// What a new batch is.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// Digest of the manifest's rows.
    pub identity: [u8; 32],
    /// Whose API it is: an order belongs to the provider, not to a spelling of its address.
    pub provider: String,
    /// The API's address, normalised: for people.
    pub api_url: String,
    /// The manifest's name, for people.
    pub manifest: String,
    /// The manifest's absolute path; `-`: standard input.
    pub path: PathBuf,
}

/// What to do with rows of a new batch that concern services with a past.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnqueuePolicy {
    /// Pairs of service and image that are done already.
    pub done: DonePolicy,
    /// Services that an earlier order may have wiped and that did not end well are queued all the
    /// same; otherwise they are conflicts.
    pub wiped: bool,
    /// Services held in doubt by another batch are left out (and named); otherwise they are conflicts.
    pub leave_out_held: bool,
    /// Only services that are due: an order by the clock, which wipes again whatever is.
    pub due: Option<Due>,
    /// What is live in this batch is no conflict, and left out: it is finished first.
    pub beside: Option<BatchId>,
}

/// Which services are due: those whose last submission lies at least `every` back, or that were
/// never submitted. Which submission was the last, the ledger's order says and no clock.
#[derive(Debug, Clone, Copy)]
pub struct Due {
    /// So long.
    pub every: Duration,
    /// Back from here, as Unix time.
    pub now_ms: i64,
}

/// What to do with pairs of service and image that are done already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DonePolicy {
    /// They are conflicts.
    #[default]
    Refuse,
    /// They are not queued.
    Skip,
    /// They are queued again.
    Again,
}

/// What has gone wrong with a batch, and nobody has dealt with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Harm {
    /// Failed jobs: not those that the operator has resolved, nor those that the list lacks.
    pub failed: u64,
    /// Jobs in doubt, held or not.
    pub in_doubt: Vec<JobId>,
}

/// What was queued.
#[derive(Debug, Clone)]
pub struct Enqueued {
    /// The new batch; `None` where no row was left to queue (then nothing was written).
    pub batch: Option<BatchId>,
    /// Jobs queued.
    pub queued: u64,
    /// Rows that were not queued.
    pub left_out: LeftOut,
}

/// Rows of a manifest that did not become jobs.
#[derive(Debug, Clone, Default)]
pub struct LeftOut {
    /// Service and image are done already.
    pub done: Vec<ServiceId>,
    /// Of those: the ones that got another image since.
    pub replaced: Vec<ServiceId>,
    /// They are held in doubt by this other batch.
    pub held: Vec<(ServiceId, BatchId)>,
    /// Their last submission is too recent.
    pub not_due: Vec<ServiceId>,
    /// Of those: the ones that got another image than the row asks for.
    pub other_image: Vec<ServiceId>,
    /// Of those: the ones whose last job, in this batch, failed.
    pub failed: Vec<(ServiceId, BatchId)>,
}

/// What a manifest says now of the access of a batch's jobs. Jobs that were done or cancelled have
/// had their passwords erased: nobody can compare them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AccessNews {
    /// Rows of the manifest.
    pub rows: u64,
    /// Of those: jobs of the batch, with the same image and zone.
    pub matched: u64,
    /// Of those: queued.
    pub queued: u64,
    /// Of those: done.
    pub done: u64,
    /// Queued, never executed, and with another access: they take what the manifest says.
    pub taken: u64,
    /// With another access, and not free to take it: they keep theirs.
    pub kept: u64,
    /// Of those: failed before anything was sent.
    pub unsent: u64,
    /// Of those that keep theirs: failed without having been touched.
    pub failed: u64,
}

/// A batch, and where it stands.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its number in the database.
    pub id: BatchId,
    /// Digest of the manifest's rows.
    pub identity: [u8; 32],
    /// Whose API it is.
    pub provider: String,
    /// The API's address when it was ordered, normalised: for people.
    pub api_url: String,
    /// How often the same manifest was ordered, counted from 1.
    pub number: u32,
    /// The manifest's name.
    pub manifest: String,
    /// The manifest's absolute path; `-`: standard input.
    pub path: PathBuf,
    /// When it was ordered, as Unix time.
    pub created_ms: i64,
    /// When a job of it last moved, as Unix time.
    pub touched_ms: i64,
    /// Jobs per state.
    pub counts: Counts,
}

impl Batch {
    /// A run still has something to do.
    pub fn is_open(&self) -> bool {
        self.counts.open() > 0
    }
}

/// A job as a run needs it.
#[derive(Debug, Clone)]
pub struct QueuedJob {
    /// Its number in the database.
    pub id: JobId,
    /// Line of the manifest.
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// The image it gets.
    pub image: ImageId,
    /// The manifest's zone.
    pub zone: Option<String>,
    /// How one gets in afterwards.
    pub access: AccessKind,
    /// The key, for [`AccessKind::SshKey`].
    pub ssh_key: Option<String>,
    /// The password, for [`AccessKind::Password`]; `None` once it was erased.
    pub password: Option<SecretString>,
    /// The manifest's note.
    pub note: Option<String>,
    /// Where it stands.
    pub record: JobRecord,
}

/// What a run is, for the records.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// What it works on.
    pub batch: BatchId,
    /// When it began, as Unix time.
    pub started_ms: i64,
    /// Its options, as JSON without secrets.
    pub options: serde_json::Value,
}

/// One process that worked on a batch.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number in the database.
    pub id: RunId,
    /// When it began, as Unix time.
    pub started_ms: i64,
    /// When it ended, as Unix time; `None`: it works still, or died.
    pub ended_ms: Option<i64>,
    /// How it ended.
    pub exit_code: Option<u8>,
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
}

/// One line of a job's history.
#[derive(Debug, Clone)]
pub struct LedgerLine {
    /// Its number in the ledger.
    pub seq: i64,
    /// The run that wrote it; `None`: an operator's command.
    pub run: Option<RunId>,
    /// The submission it concerns.
    pub attempt: u32,
    /// When it happened, as Unix time.
    pub at_ms: i64,
    /// What happened.
    pub entry: LedgerEntry,
}

/// Which jobs an operator speaks of.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All of the batch for which the command makes sense.
    All,
    /// These.
    Services(Vec<ServiceId>),
}

/// What became of an operator's command.
#[derive(Debug, Clone, Default)]
pub struct CommandOutcome {
    /// Jobs that moved.
    pub changed: Vec<ServiceId>,
    /// Jobs for which it makes no sense, and why, in words for people.
    pub refused: Vec<(ServiceId, String)>,
}

/// Something that a sound database never shows (`refleet verify`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The job's service, where it concerns one.
    pub service: Option<ServiceId>,
    /// What is wrong, in words for people.
    pub what: String,
}

/// Receives results one by one; an error ends the reading.
pub type ResultSink<'a> = dyn FnMut(ResultRow) -> std::io::Result<()> + Send + 'a;
