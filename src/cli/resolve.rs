//! The operator's word: `retry`, `resolve` and `cancel`. Each is one guarded transaction, safe
//! beside a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::batches::{self, BatchArg};
use super::database;
use super::error::CliError;
use super::global::Global;
use super::held::{Waited, held_now};
use super::lookup;
use super::manifest::ManifestArgs;
use super::next;
use super::order::sound_rows;
use super::orphans::Orphans;
use super::output::{print_text, tell, tell_prose};
use super::suggestions::Suggestions;
use super::words::jobs;
use crate::cli::recorded::hooks_of;
use crate::exit::Exit;
use crate::job::{BatchId, Executed, KeyHint, LedgerEntry, ServiceId, State, Terms, Verdict};
use crate::manifest::{Source, Validated};
use crate::progress::Verbosity;
use crate::queue::{
    Backend as _, Batch, CommandOutcome, Decision, Open, Overview as _, Queue, QueuedJob,
    Selection, Store as _,
};
use crate::time;

/// Services that are named before the rest is only counted.
const NAMED_MAX: usize = 20;
const RETRY_EXAMPLES: &str = "\
Examples:
  refleet retry --failed                     those that were not touched
  refleet retry --failed --from fleet.csv    with the passwords as they are now
  refleet retry 5113119 --wiped              wipe it once more";

/// Put failed jobs back in the queue.
///
/// Without --wiped, only those whose instance was not touched.
#[derive(Debug, Args)]
#[command(override_usage = "refleet retry [OPTIONS] <SERVICE_ID>...|--failed", after_help = RETRY_EXAMPLES)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct RetryArgs {
    /// Instances whose failed jobs are meant
    #[arg(group = "which", value_name = "SERVICE_ID")]
    pub services: Vec<ServiceId>,

    /// All failed jobs of the batch
    #[arg(long, group = "which")]
    pub failed: bool,

    /// Also those whose instance was, or may have been, wiped; it is wiped once more
    #[arg(long)]
    pub wiped: bool,

    /// Take passwords and keys from this manifest, where its row has the same image and zone
    #[arg(id = "manifest", long = "from", value_name = "MANIFEST")]
    pub from: Option<PathBuf>,

    #[command(flatten)]
    pub sheet: ManifestArgs,

    #[command(flatten)]
    pub batch: BatchArg,
}
const RESOLVE_EXAMPLES: &str = "\
Examples:
  refleet resolve 5113119 --as done --reason \"logged in: it is the new image\"
  refleet resolve 5113119 --as requeue --reason \"the old image still runs\"
  refleet resolve --suggested                what the host keys say, asked once
  refleet resolve --all --as failed --reason \"restored by hand, ticket 4711\"";

/// Settle doubts, and failures after a wipe, by the operator's word.
///
/// For instances whose fate is known because somebody has looked at them.
#[derive(Debug, Args)]
#[command(override_usage = "refleet resolve [OPTIONS] --as <WORD> --reason <TEXT> <SERVICE_ID>...|--all\n       refleet resolve [OPTIONS] --suggested", after_help = RESOLVE_EXAMPLES)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct ResolveArgs {
    /// Instances in doubt, or failed after they were wiped
    #[arg(group = "which", value_name = "SERVICE_ID")]
    pub services: Vec<ServiceId>,

    /// All doubts of the batch
    #[arg(long, group = "which")]
    pub all: bool,

    /// Show the held doubts of whose instances the host keys say something, and settle all of them by one word: as done where the key is new, to be sent again where it is the same
    #[arg(long, group = "which", conflicts_with_all = ["verdict", "reason"])]
    pub suggested: bool,

    /// `done`: it was rebuilt; `requeue`: send it again, whatever happened; `failed`: leave it as it is
    #[arg(
        long = "as",
        value_enum,
        value_name = "WORD",
        required_unless_present = "suggested"
    )]
    pub verdict: Option<Word>,

    /// How you know; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = parse_reason, required_unless_present = "suggested")]
    pub reason: Option<String>,

    #[command(flatten)]
    pub batch: BatchArg,
}
const CANCEL_EXAMPLES: &str = "\
Examples:
  refleet cancel 5113119 5113120             these two are not to be wiped
  refleet cancel --all                       give up what has not started
  refleet cancel --failed --batch 3";

