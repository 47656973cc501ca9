//! The options.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::cli::headings::{ORDER, OUTPUT};
use crate::cli::hook_args::HookArgs;
use crate::cli::manifest::ManifestArgs;
use crate::cli::monitor_args::MonitorArgs;
use crate::cli::options::PaceArgs;
use crate::cli::order::OrderArgs;
use crate::cli::simulate::FaultArgs;
use crate::progress::{Choice, EventsTo};
use crate::time::parse_duration;

const EXAMPLES: &str = "\
Examples:
  refleet run fleet.csv --simulate --yes   rehearse, nothing real is touched
  refleet run fleet.csv                    ask, then rebuild; again: resume
  refleet run fleet.csv --plan plan.json   do what was approved, without asking
  refleet run fleet.csv --skip-done        one row was corrected: only that
  refleet run fleet.csv -yq --every 20h    nightly, from cron
  refleet run fleet.csv --canary 1         one of each image first
  refleet run fleet.csv --on-done ./next   a command after each success
  refleet run                              go on with the unfinished batch";

/// Rebuild what a manifest lists, or go on where an earlier run stopped.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag that somebody types"
)]
#[command(override_usage = "refleet run [OPTIONS] [MANIFEST]")]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// The spreadsheet, or `-` for standard input; without one, the unfinished batch goes on
    pub manifest: Option<PathBuf>,

    /// Do not ask before instances are destroyed
    #[arg(long, short)]
    pub yes: bool,

    /// Do exactly what this plan says, without asking; made by `refleet plan MANIFEST --out FILE`
    #[arg(long, value_name = "FILE", requires = "manifest")]
    pub plan: Option<PathBuf>,

    /// How old a plan may be when its order is made
    #[arg(long, hide_short_help = true, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    pub plan_age: Duration,

    /// Rehearse against a built-in simulator, with a database of its own and quick timings
    #[arg(long, requires = "manifest")]
    pub simulate: bool,

    /// Go on with an unfinished batch even if nothing has happened in it for 24 hours
    #[arg(long, hide_short_help = true)]
    pub stale: bool,

    #[command(flatten)]
    pub options: OrderArgs,

    /// Order it, and leave the work to `refleet work`; needs a queue on a PostgreSQL server
    #[arg(long, help_heading = ORDER, hide_short_help = true, conflicts_with_all = ["no_wait", "simulate"])]
    pub order_only: bool,

    #[command(flatten)]
    pub pace: PaceArgs,

    #[command(flatten)]
    pub hooks: HookArgs,

    /// How to show progress
    #[arg(long, help_heading = OUTPUT, value_enum, default_value_t, value_name = "KIND")]
    pub progress: ProgressArg,

    /// Append every event to this file as one JSON object a line; `-` for standard output
    #[arg(long, help_heading = OUTPUT, hide_short_help = true, value_name = "FILE|-")]
    pub events: Option<PathBuf>,

    #[command(flatten)]
    pub monitors: MonitorArgs,

    #[command(flatten)]
    pub sheet: ManifestArgs,

    #[command(flatten)]
    pub faults: FaultArgs,
}

impl RunArgs {
    /// Those of a run that goes on with an order, asks nobody, and works like this.
    pub fn to_go_on(
        pace: PaceArgs,
        hooks: HookArgs,
        progress: ProgressArg,
        events: Option<PathBuf>,
    ) -> Self {
        Self {
            manifest: None,
            yes: true,
            plan: None,
            plan_age: Duration::ZERO,
            options: OrderArgs::default(),
            order_only: false,
            stale: false,
            sheet: ManifestArgs::default(),
            pace,
            hooks,
            progress,
            events,
            simulate: false,
            // They are the service's.
            monitors: MonitorArgs::default(),
            faults: FaultArgs::default(),
        }
    }

    /// Somebody is to be asked before anything is destroyed.
    pub fn asks(&self) -> bool {
        !self.yes && self.plan.is_none()
    }

    /// Where the events go, if anywhere.
    pub fn events_to(&self) -> Option<EventsTo> {
        self.events.as_ref().map(|path| match path.to_str() {
            Some("-") => EventsTo::Stdout,
            _ => EventsTo::File(path.clone()),
        })
    }
}

/// How to show what happens.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum ProgressArg {
    /// A bar on a terminal, lines elsewhere
    #[default]
    Auto,
    /// A bar, as long as stderr is a terminal
    Bar,
    /// One line per event
    Plain,
    /// Nothing but the closing summary
    None,
}

impl From<ProgressArg> for Choice {
    fn from(arg: ProgressArg) -> Self {
        match arg {
            ProgressArg::Auto => Self::Auto,
            ProgressArg::Bar => Self::Bar,
            ProgressArg::Plain => Self::Plain,
            ProgressArg::None => Self::None,
        }
    }
}
