//! `refleet report`: the results, to stdout or to a file that is written whole or not at all.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::batches::{self, BatchArg};
use super::error::CliError;
use super::global::Global;
use super::output::tell_prose;
use super::paths;
use super::words::jobs;
use crate::exit::Exit;
use crate::job::{BatchId, ResultRow};
use crate::progress::Verbosity;
use crate::queue::{Open, Precious, Queue};
use crate::report::{AtomicFile, Format, Report};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  refleet report
  refleet report --output results.csv
  refleet report --format json | jq '.results[] | select(.state != \"done\")'";

/// Print the results of the newest batch, or write them to a file.
#[derive(Debug, Args)]
#[command(override_usage = "refleet report [OPTIONS]", after_help = EXAMPLES)]
pub struct ReportArgs {
    /// How to write them [default: by the ending of the file's name, else a table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<FormatArg>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    pub json: bool,

    /// File to write, whole or not at all; `-` for standard output [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    #[command(flatten)]
    pub batch: BatchArg,
}

/// How to write the results.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormatArg {
    /// For people
    Table,
    /// For spreadsheets
    Csv,
    /// For scripts
    Json,
}

impl From<FormatArg> for Format {
    fn from(arg: FormatArg) -> Self {
        match arg {
            FormatArg::Table => Self::Table,
            FormatArg::Csv => Self::Csv,
            FormatArg::Json => Self::Json,
        }
    }
}

pub async fn report(global: &Global, args: &ReportArgs) -> Result<Exit, CliError> {
    let path = args
        .output
        .as_deref()
        .filter(|path| path.as_os_str() != "-");
    // Before anything is read: a file name without a known ending is refused.
    let format = format(args, path)?;
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let Some(path) = path else {
        let stdout = io::stdout();
        let width = stdout
            .is_terminal()
            .then(|| usize::from(console::Term::stdout().size().1));
        let written = write(&mut queue, batch.id, format, width, stdout).await?;
        return match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
            Err(source) => Err(CliError::Output {
                what: "to stdout".to_owned(),
                source,
            }),
            Ok(_) => Ok(Exit::Done),
        };
    };
    let manifest = (batch.path.clone(), Precious::Manifest);
    let database = (queue.path().to_owned(), Precious::Database);
    paths::refuse_precious("--output", path, &[database, manifest])?;
    let failed = |source| CliError::Output {
        what: path.display().to_string(),
        source,
    };
    let file = AtomicFile::create(path).map_err(failed)?;
    let file = write(&mut queue, batch.id, format, None, file)
        .await?
        .map_err(failed)?;
    crate::failpoint!("report_before_rename");
    file.commit().map_err(failed)?;
    crate::failpoint!("report_after_rename");
    if global.verbosity() != Verbosity::Quiet {
        tell_prose(&format!(
            "{} of batch {} written to {} as {}\n",
            jobs(batch.counts.total()),
            batch.id,
            text::printable(&path.display().to_string()),
            match format {
                Format::Table => "a table",
                Format::Csv => "CSV",
                Format::Json => "JSON",
            }
        ));
    }
    Ok(Exit::Done)
}

/// What was asked for, else what the file's name ends in.
fn format(args: &ReportArgs, path: Option<&Path>) -> Result<Format, CliError> {
    if let Some(format) = args.format {
        return Ok(format.into());
    }
    if args.json {
        return Ok(Format::Json);
    }
    let Some(path) = path else {
        return Ok(Format::Table);
    };
    let suffix = path
        .extension()
        .map(|suffix| suffix.to_string_lossy().to_lowercase());
    match suffix.as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("json") => Ok(Format::Json),
        Some(_) | None => Err(CliError::Usage(format!(
            "{} ends in neither .csv nor .json: say with --format table|csv|json how to write it",
            text::printable(&path.display().to_string())
        ))),
    }
}

async fn write<W: Write + Send>(
    queue: &mut Queue,
    batch: BatchId,
    format: Format,
    width: Option<usize>,
    out: W,
) -> Result<io::Result<W>, CliError> {
    let mut report = match Report::new(format, out, width) {
        Ok(report) => report,
        Err(error) => return Ok(Err(error)),
    };
    let mut sink = |row: ResultRow| report.row(&row);
    if let Err(error) = queue.results(batch, &[], &mut sink).await? {
        return Ok(Err(error));
    }
    Ok(report.finish())
}
