//! `refleet load`: queue a manifest without working on it.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::global::{DATABASE, Global};
use super::manifest::{ManifestArgs, tell_passed_over};
use super::order::{self, Loaded, OrderArgs, OrderOptions, Plan, Sheet, access};
use super::output::tell_prose;
use super::recorded::sheet_words;
use super::words::jobs;
use super::{batches, database, lookup, next};
use crate::exit::Exit;
use crate::job::BatchId;
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Batch, EnqueuePolicy, Queue};
const EXAMPLES: &str = "\
Examples:
  refleet load fleet.csv             queue it; `refleet run` works on it later
  refleet load fleet.csv --skip-done";

/// Queue a manifest without working on it.
#[derive(Debug, Args)]
#[command(override_usage = "refleet load [OPTIONS] <MANIFEST>", after_help = EXAMPLES)]
pub struct LoadArgs {
    /// The spreadsheet, or `-` for standard input
    pub manifest: PathBuf,

    #[command(flatten)]
    pub options: OrderArgs,

    #[command(flatten)]
    pub sheet: ManifestArgs,
}

pub async fn load(global: &Global, args: &LoadArgs) -> Result<Exit, CliError> {
    let verbosity = global.verbosity();
    let endpoint = global.endpoint()?;
    let manifest = args.sheet.read(&args.manifest).await?;
    let manifest = lookup::resolve_if_named(global, manifest).await?;
    let (source, validated) = (&manifest.source, &manifest.validated);
    tell_passed_over(validated, verbosity);
    let location = global.database(DATABASE)?;
    let mut queue = Queue::open_for_load(&location).await?;
    database::tell_notes(global, queue.notes());
    database::make_sure(&mut queue).await?;
    let sheet = Sheet {
        source,
        validated,
        path: &args.manifest,
        reading: next::line(&sheet_words(&global.configured.typed)),
        provider: &endpoint.provider(),
        api_url: &endpoint.to_string(),
        owner: manifest.owner,
        plan: None,
        options: None,
    };
    let (text, loaded) = settle(global, args, &mut queue, &sheet).await?;
    queue.close().await?;
    order::tell_left_out(
        &loaded.left_out,
        source.action(),
        args.options.options(),
        &global.command(None),
        verbosity,
    );
    if verbosity != Verbosity::Quiet {
        tell_prose(&text);
    }
    Ok(loaded.exit)
}

/// Queues the sheet, or finds the order that it is. What is to be said of that, and what became of it.
async fn settle(
    global: &Global,
    args: &LoadArgs,
    queue: &mut Queue,
    sheet: &Sheet<'_>,
) -> Result<(String, Loaded), CliError> {
    let options = args.options.options();
    let command = global.command(None);
    let mut refused = None;
    loop {
        let (policy, last) = match order::plan(queue, sheet, options).await? {
            Plan::Resume { batch, .. } => {
                return Ok((
                    open(global, args, queue, sheet, batch).await?,
                    Loaded::default(),
                ));
            }
            Plan::Ended(batch) => {
                let said = order::ended(queue, &batch, sheet, &command).await?;
                return Ok((said, Loaded::of_ended(&batch)));
            }
            Plan::New { policy, last } => (policy, last),
        };
        if let Some(refused) = refused {
            return Err(refused);
        }
        match new(queue, sheet, policy, &last, options).await {
            // Another host may have queued this very order since it was looked for.
            Err(error @ CliError::Conflict { .. }) => refused = Some(error),
            Err(error) => return Err(error),
            Ok(loaded) => {
                let text = match loaded.batch {
                    Some(batch) => {
                        let batch = batches::find(queue, Some(batch)).await?;
                        format!(
                            "{} queued as batch {}: `{command} run` works on them\n",
                            jobs(batch.counts.queued),
                            batch.id
                        )
                    }
                    None => "nothing is left to queue\n".to_owned(),
                };
                return Ok((text, loaded));
            }
        }
    }
}

async fn new(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    policy: EnqueuePolicy,
    last: &[BatchId],
    options: OrderOptions,
) -> Result<Loaded, CliError> {
    database::announce_if_empty(queue, sheet.source.action()).await?;
    if options.has_caps() {
        let last = options.max_change.map_or(&[][..], |_| last);
        order::preview(queue, sheet, policy, last, options).await?;
    }
    order::enqueue(queue, sheet, policy, &|_| Ok(None)).await
}

/// The order is open: its jobs take the access that the sheet gives now. What is to be said of it.
async fn open(
    global: &Global,
    args: &LoadArgs,
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    batch: Batch,
) -> Result<String, CliError> {
    let command = global.command(None);
    let news = access::look(queue, sheet, &batch, args.options.options()).await?;
    if access::changes(&news) > 0 || batch.identity != *sheet.validated.identity.as_bytes() {
        let _lock = Queue::lock(&global.database(DATABASE)?)?;
        access::take(queue, sheet, &batch, &news).await?;
    }
    access::tell(&news, sheet, &batch, &command, global.verbosity());
    Ok(format!(
        "batch {} of this manifest is open, {} left: `{command} run` goes on with it\n",
        batch.id,
        match batch.counts.open() {
            1 => "1 job is".to_owned(),
            open => format!("{open} jobs are"),
        },
    ))
}