/// Drop jobs that have not started, are in doubt, or have failed.
///
/// Their passwords are erased. A failed job that is dropped cannot be retried.
#[derive(Debug, Args)]
#[command(override_usage = "refleet cancel [OPTIONS] <SERVICE_ID>...|--all|--failed", after_help = CANCEL_EXAMPLES)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct CancelArgs {
    /// Instances whose jobs are meant
    #[arg(group = "which", value_name = "SERVICE_ID")]
    pub services: Vec<ServiceId>,

    /// All jobs of the batch that have not started, and all its doubts
    #[arg(long, group = "which")]
    pub all: bool,

    /// All failed jobs of the batch
    #[arg(long, group = "which")]
    pub failed: bool,

    #[command(flatten)]
    pub batch: BatchArg,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Word {
    /// It was rebuilt
    Done,
    /// Send it again, whatever happened before
    Requeue,
    /// Leave it as it is
    Failed,
}

pub async fn retry(global: &Global, args: &RetryArgs) -> Result<Exit, CliError> {
    let wiped = args.wiped;
    let decide = move |job: &QueuedJob, touched_by: Option<BatchId>| {
        let action = job.order.action();
        if action.is_repeatable() {
            return Ok(LedgerEntry::Retried);
        }
        let Terms { touched, touch, .. } = action.terms();
        if let Some(batch) = touched_by.filter(|_| !wiped) {
            return Err(format!(
                "was, or may have been, {touched} by batch {batch} since: pass --wiped to {touch} it once more"
            ));
        }
        let executed = job.record.executed();
        if executed != Executed::No && !wiped {
            return Err(format!(
                "was, or may have been, {touched} (executed: {executed}): pass --wiped to {touch} it once more"
            ));
        }
        Ok(LedgerEntry::Retried)
    };
    let operation = Operation {
        selection: selection(args.failed, &args.services),
        states: &[State::Failed],
        decide: &decide,
        done: Done::Queued,
        // What the manifest gives would not be taken.
        leads_to: Some(State::Queued).filter(|_| args.from.is_none()),
        none: "has failed",
        from: match &args.from {
            Some(path) => Some(args.sheet.read(path).await?),
            None => None,
        },
    };
    carry_out(global, &args.batch, operation).await
}

pub async fn resolve(global: &Global, args: &ResolveArgs) -> Result<Exit, CliError> {
    let (Some(word), Some(reason)) = (args.verdict, &args.reason) else {
        return suggested(global, args).await;
    };
    let verdict = match word {
        Word::Done => Verdict::Done,
        Word::Requeue => Verdict::Requeue,
        Word::Failed => Verdict::Failed,
    };
    let reason = reason.clone();
    let decide = move |job: &QueuedJob, _: Option<BatchId>| {
        if job.record.state == State::Failed {
            if job.record.executed() == Executed::No {
                return Err("failed untouched: `retry` sends it again".to_owned());
            }
            if verdict == Verdict::Requeue {
                return Err(
                    "has failed, and is in no doubt: `retry --wiped` sends it again".to_owned(),
                );
            }
        }
        Ok(LedgerEntry::Resolved {
            verdict,
            reason: reason.clone(),
            hook: false,
        })
    };
    let operation = Operation {
        selection: selection(args.all, &args.services),
        // A failed job is spoken of only when its service is named.
        states: if args.all {
            &[State::InDoubt]
        } else {
            &[State::InDoubt, State::Failed]
        },
        decide: &decide,
        done: match verdict {
            Verdict::Done => Done::Is("resolved as done"),
            Verdict::Requeue => Done::Queued,
            Verdict::Failed => Done::Is("resolved as failed"),
        },
        leads_to: Some(match verdict {
            Verdict::Done => State::Done,
            Verdict::Requeue => State::Queued,
            Verdict::Failed => State::Failed,
        }),
        none: "is in doubt",
        from: None,
    };
    carry_out(global, &args.batch, operation).await
}

