//! The queue: jobs and their ledger in one database.
//!
//! The one fact to know: [`Store::record`] is the only way in which a run moves a job. It writes the
//! new record, the ledger entry and the tally in one transaction, and only where the job still
//! stands as the caller believed (state and attempt) and the run's [`Lease`] holds; what has moved
//! meanwhile is reported back, not forced. Nor does it begin a job while an operator holds the batch
//! back: that is looked at in the same transaction.
//!
//! [`port`] says what a place for jobs and their ledger has to be able to do: the verbs are few and speak
//! of jobs, never of rows. `sqlite/` and `postgres/` are the backends, and `stored/` is what they have in
//! common: nobody else knows sqlx. `past` and `operator` are rules that no backend writes anew: what an
//! order may queue, and what a command does to a job. `memory` is a store for tests, and `conformance` the
//! suite that all of them pass.

#[macro_use]
mod stored;

mod any;
mod batch;
mod changes;
#[cfg(test)]
mod conformance;
mod error;
pub mod identity;
mod lease;
mod location;
#[cfg(test)]
mod memory;
mod operator;
mod order;
mod past;
pub mod port;
mod postgres;
mod process;
mod queued;
mod rollout;
mod sqlite;
mod stray;
mod tenure;

pub use any::Queue;
pub use batch::{Batch, Beside, Harm, NewRun, Oldest, Run, RunPace};
pub use changes::Changes;
pub use error::{StoreError, Trouble};
pub use identity::{DatabaseId, Identity, LedgerMark, Origin};
pub use lease::{AtWork, Holder, Lease, host};
pub use location::Location;
pub use operator::{CommandOutcome, Decision, Flaw, Selection};
pub use order::{
    AccessNews, Conflict, DonePolicy, Due, EnqueueError, EnqueuePolicy, Enqueued, Given, LeftOut,
    Live, NewBatch, Preview, Rows, Touched, Undatable,
};
pub use port::{Backend, Overview, Recorded, Store};
pub use postgres::{
    AccountKey, DownBy, HostLease, LateWord, Notice, OpenOrder, OpenOrders, PostgresQueue, Renewal,
    Renewed, Rest, Resting, Server, Unheard,
};
pub use process::Process;
pub use queued::{LedgerLine, Pending, QueuedJob, Ready, ResultSink, Target};
pub use rollout::{Admission, Down, FirstOfEach, RolloutProgress};
pub use sqlite::{
    Note, Open, OpenError, Precious, QueueLock, Side, SqliteQueue, Unfit, no_database, precious,
    resolve, unexpanded,
};
pub use stray::{Attempt, Sender, Stray, Strays};
pub use tenure::{Fence, Tenure};
