//! `refleet list`: jobs, one a line.

use std::io::{self, Write as _};

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use super::batches::{self, BatchArg};
use super::database;
use super::error::CliError;
use super::global::Global;
use super::held::{Held, held_now, holds_as_json};
use super::output::printed;
use crate::exit::Exit;
use crate::job::{HookState, ResultRow, State};
use crate::queue::{Backend as _, Open};
use crate::report::ResultFields;
use crate::{text, time};
const EXAMPLES: &str = "\
Examples:
  refleet list --state failed,in_doubt
  refleet list --flagged             done, but under another image's name
  refleet list --json | jq -r 'select(.executed == \"maybe\") | .service_id'";

/// List jobs of the newest batch, one a line, in the manifest's order.
#[derive(Debug, Args)]
#[command(override_usage = "refleet list [OPTIONS]", after_help = EXAMPLES)]
pub struct ListArgs {
    /// Only jobs in this state, one of `queued`, `submitting`, `in_progress`, `in_doubt`, `done`, `failed`, `cancelled`; may be repeated
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = parse_state)]
    pub state: Vec<State>,

    /// Only finished jobs that a human should look at: the instance list shows another image name than the one ordered
    #[arg(long)]
    pub flagged: bool,

    #[command(flatten)]
    pub batch: BatchArg,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

pub async fn list(global: &Global, args: &ListArgs) -> Result<Exit, CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    database::tell_another(global, &mut queue).await?;
    let held = held_now(&mut queue, &batch).await?;
    // Buffered in pieces, so that a million jobs need no memory.
    let mut lines = Vec::new();
    let mut headed = args.json;
    let mut out = io::stdout();
    let mut sink = |row: ResultRow| {
        if args.flagged && !row.is_flagged() {
            return Ok(());
        }
        if args.json {
            json_line(&row, &held, &mut lines)?;
        } else {
            if !headed {
                headed = true;
                header(&mut lines)?;
            }
            text_line(&row, &held, &mut lines)?;
        }
        if lines.len() >= 64 * 1024 {
            out.write_all(&lines)?;
            lines.clear();
        }
        Ok(())
    };
    // Where the reader has gone, the rest is not even read.
    let read = queue.results(batch.id, &args.state, &mut sink).await?;
    printed(
        read.and_then(|()| out.write_all(&lines))
            .and_then(|()| out.flush()),
    )?;
    Ok(Exit::Done)
}

/// `In-Doubt` is `in_doubt`.
fn parse_state(word: &str) -> Result<State, String> {
    let word = word.trim().to_lowercase().replace(['-', ' '], "_");
    word.parse().map_err(|_| {
        let words: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

/// Characters of an instance's name.
const NAME_CHARS_MAX: usize = 20;

/// Cells of one line, padded; what does not fit pushes the rest to the right.
fn cells(cells: [&str; 7], what: &str, out: &mut Vec<u8>) -> io::Result<()> {
    const WIDTHS: [usize; 7] = [10, NAME_CHARS_MAX, 15, 15, 8, 8, 23];
    let mut line = String::with_capacity(160);
    for (cell, width) in cells.into_iter().zip(WIDTHS) {
        line.push_str(&console::pad_str(
            cell,
            width,
            console::Alignment::Left,
            None,
        ));
        line.push(' ');
    }
    line.push_str(what);
    writeln!(out, "{}", line.trim_end())
}

fn header(out: &mut Vec<u8>) -> io::Result<()> {
    cells(
        ["service", "name", "ip", "state", "executed", "took", "when"],
        "proof, or what went wrong",
        out,
    )
}

fn text_line(row: &ResultRow, held: &Held, out: &mut Vec<u8>) -> io::Result<()> {
    let doubt = if row.held { " held" } else { "" };
    let what = match (row.evidence, &row.error_kind, &row.error) {
        (evidence, Some(kind), Some(error)) => {
            let proof = evidence.map_or_else(String::new, |evidence| format!("{evidence}; "));
            format!(
                "{proof}{}: {}",
                text::brief(kind.as_str(), 40),
                text::brief(error, 120)
            )
        }
        (Some(evidence), _, _) => evidence.to_string(),
        (None, _, _) => String::new(),
    };
    let holds = held.of(row);
    let held_back = holds
        .iter()
        .map(|hold| format!("held back {}", hold.words()));
    let hook = row.hook.filter(|hook| *hook != HookState::Done);
    let hook = hook.map(|hook| format!("hook {hook}"));
    let what: Vec<String> = [what].into_iter().chain(hook).chain(held_back).collect();
    let what = what.join("; ");
    let what = what.trim_start_matches("; ");
    let known = |text: &Option<String>, chars_max| {
        text.as_deref()
            .map_or_else(|| "-".to_owned(), |text| text::brief(text, chars_max))
    };
    let took = row.took().map_or_else(|| "-".to_owned(), time::short);
    let when = row
        .completed_ms
        .or(row.submitted_ms)
        .map_or_else(|| "-".to_owned(), time::human);
    cells(
        [
            &row.service.to_string(),
            &known(&row.name, NAME_CHARS_MAX),
            &known(&row.ip, 45),
            &format!("{}{doubt}", row.state),
            row.executed.as_str(),
            &took,
            &when,
        ],
        what,
        out,
    )
}

/// A job for scripts: its result, and what only `list` knows.
#[derive(Serialize)]
struct Listed<'a> {
    #[serde(flatten)]
    result: ResultFields<'a>,
    held: bool,
    held_back: Value,
}

fn json_line(row: &ResultRow, held: &Held, out: &mut Vec<u8>) -> io::Result<()> {
    let listed = Listed {
        result: ResultFields::from(row),
        held: row.held,
        held_back: holds_as_json(&held.of(row)),
    };
    serde_json::to_writer(&mut *out, &listed)?;
    out.push(b'\n');
    Ok(())
}
