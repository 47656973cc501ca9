//! The command.

use clap::Args;

use super::json::as_json;
use super::read::Status;
use super::text::as_text;
use crate::cli::batches::{self, BatchArg};
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::output::{print_json, print_text};
use crate::exit::Exit;
use crate::queue::Open;

/// Show how far the newest batch is.
///
/// Shows how many jobs are in each state, which process works on the batch, at which rate and until
/// when, the oldest doubt, and what to do next. It reads no job, so it is quick on any batch.
#[derive(Debug, Args)]
#[command(override_usage = "refleet status [OPTIONS]")]
pub struct StatusArgs {
    #[command(flatten)]
    pub batch: BatchArg,

    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}

pub async fn status(global: &Global, args: &StatusArgs) -> Result<Exit, CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let status = Status::read(global, &mut queue, batch).await?;
    if args.json {
        print_json(&as_json(&status, queue.path()))?;
    } else {
        print_text(&as_text(&status, queue.path()))?;
    }
    Ok(Exit::Done)
}
