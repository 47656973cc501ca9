//! The list: which hooks have not ended well, and why.

use serde_json::{Value, json};

use super::args::HooksArgs;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::{batches, catalogue, database};
use crate::exit::Exit;
use crate::hook::may_live;
use crate::job::{BatchId, Hook, HookState, JobId};
use crate::queue::{Backend as _, Open, Queue, QueuedJob, StoreError};
use crate::report::Listing;
use crate::text;
use crate::time;

/// Jobs that are read at once.
const PER_READING: usize = 1024;

pub async fn list(global: &Global, args: &HooksArgs) -> Result<Exit, CliError> {
    args.format.format()?;
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    database::tell_another(global, &mut queue).await?;
    let jobs = not_done(&mut queue, batch.id, HookState::ALL).await?;
    queue.close().await?;
    let listing = Listing {
        name: "hooks",
        columns: &["service_id", "name", "ip", "hook", "tries", "since", "why"],
        rows: jobs.iter().filter_map(row).collect(),
    };
    let what = match listing.rows.len() {
        1 => "1 hook".to_owned(),
        count => format!("{count} hooks"),
    };
    catalogue::write(&listing, &what, &args.format, global)?;
    Ok(Exit::Done)
}

/// All of `batch` in these states that have not ended well.
pub async fn not_done(
    queue: &mut Queue,
    batch: BatchId,
    states: &[HookState],
) -> Result<Vec<QueuedJob>, StoreError> {
    let mut jobs: Vec<QueuedJob> = Vec::new();
    loop {
        let after: Option<JobId> = jobs.last().map(|job| job.id);
        let next = queue.hooks(batch, states, after, PER_READING).await?;
        if next.is_empty() {
            return Ok(jobs);
        }
        jobs.extend(next);
    }
}

fn row(job: &QueuedJob) -> Option<Vec<Value>> {
    let hook = job.record.hook.as_ref()?;
    let baseline = job.record.baseline.as_ref();
    Some(vec![
        json!(job.service),
        json!(baseline.and_then(|baseline| baseline.name.as_deref())),
        json!(baseline.and_then(|baseline| baseline.ip.as_deref())),
        json!(hook.state),
        json!(hook.tries),
        json!(time::rfc3339(hook.since_ms)),
        json!(why(hook)),
    ])
}

/// Why it has not ended well.
fn why(hook: &Hook) -> String {
    let ended = hook.end.as_ref().map(|end| {
        let said = text::brief(&end.said, 300);
        let colon = if said.is_empty() { "" } else { ": " };
        format!("{}{colon}{said}", end.how)
    });
    match (hook.state, &hook.runner) {
        (HookState::Started, Some(runner)) => {
            let host = text::brief(&runner.host, 64);
            let pid = runner.pid;
            if may_live(runner, time::now_ms()) {
                format!("process {pid} on {host} carries it out")
            } else {
                format!(
                    "process {pid} on {host} has died since, and nobody knows how far it has come"
                )
            }
        }
        (HookState::Pending, _) => ended.map_or_else(
            || "waits for a run of its batch, or for `hooks retry`".to_owned(),
            |ended| format!("{ended}; to be tried again"),
        ),
        (HookState::Started | HookState::Failed | HookState::Forgotten | HookState::Done, _) => {
            ended.unwrap_or_default()
        }
    }
}
