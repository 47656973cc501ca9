//! `refleet check`: validate a manifest and print the plan. No database, nothing sent.

use std::path::PathBuf;

use clap::Args;

use super::error::CliError;
use super::exit;
use super::load::tell_warnings;
use super::output::print_text;
use crate::manifest::{self, Source};
use crate::progress::Verbosity;

/// Validate a manifest and print the plan; no database, nothing sent.
///
/// All faults of the file are listed, each with line, column and remedy.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The spreadsheet, or `-` for stdin
    pub manifest: PathBuf,
}

/// Carries out the command.
pub fn check(args: &CheckArgs) -> Result<u8, CliError> {
    let source = Source::open(&args.manifest)?;
    let survey = manifest::survey(&source)?;
    tell_warnings(&survey, Verbosity::Normal);
    print_text(&format!("{}: sound\n{}", source.name(), survey.plan))?;
    Ok(exit::DONE)
}
