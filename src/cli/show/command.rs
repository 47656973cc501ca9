//! The command.

use clap::Args;

use super::json::Shown;
use super::record::Record;
use super::text::as_text;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::held::held_now;
use crate::cli::output::{print_json, print_prose};
use crate::cli::{database, next};
use crate::exit::Exit;
use crate::job::{Action, BatchId, Executed, ResultRow, ServiceId, State};
use crate::queue::{Open, QueuedJob};

/// Show one instance's whole history, over all batches.
#[derive(Debug, Args)]
#[command(override_usage = "refleet show [OPTIONS] <SERVICE_ID>")]
pub struct ShowArgs {
    /// The instance
    pub service_id: ServiceId,

    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

pub async fn show(global: &Global, args: &ShowArgs) -> Result<Exit, CliError> {
    let mut queue = database::open(global, Open::Read).await?;
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
                if job.record.state == State::Queued {
                    let held = held_now(&mut queue, order).await?;
                    held_back = held.of(&result);
                }
                let go_on = next::go_on(global, &mut queue, order).await?;
                let is_newest = batches.last().is_some_and(|newest| newest.id == batch);
                next_step(
                    &job,
                    order.action,
                    &next::command_for(global, order),
                    &go_on,
                    (!is_newest).then_some(batch),
                )
            }
            // No order is ever removed.
            None => None,
        };
        records.push(Record {
            batch,
            job,
            result,
            history,
            held_back,
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

/// What to type about a job of `action`: `command` calls refleet on its queue, `go_on` works on its batch, and
/// `older` is its batch where commands speak of another one.
fn next_step(
    job: &QueuedJob,
    action: Action,
    command: &str,
    go_on: &str,
    older: Option<BatchId>,
) -> Option<String> {
    let service = job.service;
    let of_batch = older.map_or_else(String::new, |batch| format!(" --batch {batch}"));
    match job.record.state {
        State::InDoubt if job.record.held => Some(format!(
            "look at the instance, then: `{command} resolve {service} --as WORD --reason TEXT{of_batch}` (done, requeue or failed)"
        )),
        State::InDoubt | State::Queued | State::Submitting | State::InProgress => {
            Some(format!("`{go_on}` goes on with it"))
        }
        State::Failed => Some(match job.record.executed() {
            Executed::No => format!("`{command} retry {service}{of_batch}`, then run"),
            Executed::Maybe | Executed::Yes => format!(
                "it may have been {}: `{command} retry {service} --wiped{of_batch}`, then run",
                action.terms().touched
            ),
        }),
        State::Done | State::Cancelled => None,
    }
}
