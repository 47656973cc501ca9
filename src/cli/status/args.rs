//! The options.

use clap::Args;

use crate::cli::batches::BatchArg;
const EXAMPLES: &str = "\
Examples:
  refleet status                     how far it is, and what to do next
  refleet status --watch             until the run at work has ended
  refleet status --all               of every account
  refleet status --json | jq .counts";

/// Show how far the newest batch is.
///
/// Shows how many jobs are in each state, which process works on the batch, at which rate and until
/// when, the oldest doubt, and what to do next. It reads no job, so it is quick on any batch.
#[derive(Debug, Args)]
#[command(override_usage = "refleet status [OPTIONS]", after_help = EXAMPLES)]
pub struct StatusArgs {
    #[command(flatten)]
    pub batch: BatchArg,

    /// Of every account of config.toml, each with its own queue
    #[arg(long, conflicts_with = "batch")]
    pub all: bool,

    /// Show it again and again, for as long as a process works on the batch
    #[arg(long, conflicts_with = "all")]
    pub watch: bool,

    /// As one JSON object; with --watch one a line, as often as it changes
    #[arg(long)]
    pub json: bool,
}
