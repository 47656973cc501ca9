//! An instance's jobs for scripts.

use serde::Serialize;
use serde_json::Value;

use super::record::Record;
use crate::cli::held::holds_as_json;
use crate::job::{
    AccessKind, Action, Baseline, BatchId, Failure, Group, KeyHint, LedgerEntry, RunId, ServiceId,
};
use crate::queue::LedgerLine;
use crate::report::ResultFields;
use crate::time::Stamp;

/// What `show --json` writes.
#[derive(Serialize)]
pub struct Shown<'a> {
    version: u8,
    service_id: ServiceId,
    jobs: Vec<ShownJob<'a>>,
}

impl<'a> Shown<'a> {
    pub fn new(service_id: ServiceId, records: &'a [Record]) -> Self {
        Self {
            version: 1,
            service_id,
            jobs: records.iter().map(ShownJob::new).collect(),
        }
    }
}

/// The instance's job in one batch: its result, and what only `show` knows.
#[derive(Serialize)]
struct ShownJob<'a> {
    batch: BatchId,
    action: Action,
    #[serde(flatten)]
    result: ResultFields<'a>,
    zone: Option<&'a str>,
    access: Option<&'static str>,
    group: Option<&'a Group>,
    held: bool,
    held_back: Value,
    key_hint: Option<KeyHint>,
    baseline: Option<&'a Baseline>,
    failure: Option<&'a Failure>,
    history: Vec<ShownEntry<'a>>,
}

#[derive(Serialize)]
struct ShownEntry<'a> {
    seq: i64,
    run: Option<RunId>,
    attempt: u32,
    at: Stamp,
    entry: &'a LedgerEntry,
}

impl<'a> ShownJob<'a> {
    fn new(shown: &'a Record) -> Self {
        let Record {
            batch,
            job,
            result,
            history,
            held_back,
            key_hint,
            next: _,
        } = shown;
        let record = &job.record;
        Self {
            batch: *batch,
            action: job.order.action(),
            result: ResultFields::from(result),
            zone: job.order.zone(),
            access: job.order.access_kind().map(AccessKind::as_str),
            group: job.group.as_ref(),
            held: record.held,
            held_back: holds_as_json(held_back),
            key_hint: *key_hint,
            baseline: record.baseline.as_ref(),
            failure: record.failure.as_ref(),
            history: history.iter().map(ShownEntry::from).collect(),
        }
    }
}

impl<'a> From<&'a LedgerLine> for ShownEntry<'a> {
    fn from(line: &'a LedgerLine) -> Self {
        Self {
            seq: line.seq,
            run: line.run,
            attempt: line.attempt,
            at: Stamp(line.at_ms),
            entry: &line.entry,
        }
    }
}
