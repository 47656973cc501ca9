//! The options.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::manifest::ManifestArgs;
use crate::cli::options::PaceArgs;
use crate::cli::order::OrderArgs;

const EXAMPLES: &str = "\
Examples:
  refleet plan fleet.csv                          look at it
  refleet plan fleet.csv --out plan.json          write it down, to be approved
  refleet plan plan.json                          show what was written down
  refleet run fleet.csv --plan plan.json          do exactly that";

/// Show what an order would do, and write it down so that somebody can approve it; nothing is changed.
///
/// Reads the account's list and asks for the names of images. `run --plan` does exactly what the file
/// says: it is refused when the sheet, the account or the API is another one, and an instance on which
/// something else stands by then is left alone.
#[derive(Debug, Args)]
#[command(override_usage = "refleet plan [OPTIONS] <MANIFEST|PLAN>", after_help = EXAMPLES)]
pub struct PlanArgs {
    /// The spreadsheet, or `-` for standard input; or a plan that was written, to show it
    pub manifest: PathBuf,

    /// File to write the plan to, whole or not at all
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,

    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: FormatArg,

    #[command(flatten)]
    pub options: OrderArgs,

    #[command(flatten)]
    pub sheet: ManifestArgs,

    #[command(flatten)]
    pub pace: PaceArgs,
}

/// How to print a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// For people
    #[default]
    Table,
    /// For scripts: what --out writes
    Json,
}
