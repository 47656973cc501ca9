//! `refleet load`, and the part of `run` that turns a manifest into a batch.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::error::CliError;
use super::options;
use super::order::{self, Known, Order, OrderOptions};
use super::output::{self, named, tell_prose};
use super::sheet::{SheetArgs, tell_passed_over, tell_warnings};
use super::targets::{Target, Targets};
use super::{Global, access, exit, files};
use crate::job::{BatchId, NewJob, ServiceId};
use crate::manifest::{self, ManifestError, Source, Validated};
use crate::progress::Verbosity;
use crate::queue::{Batch, EnqueuePolicy, LeftOut, NewBatch, Queue, QueueLock};
use crate::text;
use crate::time;
use crate::time::{InvalidDuration, parse_duration};

/// Services that are named; of the others only the number is said.
const NAMED_MAX: usize = 20;

/// Which of a manifest's orders this is.
#[derive(Debug, Clone, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "options, not a state machine"
)]
pub struct WishArgs {
    /// Order it all once more, although it was done
    #[arg(long, conflicts_with_all = ["every", "skip_done"])]
    pub again: bool,

    /// Order once more what was last submitted at least so long ago, or never: for cron
    #[arg(long, value_name = "DURATION", value_parser = parse_every)]
    pub every: Option<Duration>,

    /// Leave out services that already got this image by an earlier manifest
    #[arg(long)]
    pub skip_done: bool,

    /// Take services, too, that an earlier order may have wiped without ending well
    #[arg(long)]
    pub wiped: bool,

    /// Take the passwords and keys of this file for an order that was made from another one
    #[arg(long, requires = "manifest")]
    pub update_access: bool,
}

impl Loaded {
    /// Of a batch that has ended.
    pub fn of_ended(batch: &Batch) -> Self {
        Self {
            exit_code: exit::of_counts(&batch.counts),
            ..Self::default()
        }
    }
}

impl WishArgs {
    /// The options.
    pub fn options(&self) -> OrderOptions {
        OrderOptions {
            again: self.again,
            every: self.every,
            skip_done: self.skip_done,
            wiped: self.wiped,
            update_access: self.update_access,
        }
    }
}

/// Why a text is nothing that an order could be repeated by.
#[derive(Debug, Clone, thiserror::Error)]
enum InvalidEvery {
    #[error(transparent)]
    Duration(#[from] InvalidDuration),
    #[error("must be more than zero; --again orders all of it once more, whenever it was")]
    Zero,
}

fn parse_every(text: &str) -> Result<Duration, InvalidEvery> {
    let every = parse_duration(text)?;
    (!every.is_zero())
        .then_some(every)
        .ok_or(InvalidEvery::Zero)
}

/// Queue a manifest without working on it.
#[derive(Debug, Args)]
#[command(override_usage = "refleet load [OPTIONS] <MANIFEST>")]
pub struct LoadArgs {
    /// The spreadsheet, or `-` for stdin
    pub manifest: PathBuf,

    /// Which of a manifest's orders this is.
    #[command(flatten)]
    pub options: WishArgs,

    /// How it is read.
    #[command(flatten)]
    pub sheet: SheetArgs,
}

/// What became of a manifest.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The batch to work on; `None`: nothing is to be done.
    pub batch: Option<BatchId>,
    /// It had been begun before.
    pub resumed: bool,
    /// When it has ended, the same command is to look once more (`--every`).
    pub once_more: bool,
    /// Rows of the manifest that did not become jobs.
    pub left_out: LeftOut,
    /// The process's exit code, where nothing worse is to be said: that of what was left out, or of
    /// the batch that has ended.
    pub exit_code: u8,
}

