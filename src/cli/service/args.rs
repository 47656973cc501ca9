//! The options.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use crate::cli::headings::OUTPUT;
use crate::cli::hook_args::HookArgs;
use crate::cli::monitor_args::MonitorArgs;
use crate::cli::options::PaceArgs;
use crate::cli::run::{ProgressArg, RunArgs};

const EXAMPLES: &str = "\
Examples:
  refleet work --db postgres://refleet@db/refleet       on each host
  refleet run fleet.csv --order-only --db postgres://…  order, from anywhere
  refleet hosts --db postgres://refleet@db/refleet      who works, what waits

An order keeps the rules that it was made with (--canary, --window,
--max-failures, ...); what is typed here counts before them.
examples/systemd/refleet-work.service runs it as a service.";

/// Work on every order of the account, as a service on one of several hosts.
///
/// Takes the oldest open order of its account that no other host works on, then the next, and waits where
/// there is none. Where another host works for the account, this one stands by, and takes over when that
/// one's lease runs out. An order that ended with failures, doubts or a halt waits until somebody has
/// spoken. Where the configuration holds several accounts and none is named, it works for all of them,
/// each with a rate of its own. Needs a queue on a PostgreSQL server.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "refleet work [OPTIONS]", after_help = EXAMPLES)]
// What is accepted has to be waited for, and that is what a service is for.
#[command(mut_arg("no_wait", |argument| argument.hide(true)))]
pub struct WorkArgs {
    /// Accounts to work for at once, at most
    #[arg(long, value_name = "N", default_value = "100")]
    pub accounts: NonZeroU32,

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
}

impl WorkArgs {
    /// As the options of the run that goes on with each order.
    pub fn of_run(&self) -> RunArgs {
        RunArgs::to_go_on(
            self.pace.clone(),
            self.hooks.clone(),
            self.progress,
            self.events.clone(),
        )
    }
}
