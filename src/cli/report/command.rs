//! The results, to stdout or to a file that is written whole or not at all.

use std::io::{self, IsTerminal as _, Write};

use clap::Args;

use super::subject::{earlier, subject};
use crate::cli::batches::{self, BatchArg};
use crate::cli::error::CliError;
use crate::cli::format::{FormatArgs, ResultsFormat};
use crate::cli::global::Global;
use crate::cli::output::tell_prose;
use crate::cli::paths;
use crate::cli::words::jobs;
use crate::exit::Exit;
use crate::job::ResultRow;
use crate::progress::Verbosity;
use crate::queue::{Batch, Open, Precious, Queue};
use crate::report::{AtomicFile, Report, ReportFormat};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  refleet report
  refleet report --output report.html
  refleet report --output results.csv
  refleet report --format json | jq '.results[] | select(.state != \"done\")'";

/// Print the results of the newest batch, or write them to a file.
#[derive(Debug, Args)]
#[command(override_usage = "refleet report [OPTIONS]", after_help = EXAMPLES)]
pub struct ReportArgs {
    #[command(flatten)]
    pub format: FormatArgs<ResultsFormat>,

    #[command(flatten)]
    pub batch: BatchArg,
}

pub async fn report(global: &Global, args: &ReportArgs) -> Result<Exit, CliError> {
    let path = args.format.file();
    // Before anything is read: a file name without a known ending is refused.
    let format = args.format.format()?.into();
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let Some(path) = path else {
        let stdout = io::stdout();
        let width = stdout
            .is_terminal()
            .then(|| usize::from(console::Term::stdout().size().1));
        let written = write(global, &mut queue, &batch, (format, width), stdout).await?;
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
    let file = write(global, &mut queue, &batch, (format, None), file)
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
            called(format),
        ));
    }
    Ok(Exit::Done)
}

/// A format as a person calls what was written in it.
fn called(format: ReportFormat) -> &'static str {
    match format {
        ReportFormat::Table => "a table",
        ReportFormat::Csv => "CSV",
        ReportFormat::Json => "JSON",
        ReportFormat::Html => "HTML",
    }
}

/// The format comes with the columns that a table must fit.
async fn write<W: Write + Send>(
    global: &Global,
    queue: &mut Queue,
    batch: &Batch,
    (format, width): (ReportFormat, Option<usize>),
    out: W,
) -> Result<io::Result<W>, CliError> {
    let subject = subject(global, queue, batch).await?;
    let earlier = if format.sums_up() {
        earlier(queue, batch).await?
    } else {
        None
    };
    let mut report = match Report::new(format, out, width, subject, earlier) {
        Ok(report) => report,
        Err(error) => return Ok(Err(error)),
    };
    let mut sink = |row: ResultRow| report.row(&row);
    if let Err(error) = queue.results(batch.id, &[], &mut sink).await? {
        return Ok(Err(error));
    }
    Ok(report.finish())
}
