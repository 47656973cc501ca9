//! The operator's word: `retry`, `resolve` and `cancel`. Each is one guarded transaction, safe
//! beside a run.

use clap::{Args, ValueEnum};

use super::batches::{self, BatchArg};
use super::error::CliError;
use super::output::{jobs, print_text, tell, tell_prose};
use super::{Global, exit};
use crate::job::{Entry, Executed, ServiceId, State, Verdict};
use crate::progress::Verbosity;
use crate::queue::{Open, Operated, QueuedJob, Selection};
use crate::time;

/// Services that are named before the rest is only counted.
const NAMED_MAX: usize = 20;

/// Put failed jobs back in the queue.
///
/// Those that were not touched, unless --wiped is given.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct RetryArgs {
    /// Instances whose jobs failed
    #[arg(group = "which", value_name = "SERVICE_ID")]
    pub services: Vec<ServiceId>,

    /// All failed jobs of the batch
    #[arg(long, group = "which")]
    pub failed: bool,

    /// Also those that were, or may have been, wiped: they are wiped once more
    #[arg(long)]
    pub wiped: bool,

    /// Which batch.
    #[command(flatten)]
    pub batch: BatchArg,
}

/// Give the operator's word on doubts.
///
/// What happened to these instances is known now, because somebody has looked.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct ResolveArgs {
    /// Instances in doubt
    #[arg(group = "which", value_name = "SERVICE_ID")]
    pub services: Vec<ServiceId>,

    /// All doubts of the batch
    #[arg(long, group = "which")]
    pub all: bool,

    /// `done`: it was rebuilt; `requeue`: send it again, whatever happened; `failed`: leave it as it is
    #[arg(long = "as", value_enum, value_name = "WORD")]
    pub verdict: Word,

    /// How you know: kept in the ledger
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub reason: String,

    /// Which batch.
    #[command(flatten)]
    pub batch: BatchArg,
}

/// Drop jobs that have not started, doubts, or failed jobs.
///
/// Their passwords are erased. A failed job that is dropped cannot be retried.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct CancelArgs {
    /// Instances
    #[arg(group = "which", value_name = "SERVICE_ID")]
    pub services: Vec<ServiceId>,

    /// All jobs of the batch that have not started, and all its doubts
    #[arg(long, group = "which")]
    pub all: bool,

    /// All failed jobs of the batch: they are not to be retried
    #[arg(long, group = "which")]
    pub failed: bool,

    /// Which batch.
    #[command(flatten)]
    pub batch: BatchArg,
}

/// The operator's word on a doubt.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Word {
    /// It was rebuilt
    Done,
    /// Send it again, whatever happened before
    Requeue,
    /// Leave it as it is
    Failed,
}

/// Carries out `refleet retry`.
pub async fn retry(global: &Global, args: &RetryArgs) -> Result<u8, CliError> {
    let wiped = args.wiped;
    let decide = move |job: &QueuedJob| {
        let executed = job.standing.executed();
        if executed != Executed::No && !wiped {
            return Err(format!(
                "was, or may have been, wiped (executed: {executed}): pass --wiped to wipe it once more"
            ));
        }
        Ok(Entry::Retried)
    };
    let command = Operation {
        selection: selection(args.failed, &args.services),
        states: &[State::Failed],
        decide: &decide,
        done: "put back in the queue: refleet run works on them",
    };
    operate(global, &args.batch, command).await
}

/// Carries out `refleet resolve`.
pub async fn resolve(global: &Global, args: &ResolveArgs) -> Result<u8, CliError> {
    let verdict = match args.verdict {
        Word::Done => Verdict::Done,
        Word::Requeue => Verdict::Requeue,
        Word::Failed => Verdict::Failed,
    };
    let reason = args.reason.clone();
    let decide = move |_: &QueuedJob| {
        Ok(Entry::Resolved {
            verdict,
            reason: reason.clone(),
        })
    };
    let command = Operation {
        selection: selection(args.all, &args.services),
        states: &[State::InDoubt],
        decide: &decide,
        done: match verdict {
            Verdict::Done => "resolved as done",
            Verdict::Requeue => "put back in the queue: refleet run works on them",
            Verdict::Failed => "resolved as failed",
        },
    };
    operate(global, &args.batch, command).await
}

/// Carries out `refleet cancel`.
pub async fn cancel(global: &Global, args: &CancelArgs) -> Result<u8, CliError> {
    // What failed is given up only when it is named, or asked for in so many words.
    let states: &[State] = if args.all {
        &[State::Queued, State::InDoubt]
    } else if args.failed {
        &[State::Failed]
    } else {
        &[State::Queued, State::InDoubt, State::Failed]
    };
    let command = Operation {
        selection: selection(args.all || args.failed, &args.services),
        states,
        decide: &|_| Ok(Entry::Cancelled),
        done: "cancelled",
    };
    operate(global, &args.batch, command).await
}

struct Operation<'a> {
    selection: Selection,
    states: &'a [State],
    decide: &'a (dyn Fn(&QueuedJob) -> Result<Entry, String> + Send + Sync),
    done: &'a str,
}

fn selection(all: bool, services: &[ServiceId]) -> Selection {
    if all {
        Selection::All
    } else {
        Selection::Services(services.to_vec())
    }
}

async fn operate(
    global: &Global,
    arg: &BatchArg,
    operation: Operation<'_>,
) -> Result<u8, CliError> {
    let (mut queue, batch) = batches::open(global, arg, Open::Change).await?;
    let Operation {
        selection,
        states,
        decide,
        done,
    } = operation;
    let named = matches!(selection, Selection::Services(_));
    let Operated { changed, refused } = queue
        .operate(batch.id, &selection, states, decide, time::now_ms())
        .await?;
    // Empties the write-ahead log too: a cancelled job's password must not stay there.
    queue.close().await?;
    if global.verbosity() != Verbosity::Quiet {
        print_text(&format!(
            "{} of batch {} {done}\n",
            jobs(changed.len() as u64),
            batch.id
        ))?;
    }
    for (service, reason) in refused.iter().take(NAMED_MAX) {
        tell_prose(&format!("left alone: service {service} {reason}\n"));
    }
    if refused.len() > NAMED_MAX {
        tell(&format!(
            "left alone: … and {} more\n",
            refused.len() - NAMED_MAX
        ));
    }
    // Named services that could not be served are the caller's error; with --all and --failed the
    // others were simply not meant.
    Ok(if named && !refused.is_empty() {
        exit::USAGE
    } else {
        exit::DONE
    })
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
