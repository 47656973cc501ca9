//! The options.

use clap::Args;

use crate::cli::batches::BatchArg;
use crate::cli::options::parse_rate;
use crate::cli::resolve::parse_reason;
use crate::job::{Limits, Tolerance};
const PAUSE_EXAMPLES: &str = "\
Examples:
  refleet pause --reason \"the new image does not boot\"
  refleet go --reason \"it was the cache\"          and it goes on";

/// Start nothing more of a batch until `refleet go`.
///
/// Returns when everything that was sent has been answered; from then on no rebuild is ordered.
/// Those that have begun go on, and are seen through by the run at work, which then waits. A run
/// that is started meanwhile ends with exit code 6. A crash does not lift the pause.
#[derive(Debug, Args)]
#[command(override_usage = "refleet pause [OPTIONS] --reason <TEXT>", after_help = PAUSE_EXAMPLES)]
pub struct PauseArgs {
    /// Why; the ledger keeps it, and every run says it
    #[arg(long, value_name = "TEXT", value_parser = parse_why)]
    pub reason: String,

    #[command(flatten)]
    pub batch: BatchArg,
}
const GO_EXAMPLES: &str = "\
Examples:
  refleet go --reason \"it was the cache\"
  refleet go --canaries --reason \"looked at web-1: it is fine\"";

/// Lift the pause of a batch, or its wait for those that go first.
///
/// A run that waits goes on within a second.
#[derive(Debug, Args)]
#[command(override_usage = "refleet go [OPTIONS] --reason <TEXT>", after_help = GO_EXAMPLES)]
pub struct GoArgs {
    /// Let the others start though those that go first (--canary) are not proven, and leave a pause as it is
    #[arg(long)]
    pub canaries: bool,

    /// Why; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = parse_why)]
    pub reason: String,

    #[command(flatten)]
    pub batch: BatchArg,
}
const SET_EXAMPLES: &str = "\
Examples:
  refleet set --workers 2 --reason \"the panel is slow\"
  refleet set --rate 0.5 --max-failures 10";

/// Change the limits of the run at work.
///
/// They count from its next start and its next call on, within a second, and until it ends. Fewer
/// workers end no rebuild that has begun.
#[derive(Debug, Args)]
#[command(override_usage = "refleet set [OPTIONS] <--workers <N>|--rate <N>|--max-failures <N|P%>>...", after_help = SET_EXAMPLES)]
#[command(group = clap::ArgGroup::new("limits").required(true).multiple(true))]
pub struct SetArgs {
    /// Instances rebuilt at once
    #[arg(long, group = "limits", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub workers: Option<u32>,

    /// API calls per second, all kinds together and evenly spaced; 0 for no limit
    #[arg(long, group = "limits", value_name = "N", value_parser = parse_rate)]
    pub rate: Option<f64>,

    /// Halt when this many jobs, or this share of the batch, have failed or are in doubt; 100% for never
    #[arg(long, group = "limits", value_name = "N|P%")]
    pub max_failures: Option<Tolerance>,

    /// Why; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = parse_why)]
    pub reason: Option<String>,

    #[command(flatten)]
    pub batch: BatchArg,
}

impl SetArgs {
    pub fn limits(&self) -> Limits {
        Limits {
            workers: self.workers.map(|workers| workers as usize),
            rate_per_s: self.rate,
            max_failures: self.max_failures,
        }
    }
}
const DRAIN_EXAMPLES: &str = "\
Examples:
  refleet drain --reason \"the morning comes early\"
  refleet run                        goes on with what is left";

/// Let the run at work end what has begun, and start nothing more.
///
/// It ends with exit code 4 if something is left; the next run goes on with that.
#[derive(Debug, Args)]
#[command(override_usage = "refleet drain [OPTIONS]", after_help = DRAIN_EXAMPLES)]
pub struct DrainArgs {
    /// Why; the ledger keeps it
    #[arg(long, value_name = "TEXT", value_parser = parse_why)]
    pub reason: Option<String>,

    #[command(flatten)]
    pub batch: BatchArg,
}

fn parse_why(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        return Err("say why");
    }
    parse_reason(text)
}