/// What is to be done with a manifest.
pub enum Plan {
    /// Its batch is open.
    Resume {
        /// The batch.
        batch: Batch,
        /// When it has ended, there is a new order to be made.
        once_more: bool,
    },
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
    pub validated: &'a Validated,
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
    let source = args.sheet.open(&args.manifest)?;
    let validated = manifest::validated(&source)?;
    tell_warnings(&validated, verbosity);
    tell_passed_over(&validated, verbosity);
    let mut queue = Queue::open_for_load(&global.database(options::DATABASE)?).await?;
    files::tell_notes(global, queue.notes());
    let sheet = Sheet {
        source: &source,
        validated: &validated,
        path: &args.manifest,
        provider: &endpoint.provider(),
        api_url: &endpoint.to_string(),
    };
    let options = args.options.options();
    let command = global.command(None);
    let (text, loaded) = match plan(&mut queue, &sheet, options).await? {
        Plan::Resume { batch, .. } => {
            let news = access::look(&mut queue, &sheet, &batch, options).await?;
            if news.taken > 0 || batch.identity != *validated.identity.as_bytes() {
                let _lock = QueueLock::acquire(queue.path())?;
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
        Plan::Ended(batch) => (ended(&batch, &sheet, &command), Loaded::of_ended(&batch)),
        Plan::New(policy) => {
            files::announce_if_empty(&mut queue).await?;
            let loaded = enqueue(&mut queue, &sheet, policy).await?;
            let text = match loaded.batch {
                Some(batch) => {
                    let batch = super::batches::find(&mut queue, Some(batch)).await?;
                    format!(
                        "{} queued as batch {}: `{command} run` works on them\n",
                        output::jobs(batch.counts.queued),
                        batch.id
                    )
                }
                None => "nothing is left to queue\n".to_owned(),
            };
            (text, loaded)
        }
    };
    queue.close().await?;
    tell_left_out(&loaded.left_out, options, &command, verbosity);
    if verbosity != Verbosity::Quiet {
        tell_prose(&text);
    }
    Ok(loaded.exit_code)
}

/// Decides which order the surveyed manifest is.
pub async fn plan(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    options: OrderOptions,
) -> Result<Plan, CliError> {
    if let Some(conflict) = queue.other_provider(&new_batch(sheet)?).await? {
        return Err(CliError::Conflict(conflict));
    }
    let mut batches = queue.batches().await?;
    batches.retain(|batch| batch.provider == sheet.provider);
    let file = order::absolute(sheet.path).map_err(CliError::System)?;
    let identity = *sheet.validated.identity.as_bytes();
    let of = |wanted: &dyn Fn(&Batch) -> bool| -> Vec<Batch> {
        let batches = batches.iter();
        batches.filter(|batch| wanted(batch)).cloned().collect()
    };
    let known = Known {
        same: &of(&|batch| batch.identity == identity),
        path: &of(&|batch| order::is_same_file(&batch.path, &file)),
    };
    match order::decide(&known, options, time::now_ms()) {
        Order::Resume { batch, then } => {
            if let Some(policy) = then {
                // What forbids the order that follows is said before anything is sent.
                let mut rows = sound_rows(sheet.source, sheet.validated)?;
                queue.preview(&new_batch(sheet)?, policy, &mut rows).await?;
            }
            Ok(Plan::Resume {
                batch: batch.clone(),
                once_more: then.is_some(),
            })
        }
        Order::Ended(batch) => Ok(Plan::Ended(batch.clone())),
        Order::New(policy) => {
            // Whoever adds a forgotten key has another manifest by its digest, and the same order.
            for batch in batches.into_iter().rev().filter(Batch::is_open) {
                if access::is_same_but_for_access(queue, sheet, &batch).await? {
                    return Ok(Plan::Resume {
                        batch,
                        once_more: options.every.is_some(),
                    });
                }
            }
            Ok(Plan::New(policy))
        }
        Order::Future(batch) => Err(CliError::FutureOrder {
            batch: batch.id,
            at_ms: batch.created_ms,
        }),
    }
}

/// Queues the manifest: all of it, or nothing.
pub async fn enqueue(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    policy: EnqueuePolicy,
) -> Result<Loaded, CliError> {
    let mut rows = sound_rows(sheet.source, sheet.validated)?;
    let enqueued = queue.enqueue(&new_batch(sheet)?, policy, &mut rows).await?;
    let left_out = enqueued.left_out;
    Ok(Loaded {
        batch: enqueued.batch,
        exit_code: match (left_out.held.is_empty(), left_out.failed.is_empty()) {
            (false, _) => exit::IN_DOUBT,
            (true, false) => exit::FAILED,
            (true, true) => exit::DONE,
        },
        left_out,
        ..Loaded::default()
    })
}

/// What [`enqueue`] would queue, without a trace: for the question before it.
pub async fn rehearse(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    policy: EnqueuePolicy,
) -> Result<Targets, CliError> {
    let mut rows = sound_rows(sheet.source, sheet.validated)?;
    let rehearsed = queue.preview(&new_batch(sheet)?, policy, &mut rows).await?;
    let LeftOut {
        done,
        replaced: _,
        held,
        not_due,
        other_image: _,
        failed: _,
    } = rehearsed.left_out;
    let held = held.into_iter().map(|(service, _)| service);
    let left_out: HashSet<ServiceId> = done.into_iter().chain(held).chain(not_due).collect();
    let mut targets = Targets::default();
    for row in sound_rows(sheet.source, sheet.validated)? {
        let row = row?;
        if !left_out.contains(&row.service) {
            targets.add(Target::from(&row));
        }
    }
    Ok(targets)
}

/// The manifest's rows once more. If they are not those that were surveyed, the last item is an error.
pub fn sound_rows(
    source: &Source,
    validated: &Validated,
) -> Result<impl Iterator<Item = Result<NewJob, ManifestError>> + Send, ManifestError> {
    let mut rows = manifest::rows(source)?;
    let identity = validated.identity;
    let name = source.name().to_owned();
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
        identity: *sheet.validated.identity.as_bytes(),
        provider: sheet.provider.to_owned(),
        api_url: sheet.api_url.to_owned(),
        manifest: sheet.source.name().to_owned(),
        path: order::absolute(sheet.path).map_err(CliError::System)?,
    })
}

