//! The command.

use clap::Args;

use super::json::Shown;
use super::next::Commands;
use super::record::Record;
use super::text::as_text;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::held::held_now;
use crate::cli::output::{print_json, print_prose};
use crate::cli::{batches, database, next};
use crate::exit::Exit;
use crate::job::{BatchId, KeyHint, ResultRow, ServiceId, State};
use crate::queue::{Backend as _, Open, Queue, QueuedJob, StoreError};
const EXAMPLES: &str = "\
Examples:
  refleet show 5113119               what was sent, answered and seen, and when
  refleet show 5113119 --json";

/// Show one instance's whole history, over all batches.
#[derive(Debug, Args)]
#[command(override_usage = "refleet show [OPTIONS] <SERVICE_ID>", after_help = EXAMPLES)]
pub struct ShowArgs {
    /// The instance
    pub service_id: ServiceId,

    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

pub async fn show(global: &Global, args: &ShowArgs) -> Result<Exit, CliError> {
    let mut queue = database::open(global, Open::Read).await?;
    database::tell_another(global, &mut queue).await?;
    let jobs = queue.jobs_of(args.service_id).await?;
    if jobs.is_empty() {
        return Err(CliError::NoSuchService(args.service_id));
    }
    let batches = queue.batches().await?;
    let mut records = Vec::with_capacity(jobs.len());
    for (batch, job) in jobs {
        let history = queue.history(job.id).await?;
        let result = ResultRow::from(&job);
        let mut held_back = Vec::new();
        let next = match batches.iter().find(|one| one.id == batch) {
            Some(order) => {
                let held = held_now(&mut queue, order).await?;
                held_back = held.of(&result);
                let is_newest = batches.last().is_some_and(|newest| newest.id == batch);
                let commands = Commands {
                    command: next::command_for(global, order),
                    go_on: next::go_on(global, &mut queue, order).await?,
                    of_batch: if is_newest {
                        String::new()
                    } else {
                        format!(" --batch {batch}")
                    },
                };
                commands.next(&job, &held)
            }
            // No order is ever removed.
            None => None,
        };
        let key_hint = key_hint(&mut queue, batch, &job).await?;
        records.push(Record {
            batch,
            job,
            result,
            history,
            held_back,
            key_hint,
            next,
        });
    }
    if args.json {
        print_json(&Shown::new(args.service_id, &records))?;
    } else {
        print_prose(&as_text(args.service_id, &records))?;
    }
    Ok(Exit::Done)
}

/// What the host keys of a job in doubt say, beside all others that its batch has seen.
async fn key_hint(
    queue: &mut Queue,
    batch: BatchId,
    job: &QueuedJob,
) -> Result<Option<KeyHint>, StoreError> {
    if job.record.state != State::InDoubt || job.record.host_key.is_none() {
        return Ok(None);
    }
    Ok(batches::key_places(queue, batch).await?.hint(&job.record))
}
