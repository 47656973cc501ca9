//! `refleet load`, and the part of `run` that turns a manifest into a batch.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::confirm::{Victim, Victims};
use super::error::CliError;
use super::options;
use super::order::{self, Order, Wish};
use super::output::tell_prose;
use super::{Global, exit};
use crate::job::{BatchId, NewJob, ServiceId};
use crate::manifest::{self, ManifestError, Source, Survey};
use crate::progress::Verbosity;
use crate::queue::{Batch, EnqueuePolicy, NewBatch, Queue};
use crate::time;
use crate::time::parse_duration;

/// Which of a manifest's orders this is.
#[derive(Debug, Clone, Args)]
pub struct WishArgs {
    /// Order it all once more, although it was done
    #[arg(long, conflicts_with_all = ["every", "skip_done"])]
    pub again: bool,

    /// Order it once more if the last order began at least so long ago: for cron
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub every: Option<Duration>,

    /// Leave out services that already got this image by an earlier manifest
    #[arg(long)]
    pub skip_done: bool,
}

impl WishArgs {
    /// The wish.
    pub fn wish(&self) -> Wish {
        Wish {
            again: self.again,
            every: self.every,
            skip_done: self.skip_done,
        }
    }
}

/// Queue a manifest without working on it.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The spreadsheet, or `-` for stdin
    pub manifest: PathBuf,

    /// Which of a manifest's orders this is.
    #[command(flatten)]
    pub wish: WishArgs,
}

/// What became of a manifest.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The batch to work on; `None`: nothing is to be done.
    pub batch: Option<BatchId>,
    /// It had been begun before.
    pub resumed: bool,
    /// Services that were left out, because another batch holds them in doubt.
    pub left_out: Vec<ServiceId>,
    /// Where nothing is to be done: the process's exit code.
    pub exit_code: u8,
}

/// What is to be done with a manifest.
pub enum Plan {
    /// Its batch is open.
    Resume(Batch),
    /// Its batch has ended.
    Ended(Batch),
    /// It is to be queued.
    New(EnqueuePolicy),
}

/// A manifest that is ordered, and of whom.
pub struct Sheet<'a> {
    /// Where its rows come from.
    pub source: &'a Source,
    /// What is known of it.
    pub survey: &'a Survey,
    /// Its path, as the command line gives it.
    pub path: &'a Path,
    /// Whose API it is.
    pub provider: &'a str,
    /// The API's address, for people.
    pub api_url: &'a str,
}

/// Carries out the command.
pub async fn load(global: &Global, args: &LoadArgs) -> Result<u8, CliError> {
    let verbosity = global.verbosity();
    let endpoint = global.endpoint()?;
    let source = Source::open(&args.manifest)?;
    let survey = manifest::survey(&source)?;
    tell_warnings(&survey, verbosity);
    let mut queue = Queue::open_for_load(&global.database(options::DATABASE)?).await?;
    let sheet = Sheet {
        source: &source,
        survey: &survey,
        path: &args.manifest,
        provider: &endpoint.provider(),
        api_url: &endpoint.to_string(),
    };
    let (text, loaded) = match plan(&mut queue, &sheet, args.wish.wish()).await? {
        Plan::Resume(batch) => {
            let text = format!(
                "batch {} of this manifest is open, {} jobs are left: `{} run` goes on with it\n",
                batch.id,
                batch.counts.open(),
                global.command(None)
            );
            (text, Loaded::default())
        }
        Plan::Ended(batch) => {
            let exit_code = exit::of_counts(&batch.counts);
            (
                ended(&batch),
                Loaded {
                    exit_code,
                    ..Loaded::default()
                },
            )
        }
        Plan::New(policy) => {
            let loaded = enqueue(&mut queue, &sheet, policy).await?;
            let text = match loaded.batch {
                Some(batch) => {
                    let queued = super::batches::find(&mut queue, Some(batch))
                        .await?
                        .counts
                        .queued;
                    format!(
                        "{queued} jobs queued as batch {batch}: `{} run` works on them\n",
                        global.command(None)
                    )
                }
                None => "nothing is left to queue\n".to_owned(),
            };
            (text, loaded)
        }
    };
    queue.close().await?;
    if verbosity != Verbosity::Quiet {
        tell_prose(&text);
    }
    tell_left_out(&loaded, &global.command(None));
    Ok(if loaded.left_out.is_empty() {
        loaded.exit_code
    } else {
        exit::IN_DOUBT
    })
}