/// Settles the doubts that have a hint, once somebody has seen them all.
async fn suggested(global: &Global, args: &ResolveArgs) -> Result<Exit, CliError> {
    let Some(suggestions) = Suggestions::ask(global, &args.batch).await? else {
        return Ok(Exit::Done);
    };
    let mut exit = Exit::Done;
    for hint in [KeyHint::New, KeyHint::Same] {
        let services = suggestions.of(hint);
        if services.is_empty() {
            continue;
        }
        let decide = |job: &QueuedJob, _: Option<BatchId>| suggestions.settle(job);
        let operation = Operation {
            selection: Selection::Services(services),
            states: &[State::InDoubt],
            decide: &decide,
            done: match hint {
                KeyHint::New => Done::Is("resolved as done"),
                KeyHint::Same => Done::Queued,
            },
            leads_to: None,
            none: "is in doubt",
            from: None,
        };
        let settled = carry_out(global, &suggestions.batch, operation).await?;
        if settled != Exit::Done {
            exit = settled;
        }
    }
    Ok(exit)
}

pub async fn cancel(global: &Global, args: &CancelArgs) -> Result<Exit, CliError> {
    // A failed job is dropped only when its service is named, or with --failed.
    let (states, none): (&[State], _) = if args.all {
        (&[State::Queued, State::InDoubt], "is queued or in doubt")
    } else if args.failed {
        (&[State::Failed], "has failed")
    } else {
        (
            &[State::Queued, State::InDoubt, State::Failed],
            "is queued, in doubt or has failed",
        )
    };
    let operation = Operation {
        selection: selection(args.all || args.failed, &args.services),
        states,
        decide: &|_, _| Ok(LedgerEntry::Cancelled),
        done: Done::Is("cancelled"),
        leads_to: Some(State::Cancelled),
        none,
        from: None,
    };
    carry_out(global, &args.batch, operation).await
}

struct Operation<'a> {
    selection: Selection,
    states: &'a [State],
    decide: &'a Decision<'a>,
    done: Done,
    /// Where a job stands then, if that is all: one that stands there already was moved by somebody else.
    leads_to: Option<State>,
    /// What can be said of no job of the batch where none is meant.
    none: &'static str,
    /// The manifest that gives the access.
    from: Option<(Source, Validated)>,
}

