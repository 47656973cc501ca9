//! The port's verbs, for PostgreSQL.

use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;

use super::handle::PostgresQueue;
use crate::job::{
    Action, BatchId, ControlEntry, Counts, Expected, Group, Happened, HookCounts, HookState,
    ImageId, JobId, NewJob, Owner, RunId, ServiceId, State, Transition,
};
use crate::queue::stored::speak;
use crate::queue::{
    AccessNews, Admission, AtWork, Attempt, Backend, Batch, Beside, CommandOutcome, Conflict,
    Decision, EnqueueError, EnqueuePolicy, Enqueued, Flaw, Given, Harm, Lease, LedgerLine,
    NewBatch, NewRun, Oldest, Overview, Pending, Preview, QueuedJob, Ready, Recorded, ResultSink,
    RolloutProgress, Rows, Run, RunPace, Selection, Store, StoreError, Strays, Target,
};

speak!(PostgresQueue);
