//! The fields of a result, as scripts and spreadsheets read them.

use serde::Serialize;

use crate::job::{
    Evidence, Executed, FailureKind, HookState, ImageId, ResultRow, ServiceId, ShownKey, State,
};
use crate::time::{self, Stamp};

/// The names of [`ResultFields`], in their order: the columns of the CSV.
pub const COLUMNS: [&str; 19] = [
    "line",
    "service_id",
    "image",
    "state",
    "executed",
    "evidence",
    "attempts",
    "submitted_at",
    "completed_at",
    "error_kind",
    "error",
    "note",
    "name",
    "ip",
    "image_name",
    "took_ms",
    "host_key_before",
    "host_key",
    "hook",
];

/// Of [`COLUMNS`]: those that say which row of the manifest it is. The others say what became of it.
pub const OF_THE_MANIFEST: [&str; 4] = ["line", "service_id", "image", "note"];

/// A result: what is not there is `null`, texts are as they were.
#[derive(Debug, Serialize)]
pub struct ResultFields<'a> {
    line: u64,
    service_id: ServiceId,
    image: Option<ImageId>,
    state: State,
    executed: Executed,
    evidence: Option<Evidence>,
    attempts: u32,
    submitted_at: Option<Stamp>,
    completed_at: Option<Stamp>,
    error_kind: Option<&'a FailureKind>,
    error: Option<&'a str>,
    note: Option<&'a str>,
    name: Option<&'a str>,
    ip: Option<&'a str>,
    image_name: Option<&'a str>,
    took_ms: Option<u64>,
    host_key_before: Option<String>,
    host_key: Option<String>,
    hook: Option<HookState>,
}

impl<'a> From<&'a ResultRow> for ResultFields<'a> {
    fn from(row: &'a ResultRow) -> Self {
        Self {
            line: row.line,
            service_id: row.service,
            image: row.image,
            state: row.state,
            executed: row.executed,
            evidence: row.evidence,
            attempts: row.attempts,
            submitted_at: row.submitted_ms.map(Stamp),
            completed_at: row.completed_ms.map(Stamp),
            error_kind: row.error_kind.as_ref(),
            error: row.error.as_deref(),
            note: row.note.as_deref(),
            name: row.name.as_deref(),
            ip: row.ip.as_deref(),
            image_name: row.image_name.as_deref(),
            took_ms: row.took().map(time::whole_ms),
            host_key_before: fingerprint(row.host_key_before.as_ref()),
            host_key: fingerprint(row.host_key.as_ref()),
            hook: row.hook,
        }
    }
}

fn fingerprint(shown: Option<&ShownKey>) -> Option<String> {
    shown.map(|shown| shown.key.fingerprint())
}
