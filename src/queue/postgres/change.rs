//! The statement that moves jobs and writes their entries.
//!
//! All steps are one argument, in JSON: PostgreSQL writes a whole row anyway, so that it does not matter
//! which of its columns change.

use std::sync::LazyLock;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::sight::digest;
use super::text::json_text;
use crate::job::{JobRecord, LedgerEntry, Transition};
use crate::queue::stored::{DATA_COLUMNS, Datum, WORD_COLUMNS, Word, columns};

/// Moves each job of the steps $1 that stands where its step begins, writes the entries of those (for the
/// run $2) in their order, erases passwords that are needed no more, and returns which jobs have moved, and
/// the last line that was written.
///
/// The jobs are locked in the order of their numbers: where a run and an operator meet, one waits for the
/// other, and neither for ever. What is locked carries its step along, and what has moved its state: the
/// server takes a list of steps for a short one, and would look through all of it for each of them.
pub(super) static MOVE: LazyLock<String> = LazyLock::new(|| {
    let names = || WORD_COLUMNS.iter().chain(DATA_COLUMNS);
    let typed: Vec<String> = names()
        .zip(types())
        .map(|(name, kind)| format!("{name} {kind}"))
        .collect();
    // A run that tells of a host key knows nothing of the hook that goes on meanwhile.
    let set: Vec<String> = names()
        .map(|name| match *name {
            "hook" | "hook_course" => {
                format!("{name} = CASE WHEN step.keeps_hook THEN job.{name} ELSE step.{name} END")
            }
            _ => format!("{name} = step.{name}"),
        })
        .collect();
    format!(
        "WITH step AS MATERIALIZED (
             SELECT * FROM json_to_recordset($1::json) AS step(place bigint, id bigint, from_state text,
                 from_attempt integer, kind text, at_ms bigint, body json, is_over boolean, keeps_hook boolean, {typed})),
         locked AS MATERIALIZED (
             SELECT step.* FROM step JOIN job ON job.id = step.id ORDER BY job.id FOR NO KEY UPDATE OF job),
         moved AS (
             UPDATE job SET {set} FROM locked AS step
             WHERE job.id = step.id AND job.state = step.from_state AND job.attempt = step.from_attempt
             RETURNING job.id, step.is_over),
         added AS (
             INSERT INTO ledger (job_id, run_id, attempt, kind, at_ms, body)
             SELECT step.id, $2, step.attempt, step.kind, step.at_ms, step.body
             FROM step JOIN moved ON moved.id = step.id ORDER BY step.place
             RETURNING *),
         erased AS (
             DELETE FROM secret USING moved
             WHERE secret.job_id = moved.id AND moved.is_over)
         SELECT id, NULL::bigint, NULL::bytea FROM moved
         UNION ALL (SELECT NULL, seq, {digest} FROM added ORDER BY seq DESC LIMIT 1)",
        digest = digest!(),
        typed = typed.join(", "),
        set = set.join(", "),
    )
});

/// The types of the columns, as a record says them.
fn types() -> Vec<&'static str> {
    let record = JobRecord::queued();
    let (words, data) = columns(&record);
    let words = words.into_iter().map(|word| match word {
        Word::Null | Word::Text(_) => "text",
        Word::Flag(_) => "smallint",
    });
    let data = data.into_iter().map(|datum| match datum {
        Datum::Number(_) => "bigint",
        Datum::Text(_) => "text",
        Datum::Baseline(_) | Datum::ShownKey(_) | Datum::Hook(_) => "json",
    });
    words.chain(data).collect()
}

/// `steps` of different jobs, as [`MOVE`] takes them.
pub(super) fn steps(steps: &[&Transition]) -> String {
    let steps: Vec<Step<'_>> = (steps.iter().enumerate())
        .map(|(place, step)| Step {
            place,
            id: step.job.stored(),
            from_state: step.from.state.as_str(),
            from_attempt: step.from.attempt,
            kind: step.entry.kind(),
            at_ms: step.at_ms,
            body: &step.entry,
            is_over: !step.to.needs_secret(),
            keeps_hook: step.from.hook == step.to.hook,
            to: Columns(&step.to),
        })
        .collect();
    json_text(&steps)
}

#[derive(Serialize)]
struct Step<'a> {
    place: usize,
    id: i64,
    from_state: &'static str,
    from_attempt: u32,
    kind: &'a str,
    at_ms: i64,
    body: &'a LedgerEntry,
    is_over: bool,
    keeps_hook: bool,
    #[serde(flatten)]
    to: Columns<'a>,
}

/// A record as the columns that it stands in.
struct Columns<'a>(&'a JobRecord);

impl Serialize for Columns<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (words, data) = columns(self.0);
        let mut map = serializer.serialize_map(None)?;
        for (name, word) in WORD_COLUMNS.iter().zip(words) {
            match word {
                Word::Null => map.serialize_entry(name, &())?,
                Word::Text(text) => map.serialize_entry(name, text)?,
                Word::Flag(flag) => map.serialize_entry(name, &u8::from(flag))?,
            }
        }
        for (name, datum) in DATA_COLUMNS.iter().zip(data) {
            match datum {
                Datum::Number(number) => map.serialize_entry(name, &number)?,
                Datum::Text(text) => map.serialize_entry(name, &text)?,
                Datum::Baseline(baseline) => map.serialize_entry(name, &baseline)?,
                Datum::ShownKey(shown) => map.serialize_entry(name, &shown)?,
                Datum::Hook(hook) => map.serialize_entry(name, &hook)?,
            }
        }
        map.end()
    }
}