/// Decides which order the surveyed manifest is.
pub async fn plan(queue: &mut Queue, sheet: &Sheet<'_>, wish: Wish) -> Result<Plan, CliError> {
    if let Some(conflict) = queue.other_provider(&new_batch(sheet)?).await? {
        return Err(CliError::Conflict(conflict));
    }
    let mut same = queue.batches().await?;
    let identity = *sheet.survey.identity.as_bytes();
    same.retain(|batch| batch.identity == identity && batch.provider == sheet.provider);
    Ok(match order::decide(&same, wish, time::now_ms()) {
        Order::Resume(batch) => Plan::Resume(batch.clone()),
        Order::Ended(batch) => Plan::Ended(batch.clone()),
        Order::New(policy) => Plan::New(policy),
    })
}

/// Queues the manifest: all of it, or nothing.
pub async fn enqueue(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    policy: EnqueuePolicy,
) -> Result<Loaded, CliError> {
    let mut rows = sound_rows(sheet)?;
    let enqueued = queue.enqueue(&new_batch(sheet)?, policy, &mut rows).await?;
    let nothing_but_doubts = enqueued.batch.is_none() && !enqueued.left_out.is_empty();
    Ok(Loaded {
        batch: enqueued.batch,
        resumed: false,
        left_out: enqueued.left_out,
        exit_code: if nothing_but_doubts {
            exit::IN_DOUBT
        } else {
            exit::DONE
        },
    })
}

/// What [`enqueue`] would queue, without a trace: for the question before it.
pub async fn rehearse(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    policy: EnqueuePolicy,
) -> Result<Victims, CliError> {
    let mut rows = sound_rows(sheet)?;
    let rehearsed = queue
        .rehearse(&new_batch(sheet)?, policy, &mut rows)
        .await?;
    let left_out: HashSet<ServiceId> = rehearsed
        .skipped_done
        .into_iter()
        .chain(rehearsed.left_out)
        .collect();
    let mut victims = Victims::default();
    for row in sound_rows(sheet)? {
        let row = row?;
        if !left_out.contains(&row.service) {
            victims.add(Victim::from(&row));
        }
    }
    Ok(victims)
}

/// The manifest's rows once more. If they are not those that were surveyed, the last item is an error.
fn sound_rows(
    sheet: &Sheet<'_>,
) -> Result<impl Iterator<Item = Result<NewJob, ManifestError>> + Send, ManifestError> {
    let mut rows = manifest::rows(sheet.source)?;
    let identity = sheet.survey.identity;
    let name = sheet.source.name().to_owned();
    let mut ended = false;
    Ok(std::iter::from_fn(move || match rows.next() {
        Some(row) => Some(row),
        None if ended || rows.identity() == identity => None,
        None => {
            ended = true;
            Some(Err(ManifestError::Changed {
                name: name.clone(),
                line: None,
            }))
        }
    }))
}

fn new_batch(sheet: &Sheet<'_>) -> Result<NewBatch, CliError> {
    Ok(NewBatch {
        identity: *sheet.survey.identity.as_bytes(),
        provider: sheet.provider.to_owned(),
        api_url: sheet.api_url.to_owned(),
        manifest: sheet.source.name().to_owned(),
        path: order::absolute(sheet.path).map_err(CliError::System)?,
    })
}

/// What is worth a look in a manifest that is otherwise sound.
pub fn tell_warnings(survey: &Survey, verbosity: Verbosity) {
    if verbosity != Verbosity::Quiet && !survey.warnings.is_empty() {
        tell_prose(&survey.warnings.to_string());
    }
}

/// Says that a batch has ended, and what to do about what is left of it.
pub fn ended(batch: &Batch) -> String {
    let counts = &batch.counts;
    let mut text = format!(
        "nothing to do: batch {} of this manifest has ended ({} done, {} failed, {} in doubt, {} cancelled)\n",
        batch.id, counts.done, counts.failed, counts.in_doubt, counts.cancelled
    );
    if counts.in_doubt > 0 {
        text.push_str("hint: `refleet list --state in_doubt` names the doubts, `refleet resolve` settles them\n");
    }
    if counts.failed > 0 {
        text.push_str(
            "hint: `refleet retry --failed` puts the failed, untouched ones back in the queue\n",
        );
    }
    text.push_str("hint: --again orders all of it once more\n");
    text
}

/// Names the services that were left out: always, since they need a human.
pub fn tell_left_out(loaded: &Loaded, command: &str) {
    const NAMED_MAX: usize = 20;
    if loaded.left_out.is_empty() {
        return;
    }
    let named: Vec<String> = loaded
        .left_out
        .iter()
        .take(NAMED_MAX)
        .map(ToString::to_string)
        .collect();
    let more = match loaded.left_out.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" … and {more} more"),
    };
    tell_prose(&format!(
        "warning: left out, because an earlier batch holds them in doubt: {}{more}\n\
         hint: `{command} resolve SERVICE_ID --batch ID --as done|requeue|failed --reason TEXT` settles a doubt\n",
        named.join(", ")
    ));
}
