//! What an order is, what may become of its rows, and why it may be refused.

use std::path::PathBuf;
use std::time::Duration;

use super::{QueuedJob, StoreError};
use crate::job::{
    Action, BatchId, Executed, Expected, Group, LedgerEntry, NewJob, Owner, ServiceId, SheetRows,
    State,
};

/// What a new batch is.
#[derive(Debug, Clone)]
pub struct NewBatch {
    /// What is done to its instances.
    pub action: Action,
    /// Digest of the action and the manifest's rows.
    pub identity: [u8; 32],
    /// Whose API it is: an order belongs to the provider, not to a spelling of its address.
    pub provider: String,
    /// The API's address, normalised: for people.
    pub api_url: String,
    /// Whose instances they are, where that is known already.
    pub owner: Option<Owner>,
    /// Digest of the plan that it is ordered by, if it is.
    pub plan: Option<String>,
    /// The options of the run that orders it, as [`NewRun::options`](super::NewRun::options); `None`: it is
    /// only loaded. Until a run has begun these say by which rules it was ordered.
    pub options: Option<serde_json::Value>,
    /// The manifest's name, for people.
    pub manifest: String,
    /// The manifest's absolute path; `-`: standard input.
    pub path: PathBuf,
    /// The name of its sheet, if it is a workbook: two sheets of one file are two manifests.
    pub sheet: Option<String>,
}

/// What to do with rows of a new batch that concern services with a past.
#[derive(Debug, Clone, Copy, Default)]
pub struct EnqueuePolicy {
    /// Pairs of service and image that are done already.
    pub done: DonePolicy,
    /// Services that an earlier order may have touched and that did not end well are queued all the
    /// same; otherwise they are conflicts.
    pub touched: bool,
    /// Services held in doubt by another batch are left out (and named); otherwise they are conflicts.
    pub leave_out_held: bool,
    /// Only services that are due: an order by the clock, which touches again whatever is.
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

/// What would be queued.
#[derive(Debug, Clone)]
pub struct Preview {
    /// Jobs that would be queued.
    pub queued: u64,
    /// Rows that would not be.
    pub left_out: LeftOut,
}

/// The rows of a manifest, one by one.
pub type Rows<'a, E> = dyn Iterator<Item = Result<NewJob, E>> + Send + 'a;

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

impl LeftOut {
    /// What became of `all` rows of a manifest of which these were left out.
    pub(super) fn of_rows(&self, all: u64) -> SheetRows {
        SheetRows {
            all,
            already_done: self.done.len() as u64,
            held_elsewhere: self.held.len() as u64,
            not_due: self.not_due.len() as u64,
        }
    }
}

/// What a manifest says now of the access of a batch's jobs, of what they expect, and of
/// their groups. Jobs that were done or cancelled have had their passwords erased: nobody can compare
/// them.
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
    /// Queued, never executed, and with other pins: they take what the manifest says.
    pub pins: u64,
    /// Of those: with fewer pins than they had.
    pub unpinned: u64,
    /// In another group: they take what the manifest says, whatever has become of them.
    pub groups: u64,
    /// Of those: in none any more.
    pub ungrouped: u64,
}

/// What a row gives a job that the job does not have yet.
#[derive(Debug, Default)]
pub(super) struct RowNews {
    /// Its access.
    pub(super) access: bool,
    /// What must stand on the instance now.
    pub(super) expected: Option<Expected>,
    /// Where it belongs now, if that is elsewhere.
    pub(super) moved: Option<Moved>,
}

/// A job is in another group than before, or answers SSH elsewhere.
#[derive(Debug)]
pub(super) struct Moved {
    /// It is in another group.
    is_regrouped: bool,
    /// `None`: in none.
    pub(super) to: Option<Group>,
    pub(super) ssh_port: Option<u16>,
}

impl RowNews {
    /// All that is new to `job` in `row`.
    pub(super) fn of(job: &QueuedJob, row: &NewJob) -> Self {
        let expected = job.expected.repinned(&row.expected);
        Self {
            access: !job.order.has_access_of(&row.order),
            expected: (expected != job.expected).then_some(expected),
            moved: (job.group != row.group || job.ssh_port != row.ssh_port).then(|| Moved {
                is_regrouped: job.group != row.group,
                to: row.group.clone(),
                ssh_port: row.ssh_port,
            }),
        }
    }

    /// What the ledger says of it. `manifest`: where it stands, by name.
    pub(super) fn entries(&self, manifest: &str) -> Vec<LedgerEntry> {
        let manifest = || manifest.to_owned();
        let access = LedgerEntry::Access {
            manifest: manifest(),
        };
        let expects = LedgerEntry::Expects {
            manifest: manifest(),
        };
        let access = self.access.then_some(access);
        let expects = self.expected.as_ref().map(|_| expects);
        access.into_iter().chain(expects).collect()
    }
}

