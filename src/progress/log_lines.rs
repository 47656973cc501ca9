//! A run on a stderr that gets JSON: each event that a log would tell, with its own fields, and the numbers of
//! the batch and the run; in the end the summary, as one line.

use std::io::Write;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::ended::Ended;
use super::layout::Tone;
use super::lines::{DisplayLine, describe};
use super::mode::{Mode, Verbosity};
use super::shared::{Letter, Shared};
use super::summary::{next, says_nothing, verdict};
use crate::event::Event;
use crate::exit::Exit;
use crate::job::{BatchId, RunId, Terms};
use crate::log::{self, Level};
use crate::time;

/// Lines that come within this time are written together.
const LINES_PACE: Duration = Duration::from_millis(20);

/// Writes a run until its mailbox is closed. A log is read by programs: however many lines are similar, all of
/// them are written.
pub fn write(shared: &Shared, heartbeat: Duration, out: &mut impl Write) {
    let beats = shared.mode == Mode::Plain && shared.verbosity >= Verbosity::Normal;
    let mut earliest = Instant::now();
    let mut beat_due = Instant::now() + heartbeat;
    loop {
        let batch = shared.screen.take(earliest, beats.then_some(beat_due));
        let now = Instant::now();
        earliest = now + LINES_PACE;
        let ids = shared.tally().ids();
        let mut text = String::new();
        for letter in &batch.letters {
            match letter {
                Letter::Event { at_ms, event } => {
                    text.push_str(&of_event(*at_ms, event, ids, shared.terms));
                }
                Letter::Note(note) => {
                    text.push_str(&log::lines_of(time::now_ms(), note, &Map::new()));
                }
            }
        }
        if batch.lost > 0 {
            let message = format!(
                "{} lines are missing here: what reads them did not keep up",
                batch.lost
            );
            let fields = with_ids(json!({ "count": batch.lost }), ids);
            let at_ms = time::now_ms();
            text.push_str(&log::line(at_ms, Level::Warn, "dropped", &message, fields));
        }
        if !text.is_empty() {
            beat_due = now + heartbeat;
        } else if beats && now >= beat_due {
            beat_due = now + heartbeat;
            text = of_pace(shared, ids).unwrap_or_default();
        }
        if batch.closed {
            text.push_str(&shared.closing());
        }
        // A stderr that is closed changes nothing for the run.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if batch.closed {
            shared.screen.done();
            return;
        }
    }
}

fn of_event(at_ms: i64, event: &Event, ids: Option<(RunId, BatchId)>, terms: &Terms) -> String {
    let DisplayLine { text, tone, .. } = describe(event, terms);
    let mut fields = with_ids(serde_json::to_value(event).unwrap_or_default(), ids);
    let kind = fields.remove("type");
    let kind = kind.as_ref().and_then(Value::as_str).unwrap_or_default();
    let message = text.strip_prefix("warning: ").unwrap_or(&text);
    log::line(at_ms, level(event, tone), kind, message, fields)
}

fn level(event: &Event, tone: Tone) -> Level {
    match (event, tone) {
        // A rehearsal is coloured so that nobody takes it for the real thing; nothing is wrong with it.
        (Event::RunStarted { .. }, _) => Level::Info,
        (_, Tone::Bad) => Level::Error,
        (_, Tone::Uncertain) => Level::Warn,
        (_, Tone::Plain | Tone::Good | Tone::Faint) => Level::Info,
    }
}

/// How far the run is, for a log in which nothing was written for a while.
fn of_pace(shared: &Shared, ids: Option<(RunId, BatchId)>) -> Option<String> {
    let elapsed = shared.started.elapsed();
    let mut tally = shared.tally();
    let message = tally.heartbeat(elapsed)?;
    let fields = with_ids(as_value(&tally.pace(elapsed)?), ids);
    let at_ms = time::now_ms();
    Some(log::line(at_ms, Level::Info, "progress", &message, fields))
}

/// The fields of `value`, and those that say which batch and which run it is about.
fn with_ids(value: Value, ids: Option<(RunId, BatchId)>) -> Map<String, Value> {
    let Value::Object(mut fields) = value else {
        return Map::new();
    };
    if let Some((run, batch)) = ids {
        fields.insert("run".to_owned(), as_value(&run));
        fields.insert("batch".to_owned(), as_value(&batch));
    }
    fields
}

fn as_value(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The closing summary as a line; empty where `-q` has nothing to say.
pub fn closing_line(ended: &Ended, run: Option<RunId>, verbosity: Verbosity) -> String {
    if says_nothing(ended, verbosity) {
        return String::new();
    }
    let causes = ended.causes.iter().map(
        |cause| json!({ "kind": cause.kind.as_str(), "jobs": cause.jobs, "error": cause.error }),
    );
    let slowest = ended.slowest.as_ref().map(|slowest| {
        json!({
            "service": slowest.service,
            "name": slowest.name,
            "took_ms": as_ms(slowest.took),
        })
    });
    let steps = next(ended);
    let next = (steps.iter()).map(|step| json!({ "what": step.what, "commands": step.commands }));
    let fields = json!({
        "exit_code": ended.exit,
        "action": ended.action,
        "counts": ended.counts,
        "flagged": ended.flagged,
        "completed": ended.completed,
        "elapsed_ms": as_ms(ended.elapsed),
        "slowest": slowest,
        "causes": causes.collect::<Vec<_>>(),
        "halted": ended.halted,
        "account": ended.account,
        "database": ended.database.to_string_lossy(),
        "simulated": ended.simulated,
        "next": next.collect::<Vec<_>>(),
    });
    let fields = with_ids(fields, run.map(|run| (run, ended.batch)));
    let level = level_of(ended.exit);
    log::line(time::now_ms(), level, "summary", &verdict(ended), fields)
}

fn as_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn level_of(exit: Exit) -> Level {
    match exit {
        Exit::Done => Level::Info,
        Exit::Failed
        | Exit::InDoubt
        | Exit::Outage
        | Exit::Window
        | Exit::Budget
        | Exit::Busy
        | Exit::Interrupted
        | Exit::Terminated => Level::Warn,
        Exit::Usage | Exit::Credentials | Exit::Blocked | Exit::Bug | Exit::Storage => Level::Error,
    }
}
