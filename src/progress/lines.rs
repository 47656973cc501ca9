//! What an event says, as a line of text.

use std::fmt::Write as _;
use std::time::Duration;

use super::counters::{instances, record};
use super::layout::Tone;
use crate::event::{Activity, Event, JobEvent, Limit, Taken};
use crate::job::{ControlEntry, Executed, FailureKind, Instruction, State, Terms};
use crate::text::{MESSAGE_CHARS_MAX, brief, printable};
use crate::time;

/// A name of an instance is not longer.
const NAME_CHARS_MAX: usize = 40;

/// One event for people. No time, no colour, and nothing in it can steer a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayLine {
    pub text: String,
    pub tone: Tone,
    pub topic: Topic,
}

/// Lines of one topic are similar to each other; there may be as many as there are instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    Failed,
    Doubt,
    Warning,
    Other,
}

impl DisplayLine {
    pub fn new(text: impl Into<String>, tone: Tone, topic: Topic) -> Self {
        Self {
            text: text.into(),
            tone,
            topic,
        }
    }
}

/// What the event says, in the words of the batch's action.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each event")]
pub fn describe(event: &Event, terms: &Terms) -> DisplayLine {
    match event {
        Event::RunStarted {
            run,
            batch,
            action: _,
            counts,
            resumed,
            api_url,
            account,
            database,
            workers,
            rate: _,
            images: _,
            simulated,
        } => {
            let simulation = if *simulated { "SIMULATION: " } else { "" };
            let what = if *resumed {
                format!(
                    "run {run} resumes batch {batch}, {}: {}",
                    instances(counts.total()),
                    record(counts)
                )
            } else {
                format!(
                    "run {run} begins batch {batch}: {}",
                    instances(counts.total())
                )
            };
            let account = (account.as_ref()).map_or_else(String::new, |account| {
                format!("; account {}", printable(&account.to_string()))
            });
            let text = format!(
                "{simulation}{what}; at most {workers} at once; API {}{account}; database {}",
                printable(api_url),
                printable(&database.to_string_lossy())
            );
            let tone = if *simulated {
                Tone::Uncertain
            } else {
                Tone::Plain
            };
            DisplayLine::new(text, tone, Topic::Other)
        }
        Event::Activity(activity) => DisplayLine::new(
            describe_activity(activity, terms),
            Tone::Plain,
            Topic::Other,
        ),
        Event::Job(job) => describe_job(job, terms),
        Event::Recounted { counts } => DisplayLine::new(
            format!("another command changed the batch: {}", record(counts)),
            Tone::Plain,
            Topic::Warning,
        ),
        Event::Control(entry) => describe_control(entry),
        Event::Warning { message } => DisplayLine::new(
            format!("warning: {}", brief(message, MESSAGE_CHARS_MAX)),
            Tone::Uncertain,
            Topic::Warning,
        ),
        Event::Paused { reason } => DisplayLine::new(
            format!("paused: {}", brief(reason, MESSAGE_CHARS_MAX)),
            Tone::Uncertain,
            Topic::Warning,
        ),
        Event::Resumed => DisplayLine::new("no longer paused", Tone::Plain, Topic::Warning),
        Event::StartOrder(taken) => DisplayLine::new(
            format!("start order: {}", start_order(taken)),
            Tone::Plain,
            Topic::Other,
        ),
        Event::BudgetLimits { in_flight_max } => DisplayLine::new(
            format!(
                "the failure budget allows {in_flight_max} at once: --max-failures with a larger number allows more"
            ),
            Tone::Plain,
            Topic::Warning,
        ),
        Event::Halting { reason } => DisplayLine::new(
            format!("halting: {}", brief(reason, MESSAGE_CHARS_MAX)),
            Tone::Bad,
            Topic::Other,
        ),
        Event::Stopping { calls } => DisplayLine::new(
            format!("{}; a second signal stops at once", stopping(*calls)),
            Tone::Uncertain,
            Topic::Other,
        ),
        Event::RunEnded {
            counts,
            elapsed_ms,
            exit_code,
        } => DisplayLine::new(
            format!(
                "run ended after {} with exit code {exit_code}; {}: {}",
                time::short(Duration::from_millis(*elapsed_ms)),
                instances(counts.total()),
                record(counts)
            ),
            Tone::Plain,
            Topic::Other,
        ),
    }
}