/// Says that a batch has ended, and what to do about what is left of it.
pub fn ended(batch: &Batch, sheet: &Sheet<'_>, command: &str) -> String {
    let counts = &batch.counts;
    let id = batch.id;
    let mut said = format!(
        "nothing to do: batch {id} of this manifest has ended ({} done, {} failed, {} in doubt, {} cancelled)\n",
        counts.done, counts.failed, counts.in_doubt, counts.cancelled
    );
    // Writing to a String cannot fail.
    if counts.in_doubt > 0 {
        let _ = writeln!(
            said,
            "hint: `{command} list --state in_doubt --batch {id}` names the doubts, `{command} resolve` settles them"
        );
    }
    if counts.failed > 0 {
        let (from, access) = if sheet.path.as_os_str() == "-" {
            (String::new(), "")
        } else {
            let path = sheet.path.to_string_lossy();
            let from = format!(" --from {}", text::shell_word(&path));
            (
                from,
                ", with the passwords and keys that the file gives now",
            )
        };
        let _ = writeln!(
            said,
            "hint: `{command} retry --failed --batch {id}{from}` puts the failed, untouched ones back in the queue{access}"
        );
    }
    said.push_str("hint: --again orders all of it once more\n");
    said
}

/// Says which rows were left out: the harmless ones by number, and by name, always, those that
/// need a human.
pub fn tell_left_out(
    left_out: &LeftOut,
    options: OrderOptions,
    command: &str,
    verbosity: Verbosity,
) {
    let LeftOut {
        done,
        replaced,
        held,
        not_due,
        other_image,
        failed,
    } = left_out;
    let mut text = String::new();
    // Writing to a String cannot fail.
    if verbosity != Verbosity::Quiet {
        if !done.is_empty() {
            let _ = writeln!(text, "left out: {} that already got this image", done.len());
        }
        if let Some(every) = options.every.filter(|_| !not_due.is_empty()) {
            let every = time::short(every);
            let _ = writeln!(
                text,
                "left out: {} submitted less than {every} ago",
                not_due.len()
            );
        }
    }
    if !replaced.is_empty() {
        let _ = writeln!(
            text,
            "warning: left out, though they got another image since: {}\n\
             hint: a manifest of these rows alone, ordered with --again, brings it back",
            named(replaced, NAMED_MAX)
        );
    }
    if !other_image.is_empty() {
        let _ = writeln!(
            text,
            "warning: not due yet, and last rebuilt with another image than the manifest asks for: {}\n\
             hint: they get it when they are due; a manifest of these rows alone, ordered with --again, does it now",
            named(other_image, NAMED_MAX)
        );
    }
    if let Some((service, batch)) = failed.first() {
        let services: Vec<ServiceId> = failed.iter().map(|(service, _)| *service).collect();
        let _ = writeln!(
            text,
            "warning: not due yet, and their last rebuild failed: {}\n\
             hint: `{command} show {service}` tells why, `{command} retry {service} --wiped --batch {batch}` wipes it once more",
            named(&services, NAMED_MAX)
        );
    }
    if let Some((service, batch)) = held.first() {
        let services: Vec<ServiceId> = held.iter().map(|(service, _)| *service).collect();
        let _ = writeln!(
            text,
            "warning: left out, because an earlier batch holds them in doubt: {}\n\
             hint: `{command} resolve {service} --batch {batch} --as done|requeue|failed --reason TEXT` settles a doubt",
            named(&services, NAMED_MAX)
        );
    }
    if !text.is_empty() {
        tell_prose(&text);
    }
}
