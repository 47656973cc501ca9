//! The options that say whom to tell how a run stands.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::headings::MONITORING;
use crate::monitor::{Format, When};

/// Whom to tell.
///
/// The addresses are texts here: clap would repeat one that it does not take, and whoever knows it may write
/// there.
#[derive(Debug, Clone, Default, Args)]
pub struct MonitorArgs {
    /// Write how it stands to this file, at the start, every 15 s and at the end, for Prometheus (its textfile collector reads DIRECTORY/*.prom)
    #[arg(long, help_heading = MONITORING, env = "REFLEET_METRICS", value_name = "FILE")]
    pub metrics: Option<PathBuf>,

    /// Tell healthchecks.io, or what speaks like it: URL/start, and URL/CODE with the summary
    #[arg(long, help_heading = MONITORING, env = "REFLEET_PING", hide_env_values = true, value_name = "URL")]
    pub ping: Option<String>,

    /// Tell this webhook how it has ended
    #[arg(long, help_heading = MONITORING,
        env = "REFLEET_NOTIFY",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub notify: Option<String>,

    /// In which words
    #[arg(long, help_heading = MONITORING,
        hide_short_help = true, env = "REFLEET_NOTIFY_FORMAT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    pub notify_format: FormatArg,

    /// Which ends it is told
    #[arg(long, help_heading = MONITORING,
        hide_short_help = true, env = "REFLEET_NOTIFY_WHEN",
        value_enum,
        default_value_t,
        value_name = "WHEN"
    )]
    pub notify_when: WhenArg,

    /// Let a shell carry this out at the end, within 10 s, with what is known as JSON on its stdin
    #[arg(long, help_heading = MONITORING,
        hide_short_help = true, env = "REFLEET_ON_END",
        hide_env_values = true,
        value_name = "CMD"
    )]
    pub on_end: Option<String>,
}

/// The words of a webhook.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum FormatArg {
    /// All that is known, as the command of --on-end gets it
    #[default]
    Json,
    /// A Slack channel; like the two below: numbers, and nobody's name
    Slack,
    /// A workflow of Microsoft Teams
    Teams,
    /// A topic of ntfy
    Ntfy,
}

impl From<FormatArg> for Format {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Json => Self::Json,
            FormatArg::Slack => Self::Slack,
            FormatArg::Teams => Self::Teams,
            FormatArg::Ntfy => Self::Ntfy,
        }
    }
}

/// Of which ends a webhook is told.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub enum WhenArg {
    /// Each
    Always,
    /// Any but exit code 0
    #[default]
    Problem,
    /// Another exit code than the last one
    Change,
}

impl From<WhenArg> for When {
    fn from(arg: WhenArg) -> Self {
        match arg {
            WhenArg::Always => Self::Always,
            WhenArg::Problem => Self::Problem,
            WhenArg::Change => Self::Change,
        }
    }
}
