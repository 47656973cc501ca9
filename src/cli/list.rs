//! `refleet list`: jobs, one a line.

use std::io::Write as _;

use clap::Args;
use serde_json::json;

use super::batches::{self, BatchArg};
use super::error::CliError;
use super::output::print;
use super::{Global, exit};
use crate::job::{ResultRow, State};
use crate::queue::Open;
use crate::{text, time};

/// List jobs of the newest batch, one a line, in the manifest's order.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only jobs in this state, one of `queued`, `submitting`, `rebuilding`, `in_doubt`, `done`, `failed`, `cancelled`; may be repeated
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    pub state: Vec<State>,

    /// Which batch.
    #[command(flatten)]
    pub batch: BatchArg,

    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
}

/// Carries out the command.
pub async fn list(global: &Global, args: &ListArgs) -> Result<u8, CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    // Buffered in pieces, so that a million jobs need no memory.
    let mut lines = Vec::new();
    let mut failure = None;
    let mut sink = |row: ResultRow| {
        let written = if args.json {
            json_line(&row, &mut lines)
        } else {
            text_line(&row, &mut lines)
        };
        if lines.len() < 64 * 1024 {
            return written;
        }
        let printed = print(|out| out.write_all(&lines));
        lines.clear();
        if let Err(error) = printed {
            failure = Some(error);
            return Err(std::io::ErrorKind::Other.into());
        }
        written
    };
    let read = queue.results(batch.id, &args.state, &mut sink).await?;
    if let Some(error) = failure {
        return Err(error);
    }
    read.map_err(|source| CliError::Output {
        what: "to stdout".to_owned(),
        source,
    })?;
    print(|out| out.write_all(&lines))?;
    Ok(exit::DONE)
}

fn text_line(row: &ResultRow, out: &mut Vec<u8>) -> std::io::Result<()> {
    let held = if row.held { " held" } else { "" };
    let what = match (row.evidence, &row.error_kind, &row.error) {
        (Some(evidence), _, _) => evidence.to_string(),
        (None, Some(kind), Some(error)) => {
            format!("{}: {}", text::brief(kind, 40), text::brief(error, 120))
        }
        (None, _, _) => String::new(),
    };
    let when = row
        .completed_ms
        .or(row.submitted_ms)
        .map(time::human)
        .unwrap_or_default();
    let line = format!(
        "{:<10} {:<15} executed={:<5} {when:<23} {what}",
        row.service.to_string(),
        format!("{}{held}", row.state),
        row.executed,
    );
    writeln!(out, "{}", line.trim_end())
}

fn json_line(row: &ResultRow, out: &mut Vec<u8>) -> std::io::Result<()> {
    let value = json!({
        "line": row.line,
        "service_id": row.service,
        "image": row.image.to_string(),
        "state": row.state,
        "held": row.held,
        "executed": row.executed,
        "evidence": row.evidence,
        "attempts": row.attempts,
        "submitted_at": row.submitted_ms.map(time::rfc3339),
        "completed_at": row.completed_ms.map(time::rfc3339),
        "error_kind": row.error_kind,
        "error": row.error,
        "note": row.note,
    });
    serde_json::to_writer(&mut *out, &value)?;
    out.push(b'\n');
    Ok(())
}
