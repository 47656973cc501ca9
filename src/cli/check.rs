//! `refleet check`: validate a manifest and print the plan. No database, nothing sent.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::global::Global;
use super::manifest::{ManifestArgs, tell_warnings};
use super::output::print_text;
use crate::exit::Exit;
use crate::manifest;
const EXAMPLES: &str = "\
Examples:
  refleet check fleet.csv
  refleet check fleet.xlsx --sheet \"web servers\"
  refleet services --output new.csv && refleet check new.csv";

/// Validate a manifest and print the plan; no database, nothing sent.
///
/// Everything that is wrong with the file is listed, with line, column and remedy.
#[derive(Debug, Args)]
#[command(override_usage = "refleet check [OPTIONS] <MANIFEST>", after_help = EXAMPLES)]
pub struct CheckArgs {
    /// The spreadsheet, or `-` for standard input
    pub manifest: PathBuf,

    #[command(flatten)]
    pub sheet: ManifestArgs,
}

pub fn check(global: &Global, args: &CheckArgs) -> Result<Exit, CliError> {
    let source = args.sheet.open(&args.manifest)?;
    let validated = manifest::validated(&source)?;
    tell_warnings(&validated, global.verbosity());
    // What is passed over is part of the plan.
    print_text(&format!("{}: sound\n{}", source.name(), validated.plan))?;
    Ok(Exit::Done)
}