/// What became of the jobs that moved.
#[derive(Clone, Copy)]
enum Done {
    /// They wait for a run.
    Queued,
    /// This, in one word.
    Is(&'static str),
}

fn selection(all: bool, services: &[ServiceId]) -> Selection {
    if all {
        Selection::All
    } else {
        Selection::Services(services.to_vec())
    }
}

async fn carry_out(
    global: &Global,
    arg: &BatchArg,
    mut operation: Operation<'_>,
) -> Result<Exit, CliError> {
    let (mut queue, batch, outcome) = Box::pin(apply(global, arg, &mut operation)).await?;
    let CommandOutcome { changed, refused } = outcome;
    let Operation {
        done,
        none,
        leads_to,
        ..
    } = operation;
    let there = leads_to.map(CommandOutcome::stands);
    let is_there = |why: &str| there.as_deref() == Some(why);
    let named = matches!(operation.selection, Selection::Services(_));
    let next = next::go_on(global, &mut queue, &batch).await?;
    let stopped_by = stopped_by(&mut queue, &batch).await?;
    // Empties the write-ahead log too: a cancelled job's password must not stay there.
    queue.close().await?;
    if global.verbosity() != Verbosity::Quiet {
        let (id, moved) = (batch.id, changed.len());
        let said = match (done, moved) {
            (_, 0) if refused.is_empty() => {
                format!("nothing was changed: no job of batch {id} {none}")
            }
            (_, 0) => format!("nothing was changed in batch {id}"),
            (Done::Is(what), _) => format!("{} of batch {id} {what}", jobs(moved as u64)),
            (Done::Queued, _) => format!(
                "{} of batch {id} put back in the queue: `{next}` works on {}",
                jobs(moved as u64),
                if moved == 1 { "it" } else { "them" }
            ),
        };
        print_text(&format!("{said}\n"))?;
    }
    for (service, reason) in refused.iter().take(NAMED_MAX) {
        let already = if is_there(reason) { " already" } else { "" };
        tell_prose(&format!(
            "left alone: service {service} {reason}{already}\n"
        ));
    }
    if refused.len() > NAMED_MAX {
        tell(&format!(
            "left alone: … and {} more\n",
            refused.len() - NAMED_MAX
        ));
    }
    if let Some(lost) = stopped_by {
        tell_prose(&format!(
            "no run of batch {} starts anything yet: {lost} was to go first; `{} show {}` tells what to say of it\n",
            batch.id,
            next::command_for(global, &batch),
            lost.service
        ));
    }
    // A named service whose job cannot be moved is the caller's error, unless it stands already where it was
    // to be: somebody has said the same. --all and --failed mean only those whose jobs can.
    let is_wrong = refused.iter().any(|(_, why)| !is_there(why));
    Ok(if named && is_wrong {
        Exit::Usage
    } else {
        Exit::Done
    })
}

/// One that was to go first, and of which only somebody's word lets any run of `batch` start something.
async fn stopped_by(queue: &mut Queue, batch: &Batch) -> Result<Option<Waited>, CliError> {
    // As it is now: the batch was read before its jobs were moved.
    let counts = queue.counts(batch.id).await?;
    let batch = Batch {
        counts,
        ..batch.clone()
    };
    if counts.queued == 0 {
        return Ok(None);
    }
    let held = held_now(queue, &batch).await?;
    Ok(held.lost_canaries().next().copied())
}

/// Does to the jobs what was decided; the queue is open still.
async fn apply(
    global: &Global,
    arg: &BatchArg,
    operation: &mut Operation<'_>,
) -> Result<(Queue, Batch, CommandOutcome), CliError> {
    let manifest = match operation.from.take() {
        Some(manifest) => {
            let lookup::Resolved {
                source, validated, ..
            } = lookup::resolve_if_named(global, manifest).await?;
            Some((source, validated))
        }
        None => None,
    };
    let (mut queue, batch) = batches::open(global, arg, Open::Change).await?;
    database::make_sure(&mut queue).await?;
    let sends_again = matches!(operation.done, Done::Queued);
    let orphans = if sends_again {
        Orphans::read(global, &mut queue, batch.id).await?
    } else {
        Orphans::default()
    };
    let recorded = queue.options(batch.id).await?;
    let has_hooks = recorded.as_ref().and_then(hooks_of).is_some();
    let decide: &Decision<'_> = &|job, touched_by| {
        if let Some(refused) = orphans.refuse(job).filter(|_| sends_again) {
            return Err(refused);
        }
        let mut entry = (operation.decide)(job, touched_by)?;
        if let LedgerEntry::Resolved { verdict, hook, .. } = &mut entry {
            // A success by somebody's word is one.
            *hook = has_hooks && *verdict == Verdict::Done;
        }
        Ok(entry)
    };
    let selection = &operation.selection;
    let outcome = if let Some((source, validated)) = &manifest {
        let mut rows = sound_rows(source, validated)?;
        queue
            .command_from(batch.id, selection, source.name(), &mut rows, decide)
            .await
            .map_err(|error| CliError::of_order(batch.action, error))?
    } else {
        let now_ms = time::now_ms();
        let states = operation.states;
        queue
            .command(batch.id, selection, states, decide, now_ms)
            .await?
    };
    Ok((queue, batch, outcome))
}

/// Words that are kept in the ledger.
pub fn parse_reason(text: &str) -> Result<String, &'static str> {
    let reason = text.trim();
    match reason.chars().count() {
        0 => Err("say how you know"),
        1..=1000 => Ok(crate::text::printable(reason).into_owned()),
        _ => Err("at most 1000 characters"),
    }
}
