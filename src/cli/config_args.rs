//! The options of `refleet config`.

use clap::{Args, Subcommand};
const EXAMPLES: &str = "\
Examples:
  refleet config show
  refleet config show --account north --json";

/// Show what config.toml, the environment and the command line come to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ConfigArgs {
    #[command(subcommand)]
    pub command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    Show(ShowArgs),
}
/// Show what applies to an account and where it came from, without any secret.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ShowArgs {
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
}
