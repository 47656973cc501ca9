//! The command.

use super::all::all;
use super::args::StatusArgs;
use super::json::as_json;
use super::read::Status;
use super::text::as_text;
use super::watch::watch;
use crate::cli::batches;
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::cli::output::{print_json, print_text};
use crate::exit::Exit;
use crate::queue::Open;

pub async fn status(global: &Global, args: &StatusArgs) -> Result<Exit, CliError> {
    if args.all {
        return all(global, args).await;
    }
    if args.watch {
        return watch(global, args).await;
    }
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let status = Status::read(global, &mut queue, batch).await?;
    if args.json {
        print_json(&as_json(&status, &queue.shown()))?;
    } else {
        print_text(&as_text(&status, &queue.shown()))?;
    }
    Ok(Exit::Done)
}
