//! `refleet verify`: does the database hold what it promises?

use std::fmt::Write as _;

use clap::Args;

use super::database;
use super::error::CliError;
use super::global::Global;
use super::output::print_text;
use crate::exit::Exit;
use crate::queue::{Backend as _, Flaw, Open};
use crate::text;

/// Flaws that are listed before the rest is only counted.
const LISTED_MAX: usize = 100;
const EXAMPLES: &str = "\
Examples:
  refleet verify
  refleet verify --db backup.db      a copy of it";

/// Check the database.
///
/// Runs SQLite's own integrity check, compares each job with its ledger, counts the jobs anew, and
/// looks for passwords that should be erased and for impossible times.
///
/// Exit code 0 means that all is sound, 1 that the flaws are listed. Changes nothing.
#[derive(Debug, Args)]
#[command(override_usage = "refleet verify [OPTIONS]", after_help = EXAMPLES)]
pub struct VerifyArgs {}

pub async fn verify(global: &Global, _: &VerifyArgs) -> Result<Exit, CliError> {
    let mut queue = database::open(global, Open::Read).await?;
    database::tell_another(global, &mut queue).await?;
    let mut flaws = Vec::new();
    let mut count = 0_usize;
    let mut found = |flaw: Flaw| {
        count += 1;
        if flaws.len() < LISTED_MAX {
            flaws.push(flaw);
        }
    };
    let jobs = queue.check(&mut found).await?;
    let path = queue.shown().display().to_string();
    if count == 0 {
        print_text(&format!("{}: sound, {jobs} jobs\n", text::printable(&path)))?;
        return Ok(Exit::Done);
    }
    let mut out = String::new();
    for flaw in &flaws {
        let _ = writeln!(out, "{}: {}", flaw.subject(), text::brief(&flaw.what, 400));
    }
    if count > LISTED_MAX {
        let _ = writeln!(out, "… and {} more", count - LISTED_MAX);
    }
    let _ = writeln!(
        out,
        "{}: {count} flaws in {jobs} jobs",
        text::printable(&path)
    );
    print_text(&out)?;
    Ok(Exit::Failed)
}
