//! How a manifest is read, what it orders, and what is told of it: the same for `check`, `load` and `run`.

use std::path::Path;

use clap::Args;

use super::headings::SHEET;
use super::output::tell_prose;
use crate::job::Action;
use crate::manifest::{self, ManifestError, SheetOptions, Source, Validated};
use crate::progress::Verbosity;
use crate::text;

/// How a manifest is read.
#[derive(Debug, Clone, Default, Args)]
pub struct ManifestArgs {
    /// Ignore this column, even if it looks like a password or a key; may be repeated
    // Without a manifest it would do nothing, and so is refused.
    #[arg(long, help_heading = SHEET, hide_short_help = true, value_name = "NAME", requires = "manifest")]
    pub ignore_column: Vec<String>,

    /// The sheet of a workbook, by its name [default: the only one that is not hidden]
    #[arg(long, help_heading = SHEET, value_name = "NAME", requires = "manifest")]
    pub sheet: Option<String>,

    /// The row that names the columns, counted from 1 [default: the first one that means something]
    #[arg(long, help_heading = SHEET, hide_short_help = true, value_name = "N", requires = "manifest", value_parser = clap::value_parser!(u64).range(1..))]
    pub header_row: Option<u64>,

    /// Read rows, columns and sheets of a workbook that are hidden or filtered like all others
    #[arg(long, help_heading = SHEET, hide_short_help = true, requires = "manifest")]
    pub include_hidden: bool,
}

impl ManifestArgs {
    /// The manifest at `path`, to be read so. What it orders is decided here, for all that follows.
    pub fn open(&self, path: &Path) -> Result<Source, ManifestError> {
        let sheet = SheetOptions {
            name: self.sheet.clone(),
            header_row: self.header_row,
            include_hidden: self.include_hidden,
        };
        let source = Source::open(Action::Rebuild, path)?;
        Ok(source.ignoring(&self.ignore_column).reading(sheet))
    }

    /// [`ManifestArgs::open`], and all faults of the manifest.
    pub async fn read(&self, path: &Path) -> Result<(Source, Validated), ManifestError> {
        let (args, path) = (self.clone(), path.to_owned());
        apart(move || {
            let source = args.open(&path)?;
            let validated = manifest::validated(&source)?;
            Ok((source, validated))
        })
        .await
    }
}

/// All faults of the manifest, and the manifest itself.
pub async fn validated(source: Source) -> Result<(Source, Validated), ManifestError> {
    apart(move || {
        let validated = manifest::validated(&source)?;
        Ok((source, validated))
    })
    .await
}

/// Reads on a thread of its own: a pipe may never end, and a large workbook takes its time. A signal is
/// heard all the while, and whoever awaits this may leave it at any moment.
async fn apart<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(read).await {
        Ok(read) => read,
        // The reader has a bug: it ends the process as it would have on this thread.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// What follows `refleet` to order `action` with the manifest at `path` once more.
pub fn run(action: Action, path: &Path) -> String {
    match action {
        Action::Rebuild => format!("run {}", text::shell_path(path)),
    }
}

/// What is worth a look in a manifest that is otherwise sound; under `-q` only what may lock somebody
/// out.
pub fn tell_warnings(validated: &Validated, verbosity: Verbosity) {
    let warnings = match verbosity {
        Verbosity::Quiet => validated.warnings.that_need_a_human(),
        Verbosity::Normal | Verbosity::Verbose => validated.warnings.clone(),
    };
    if !warnings.is_empty() {
        tell_prose(&warnings.to_string());
    }
}

/// What the API's catalogue does not know of the names of a manifest: no file is the worse for it.
pub fn tell_unconfirmed(validated: &Validated, verbosity: Verbosity) {
    let warnings = validated.warnings.of_the_catalogue();
    if verbosity != Verbosity::Quiet && !warnings.is_empty() {
        tell_prose(&warnings.to_string());
    }
}

/// What of the sheet is not used: columns, and rows that were taken out.
pub fn tell_passed_over(validated: &Validated, verbosity: Verbosity) {
    let text = validated.plan.passed_over();
    if verbosity != Verbosity::Quiet && !text.is_empty() {
        tell_prose(&text);
    }
}
