//! A job as it is stored, and its history.

use crate::job::{
    Access, AccessKind, Executed, Expected, Group, ImageId, JobId, JobRecord, LedgerEntry, NewJob,
    Order, ResultRow, RunId, ServiceId, StoredAccess,
};

/// A job as a run needs it.
#[derive(Debug, Clone)]
pub struct QueuedJob {
    /// Its number in the database.
    pub id: JobId,
    /// Line of the manifest.
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// What is to be done with it.
    pub order: Order<StoredAccess>,
    /// What must stand on the instance before that is done.
    pub expected: Expected,
    /// The group of which only so many may be down at once.
    pub group: Option<Group>,
    /// Where it answers SSH, if the manifest says so.
    pub ssh_port: Option<u16>,
    /// The manifest's note.
    pub note: Option<String>,
    /// Where it stands.
    pub record: JobRecord,
}

/// A queued job, as far as it is compared with the account's list before the first one is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Its number in the database.
    pub id: JobId,
    /// Line of the manifest.
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// The order may have touched it already.
    pub is_touched: bool,
    /// What must stand on it.
    pub expected: Expected,
}

impl From<&QueuedJob> for Pending {
    fn from(job: &QueuedJob) -> Self {
        Self {
            id: job.id,
            line: job.line,
            service: job.service,
            is_touched: job.record.executed() != Executed::No,
            expected: job.expected.clone(),
        }
    }
}

impl From<&QueuedJob> for ResultRow {
    fn from(job: &QueuedJob) -> Self {
        let record = &job.record;
        let failure = record.failure.as_ref();
        let baseline = record.baseline.as_ref();
        Self {
            line: job.line,
            service: job.service,
            image: job.order.image(),
            image_name: record.target.clone(),
            state: record.state,
            executed: record.executed(),
            evidence: record.evidence,
            attempts: record.attempt,
            submitted_ms: record.submitted_ms,
            completed_ms: record.completed_ms,
            error_kind: failure.map(|failure| failure.error_kind.clone()),
            error: failure.map(|failure| failure.error.clone()),
            note: job.note.clone(),
            group: job.group.clone(),
            held: record.held,
            by_word: record.by_word,
            name: baseline.and_then(|baseline| baseline.name.clone()),
            ip: baseline.and_then(|baseline| baseline.ip.clone()),
            ssh_port: job.ssh_port,
            host_key_before: record.key_before().cloned(),
            host_key: record.host_key.clone(),
            hook: record.hook.as_ref().map(|hook| hook.state),
        }
    }
}

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

/// An instance that is about to be rebuilt, as a person is asked about it.
#[derive(Debug, Clone)]
pub struct Target {
    /// The instance.
    pub service: ServiceId,
    /// The image it gets, if it gets one.
    pub image: Option<ImageId>,
    /// How one gets in afterwards, if that changes.
    pub access: Option<AccessKind>,
    /// The order may have touched it already.
    pub is_touched: bool,
    /// What must stand on it.
    pub expected: Expected,
    /// The group of which only so many may be down at once.
    pub group: Option<Group>,
}

impl From<&NewJob> for Target {
    fn from(job: &NewJob) -> Self {
        Self {
            service: job.service,
            image: job.order.image(),
            access: job.order.access().map(Access::kind),
            is_touched: false,
            expected: job.expected.clone(),
            group: job.group.clone(),
        }
    }
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

/// Receives results one by one; an error ends the reading.
pub type ResultSink<'a> = dyn FnMut(ResultRow) -> std::io::Result<()> + Send + 'a;
