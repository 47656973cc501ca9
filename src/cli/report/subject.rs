//! What a report is about, and the order that it is compared with.

use crate::cli::ended::why;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::next::{SIMULATION, command_for, go_on};
use crate::cli::status::Status;
use crate::job::ResultRow;
use crate::queue::{Backend as _, Batch, Queue, Run};
use crate::report::{Commands, Earlier, LastRun, Next, Subject};
use crate::time::{self, Stamp};

pub async fn subject(
    global: &Global,
    queue: &mut Queue,
    batch: &Batch,
) -> Result<Subject, CliError> {
    let status = Status::read(global, queue, batch.clone()).await?;
    let program = command_for(global, batch);
    let of_batch = if queue.beside(batch.id).await?.newer {
        format!(" --batch {}", batch.id)
    } else {
        String::new()
    };
    let resume = go_on(global, queue, batch).await?;
    let waits = status.control.paused.is_some() || status.held.needs_a_word().is_some();
    let next = match status.next {
        Some(next) => Next {
            needs_a_word: waits,
            command: next.command,
            what: next.what,
        },
        None => Next {
            command: format!("{program} status --watch{of_batch}"),
            what: "shows how the run that is at work on them goes on".to_owned(),
            needs_a_word: false,
        },
    };
    Ok(Subject {
        batch: batch.id,
        order: batch.number,
        action: batch.action,
        manifest: batch.manifest.clone(),
        api_url: batch.api_url.clone(),
        simulated: batch.provider == SIMULATION,
        plan: batch.plan.clone(),
        created_at: Stamp(batch.created_ms),
        rows: batch.rows,
        last_run: status.last_run.as_ref().map(told),
        account: batch.owner.clone(),
        database: queue.shown().display().to_string(),
        made_ms: time::now_ms(),
        commands: Commands {
            program,
            of_batch,
            resume,
            next,
        },
    })
}

fn told(run: &Run) -> LastRun {
    LastRun {
        started_at: Stamp(run.started_ms),
        ended_at: run.ended_ms.map(Stamp),
        exit_code: run.exit_code,
        why: why(run),
    }
}

/// The order of the same manifest before `batch`, if there is one that was not cancelled whole.
pub async fn earlier(queue: &mut Queue, batch: &Batch) -> Result<Option<Earlier>, CliError> {
    let batches = queue.batches().await?;
    let Some(before) = batches.iter().rev().find(|other| is_before(other, batch)) else {
        return Ok(None);
    };
    let mut earlier = Earlier::new(before.id, before.created_ms);
    let mut note = |row: ResultRow| {
        earlier.row(&row);
        Ok(())
    };
    let read = queue.results(before.id, &[], &mut note).await?;
    read.map_err(CliError::System)?;
    Ok(Some(earlier))
}

fn is_before(other: &Batch, batch: &Batch) -> bool {
    // What comes by standard input has no place by which one could know it again.
    let is_same_manifest = if batch.path.as_os_str() == "-" {
        other.identity == batch.identity
    } else {
        other.path == batch.path && other.sheet == batch.sheet
    };
    let is_same_kind = other.provider == batch.provider && other.action == batch.action;
    let is_cancelled = other.counts.cancelled == other.counts.total();
    other.id < batch.id && is_same_manifest && is_same_kind && !is_cancelled
}