fn describe_job(job: &JobEvent, terms: &Terms) -> DisplayLine {
    let mut text = format!("service {}", job.service);
    let known: Vec<String> = [&job.name, &job.ip]
        .into_iter()
        .flatten()
        .map(|text| brief(text, NAME_CHARS_MAX))
        .collect();
    if !known.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, " ({})", known.join(", "));
    }
    let _ = write!(text, " line {}", job.line);
    if job.attempt > 1 {
        let _ = write!(text, " attempt {}", job.attempt);
    }
    text.push_str(": ");
    if job.from != job.to {
        text.push_str(job.from.as_str());
        text.push_str(" → ");
    }
    text.push_str(job.to.as_str());
    let (note, tone, topic) = match job.to {
        State::Done => (
            job.evidence
                .map(|evidence| format!(" ({evidence})"))
                .unwrap_or_default(),
            Tone::Good,
            Topic::Other,
        ),
        State::Failed => (
            match job.executed {
                Executed::No => ", not touched".to_owned(),
                Executed::Maybe => format!(", may have been {}", terms.touched),
                Executed::Yes => format!(", {}", terms.touched),
            },
            Tone::Bad,
            Topic::Failed,
        ),
        State::InDoubt => (
            if job.held {
                ", held for `resolve`".to_owned()
            } else {
                String::new()
            },
            Tone::Uncertain,
            Topic::Doubt,
        ),
        State::Queued | State::InProgress => (
            format!(" ({})", job.kind),
            Tone::Plain,
            if job.from == State::InDoubt {
                Topic::Doubt
            } else {
                Topic::Other
            },
        ),
        State::Submitting | State::Cancelled => (String::new(), Tone::Plain, Topic::Other),
    };
    text.push_str(&note);
    if let Some(took) = job.took {
        let _ = write!(text, " after {}", time::short(took));
    }
    let kind = job.error_kind.as_ref().map(FailureKind::as_str);
    for part in [kind, job.error.as_deref()].into_iter().flatten() {
        text.push_str(": ");
        text.push_str(&brief(part, MESSAGE_CHARS_MAX));
    }
    DisplayLine::new(text, tone, topic)
}

/// What an operator has said from another terminal.
fn describe_control(entry: &ControlEntry) -> DisplayLine {
    let (what, tone) = match &entry.instruction {
        Instruction::Pause => ("paused".to_owned(), Tone::Uncertain),
        Instruction::Go => ("no longer paused".to_owned(), Tone::Plain),
        Instruction::Release => (
            "no longer waiting for those that go first".to_owned(),
            Tone::Plain,
        ),
        Instruction::Set(limits) => (format!("from now on {limits}"), Tone::Plain),
        Instruction::Drain => (
            "drained: nothing starts any more".to_owned(),
            Tone::Uncertain,
        ),
    };
    let mut text = format!(
        "{what}, by {} on {}",
        brief(&entry.operator, NAME_CHARS_MAX),
        time::human(entry.at_ms)
    );
    if let Some(reason) = &entry.reason {
        text.push_str(": ");
        text.push_str(&brief(reason, MESSAGE_CHARS_MAX));
    }
    DisplayLine::new(text, tone, Topic::Other)
}

/// What a run is doing when no job moves.
pub fn describe_activity(activity: &Activity, terms: &Terms) -> String {
    match activity {
        Activity::LoggingIn => "logging in".to_owned(),
        Activity::ReadingList {
            read,
            total: Some(total),
        } => format!("reading the account's list {read}/{total}"),
        Activity::ReadingList {
            read: 0,
            total: None,
        } => "reading the account's list".to_owned(),
        Activity::ReadingList { read, total: None } => {
            format!("reading the account's list {read}")
        }
        Activity::Working => "working".to_owned(),
        Activity::HeldBack { by } => match by {
            Limit::Rate => "sending as fast as --rate allows",
            Limit::Workers => "as many at once as --workers allows",
            Limit::FailureBudget => "as many at once as the failure budget (--max-failures) allows",
            Limit::Window => "nothing else would be back before the window closes",
            Limit::Canary => "the others start when the first ones (--canary) are done",
            Limit::Groups => "the others wait for members of their groups",
            Limit::Pause => "paused by an operator: nothing starts before `refleet go`",
            Limit::Drain => "drained by an operator: nothing starts any more",
            Limit::Instances => "waiting for instances that are not ready",
        }
        .to_owned(),
        Activity::WaitingForCompletion => format!("waiting for {}", terms.nouns),
        Activity::WaitingToRetry { remaining } => {
            format!("next retry in {}", time::short(*remaining))
        }
        Activity::ReadingHostKeys => "reading the new host keys".to_owned(),
        Activity::WatchingDoubts { until_ms } => {
            format!(
                "watching the doubts, until {} at the latest",
                hour_and_minute(*until_ms)
            )
        }
    }
}

/// `02:05Z`: the ledger's and the logs' zone. Rounded up: nothing ends later than it says.
fn hour_and_minute(unix_ms: i64) -> String {
    let text = time::rfc3339(unix_ms.saturating_add(59_999));
    text.get(11..16)
        .map_or_else(|| text.clone(), |clock| format!("{clock}Z"))
}

pub fn stopping(calls: usize) -> String {
    match calls {
        0 => "stopping".to_owned(),
        1 => "stopping: waiting for the answer to 1 call".to_owned(),
        _ => format!("stopping: waiting for the answers to {calls} calls"),
    }
}
/// In which order jobs start, for people.
pub fn start_order(taken: &Taken) -> String {
    let order = match taken.list_after {
        None => "the sheet's".to_owned(),
        Some(0) => "that of the account's list".to_owned(),
        Some(first) => {
            format!("the first {first} as in the sheet, the others as in the account's list")
        }
    };
    if taken.saves < Duration::from_secs(1) {
        return order;
    }
    format!("{order}, which saves about {}", time::short(taken.saves))
}