/// Which manifest gives jobs another access.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The manifest's name, for the ledger.
    pub manifest: &'a str,
    /// The batch is known by this digest of its rows from now on.
    pub identity: Option<[u8; 32]>,
}

impl AccessNews {
    /// Counts what `row` gives a `job` of the batch, and returns what the job takes of it.
    pub(super) fn look(&mut self, job: &QueuedJob, row: &NewJob) -> RowNews {
        let record = &job.record;
        if matches!(record.state, State::Done | State::Cancelled) {
            return RowNews::default();
        }
        let RowNews {
            access,
            expected,
            moved,
        } = RowNews::of(job, row);
        let is_free = record.state == State::Queued && record.executed() == Executed::No;
        let expected = expected.filter(|_| is_free);
        self.pins += u64::from(expected.is_some());
        let lost = (expected.as_ref()).is_some_and(|now| now.expects_less(&job.expected));
        self.unpinned += u64::from(lost);
        let is_regrouped = |moved: &Moved| moved.is_regrouped;
        self.groups += u64::from(moved.as_ref().is_some_and(is_regrouped));
        let is_in_none = |moved: &Moved| moved.is_regrouped && moved.to.is_none();
        self.ungrouped += u64::from(moved.as_ref().is_some_and(is_in_none));
        RowNews {
            access: access && self.takes(job),
            expected,
            moved,
        }
    }

    /// Counts a job of the batch to which the manifest gives another access than it has. Returns
    /// whether the job takes it: only one that waits, and of which nothing was ever executed.
    fn takes(&mut self, job: &QueuedJob) -> bool {
        let record = &job.record;
        let is_untouched = record.executed() == Executed::No;
        let takes = record.state == State::Queued && is_untouched;
        if takes {
            self.taken += 1;
        } else {
            self.kept += 1;
            self.unsent += u64::from(record.attempt == 0);
            self.failed += u64::from(record.state == State::Failed && is_untouched);
        }
        takes
    }
}

/// Why a batch was not queued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError<E: std::error::Error + 'static> {
    /// The rows could not be read.
    #[error(transparent)]
    Rows(E),
    /// Rows that concern services with a past.
    #[error(transparent)]
    Conflict(Conflict),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A service that may have been touched by an order that did not end well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touched {
    /// The instance.
    pub service: ServiceId,
    /// The order.
    pub batch: BatchId,
    /// How it ended.
    pub state: State,
    /// Whether it was touched.
    pub executed: Executed,
}

/// A service with which another batch has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// The instance.
    pub service: ServiceId,
    /// The other batch.
    pub batch: BatchId,
    /// It is in doubt there, and only the operator can settle it.
    pub is_held: bool,
}

/// A service that was last submitted after the clock had gone back: that may be less long ago than
/// its date says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undatable {
    /// The instance.
    pub service: ServiceId,
    /// The order that it was submitted for.
    pub batch: BatchId,
    /// The submission's date, as Unix time.
    pub dated_ms: i64,
    /// The latest date that was written before the clock went back, as Unix time.
    pub from_ms: i64,
    /// The first that was written afterwards, as Unix time.
    pub to_ms: i64,
}

/// Why rows may not be queued.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Services that are live in another batch.
    #[error("{} of these services are still live in another batch", .0.len())]
    Live(Vec<Live>),
    /// The database holds orders of another provider: there the same numbers are other instances.
    #[error("batch {batch} belongs to another provider")]
    OtherProvider {
        /// The newest such batch.
        batch: BatchId,
        /// Its API's address.
        theirs: String,
        /// The address that was given now.
        ours: String,
        /// Something was sent to that provider, or may still be.
        sent: bool,
    },
    /// Services that an earlier order touched, or may have touched, without ending well.
    #[error("{} of these services may have been touched by an order that did not end well", .touched.len())]
    Touched {
        /// Each with its last order.
        touched: Vec<Touched>,
        /// Number of other rows whose service and image are done already, where that is a conflict.
        already_done: u64,
    },
    /// Services whose last submission lies in the future, with its Unix time.
    #[error("the last submission of {} of these services lies in the future", .0.len())]
    Future(Vec<(ServiceId, i64)>),
    /// Services of which nobody can tell how long ago they were last submitted.
    #[error("the last submission of {} of these services was dated by a clock that had gone back", .0.len())]
    Undatable(Vec<Undatable>),
    /// Number of rows whose service and image are done already.
    #[error("{0} of these services already got this image")]
    AlreadyDone(u64),
}
