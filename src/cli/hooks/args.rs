//! The options.

use clap::{ArgGroup, Args, Subcommand};

use crate::cli::batches::BatchArg;
use crate::cli::format::{FormatArgs, ListFormat};
use crate::cli::hook_args::HookArgs;
use crate::job::ServiceId;

const EXAMPLES: &str = "\
Examples:
  refleet hooks                          which have not ended well, and why
  refleet hooks retry --failed
  refleet hooks forget 5113119           it was seen to by hand";

/// List the commands of `run --on-done` that have not ended well.
///
/// Those that wait are carried out by the run that works on their batch, or by the next one. One that was started,
/// and whose refleet has died since, is never started again by itself: nobody knows how far it has come.
#[derive(Debug, Args)]
#[command(override_usage = "refleet hooks [OPTIONS] [COMMAND]", args_conflicts_with_subcommands = true, after_help = EXAMPLES)]
pub struct HooksArgs {
    #[command(subcommand)]
    pub command: Option<HooksCommand>,

    #[command(flatten)]
    pub batch: BatchArg,

    #[command(flatten)]
    pub format: FormatArgs<ListFormat>,
}

#[derive(Debug, Subcommand)]
pub enum HooksCommand {
    Retry(RetryArgs),
    Forget(ForgetArgs),
}

/// Which are meant.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true))]
pub struct Which {
    /// Instances whose hooks are meant
    #[arg(group = "which", value_name = "SERVICE_ID")]
    pub services: Vec<ServiceId>,

    /// All hooks of the batch that have failed
    #[arg(long, group = "which")]
    pub failed: bool,

    /// All hooks of the batch that have not ended well: those too that wait, or were cut off
    #[arg(long, group = "which")]
    pub all: bool,

    #[command(flatten)]
    pub batch: BatchArg,
}

const RETRY_EXAMPLES: &str = "\
Examples:
  refleet hooks retry 5113119
  refleet hooks retry --failed --hook-workers 1
  refleet hooks retry --all --on-done ./repaired.sh";

/// Carry out hooks that have failed, or were cut off, once more.
///
/// By the command that their order was given, unless another one is given here. Safe beside a run: a hook is carried
/// out by one process at a time. Look first whether one that was cut off still runs. Exit code 1 means that some have failed again.
#[derive(Debug, Args)]
#[command(override_usage = "refleet hooks retry [OPTIONS] <SERVICE_ID>...|--failed|--all", after_help = RETRY_EXAMPLES)]
pub struct RetryArgs {
    #[command(flatten)]
    pub which: Which,

    #[command(flatten)]
    pub hooks: HookArgs,
}

const FORGET_EXAMPLES: &str = "\
Examples:
  refleet hooks forget 5113119 5113120
  refleet hooks forget --all --batch 3";

/// Give hooks up: they are not carried out any more.
///
/// The passwords of their instances are erased.
#[derive(Debug, Args)]
#[command(override_usage = "refleet hooks forget [OPTIONS] <SERVICE_ID>...|--failed|--all", after_help = FORGET_EXAMPLES)]
pub struct ForgetArgs {
    #[command(flatten)]
    pub which: Which,
}
