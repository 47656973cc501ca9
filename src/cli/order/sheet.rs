//! A validated manifest on its way into the queue.

use std::path::Path;

use serde_json::Value;

use super::decide::{absolute, is_same_file};
use crate::cli::error::CliError;
use crate::cli::global::Global;
use crate::job::{NewJob, Owner};
use crate::manifest::{self, ManifestError, Source, Validated};
use crate::queue::{Batch, NewBatch};
use crate::text;

/// A manifest that is ordered, and the provider of whom it is ordered.
#[derive(Clone)]
pub struct Sheet<'a> {
    /// Where its rows come from.
    pub source: &'a Source,
    /// What is known of it.
    pub validated: &'a Validated,
    /// Its path, as the command line gives it.
    pub path: &'a Path,
    /// How it was said to be read, as words of a command line, behind a blank each.
    pub reading: String,
    /// Whose API it is.
    pub provider: &'a str,
    /// The API's address, for people.
    pub api_url: &'a str,
    /// Whose instances they are, once the account has been looked at.
    pub owner: Option<Owner>,
    /// Digest of the plan that it is ordered by, if it is.
    pub plan: Option<String>,
    /// The options of the run that orders it, as it records them; `None`: it is only loaded.
    pub options: Option<Value>,
}

impl Sheet<'_> {
    /// What makes a command take passwords, keys and pins from it, behind a blank; `None`: it has no name.
    pub fn from(&self) -> Option<String> {
        let is_named = self.path.as_os_str() != "-";
        is_named.then(|| format!(" --from {}{}", text::shell_path(self.path), self.reading))
    }
}

/// The sheet is the one that `batch` has come from, whatever stands in it now.
pub fn is_of(sheet: &Sheet<'_>, batch: &Batch) -> Result<bool, CliError> {
    let file = absolute(sheet.path).map_err(CliError::System)?;
    Ok(batch.sheet == sheet.validated.sheet && is_same_file(&batch.path, &file))
}

/// The manifest's rows once more. If they are not those that were validated, the last item is an error.
pub fn sound_rows(
    source: &Source,
    validated: &Validated,
) -> Result<impl Iterator<Item = Result<NewJob, ManifestError>> + Send, ManifestError> {
    let mut rows = manifest::rows(source)?;
    let identity = validated.identity;
    let name = source.name().to_owned();
    let mut ended = false;
    Ok(std::iter::from_fn(move || match rows.next() {
        Some(row) => Some(row),
        None if ended || rows.identity() == identity => None,
        None => {
            ended = true;
            Some(Err(ManifestError::Changed {
                name: name.clone(),
                line: None,
            }))
        }
    }))
}

/// Refuses a limit for groups that was typed for a sheet that has none: whoever typed it believes that
/// something holds its instances up.
pub fn check_groups(global: &Global, sheet: &Sheet<'_>) -> Result<(), CliError> {
    if global.configured.is_typed("max-per-group") && sheet.validated.plan.groups.is_empty() {
        return Err(CliError::Usage(format!(
            "--max-per-group limits the groups of the column `group`, and {} has none: add the column, or leave the option out",
            text::brief(sheet.source.name(), 200)
        )));
    }
    Ok(())
}

/// The batch that the sheet would become.
pub fn new_batch(sheet: &Sheet<'_>) -> Result<NewBatch, CliError> {
    Ok(NewBatch {
        action: sheet.source.action(),
        identity: *sheet.validated.identity.as_bytes(),
        provider: sheet.provider.to_owned(),
        api_url: sheet.api_url.to_owned(),
        owner: sheet.owner.clone(),
        plan: sheet.plan.clone(),
        options: sheet.options.clone(),
        manifest: sheet.source.name().to_owned(),
        path: absolute(sheet.path).map_err(CliError::System)?,
        sheet: sheet.validated.sheet.clone(),
    })
}
