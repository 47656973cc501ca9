//! `refleet load`: queue a manifest without working on it.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::global::{DATABASE, Global};
use super::manifest::{ManifestArgs, tell_passed_over};
use super::order::{self, Loaded, OrderArgs, Plan, Sheet, access};
use super::output::tell_prose;
use super::recorded::sheet_words;
use super::words::jobs;
use super::{batches, database, lookup, next};
use crate::exit::Exit;
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Queue};

/// Queue a manifest without working on it.
#[derive(Debug, Args)]
#[command(override_usage = "refleet load [OPTIONS] <MANIFEST>")]
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
    let options = args.options.options();
    let command = global.command(None);
    let (text, loaded) = match order::plan(&mut queue, &sheet, options).await? {
        Plan::Resume { batch, .. } => {
            let news = access::look(&mut queue, &sheet, &batch, options).await?;
            if access::changes(&news) > 0 || batch.identity != *validated.identity.as_bytes() {
                let _lock = Queue::lock(&location)?;
                access::take(&mut queue, &sheet, &batch, &news).await?;
            }
            access::tell(&news, &sheet, &batch, &command, verbosity);
            let text = format!(
                "batch {} of this manifest is open, {} left: `{command} run` goes on with it\n",
                batch.id,
                match batch.counts.open() {
                    1 => "1 job is".to_owned(),
                    open => format!("{open} jobs are"),
                },
            );
            (text, Loaded::default())
        }
        Plan::Ended(batch) => (
            order::ended(&mut queue, &batch, &sheet, &command).await?,
            Loaded::of_ended(&batch),
        ),
        Plan::New { policy, last } => {
            database::announce_if_empty(&mut queue, source.action()).await?;
            if options.has_caps() {
                let last = options.max_change.map_or(&[][..], |_| &last[..]);
                order::preview(&mut queue, &sheet, policy, last, options).await?;
            }
            let loaded = order::enqueue(&mut queue, &sheet, policy, &|_| Ok(None)).await?;
            let text = match loaded.batch {
                Some(batch) => {
                    let batch = batches::find(&mut queue, Some(batch)).await?;
                    format!(
                        "{} queued as batch {}: `{command} run` works on them\n",
                        jobs(batch.counts.queued),
                        batch.id
                    )
                }
                None => "nothing is left to queue\n".to_owned(),
            };
            (text, loaded)
        }
    };
    queue.close().await?;
    order::tell_left_out(
        &loaded.left_out,
        source.action(),
        options,
        &command,
        verbosity,
    );
    if verbosity != Verbosity::Quiet {
        tell_prose(&text);
    }
    Ok(loaded.exit)
}
