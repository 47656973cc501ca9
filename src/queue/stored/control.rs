//! What operators said of a batch, as it is stored.

use super::decode::from_json;
use crate::job::{ControlEntry, Instruction, RunId};
use crate::queue::StoreError;

/// Number, run, time, operator, reason, body.
pub type ControlRow = (i64, Option<i64>, i64, String, Option<String>, String);

pub fn control_entry(row: ControlRow) -> Result<(i64, ControlEntry), StoreError> {
    let (seq, run, at_ms, operator, reason, body) = row;
    let instruction = from_json(&body, "an operator's instruction")?;
    let entry = ControlEntry {
        run: run.map(RunId),
        at_ms,
        operator,
        reason,
        instruction,
    };
    Ok((seq, entry))
}

/// Why the instruction with this number, kind and body cannot have been written by a sound program.
/// `is_astray`: its run worked on another batch.
pub fn flaw_of_control(
    (seq, kind, body, is_astray): (i64, String, String, bool),
) -> Option<String> {
    let what = match serde_json::from_str::<Instruction>(&body) {
        Err(_) => "cannot be read",
        Ok(instruction) if instruction.kind() != kind => "is not of the kind that it says",
        Ok(_) if is_astray => "is for a run of another batch",
        Ok(_) => return None,
    };
    Some(format!("operator's instruction {seq} {what}"))
}
