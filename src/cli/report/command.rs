//! The results, to stdout or to a file that is written whole or not at all.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::own::Own;
use super::rows::{self, Rows};
use super::subject::{earlier, subject};
use crate::cli::batches::{self, BatchArg};
use crate::cli::error::CliError;
use crate::cli::format::{FormatArgs, Formats as _, ResultsFormat};
use crate::cli::global::Global;
use crate::cli::manifest::ManifestArgs;
use crate::cli::output::{printed, tell_prose};
use crate::cli::words::jobs;
use crate::cli::{database, paths};
use crate::exit::Exit;
use crate::job::ResultRow;
use crate::manifest::{ManifestError, Source};
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Batch, Open, Overview as _, Precious, Queue};
use crate::report::{AtomicFile, Report, Subject, Xlsx};
use crate::text;

const EXAMPLES: &str = "\
Examples:
  refleet report
  refleet report --output report.html
  refleet report --output results.csv
  refleet report --format known-hosts --output known_hosts
  refleet report --from fleet.xlsx --output results.xlsx
  refleet report --format ansible-inventory --output fleet.json
  refleet report --rows failed --from fleet.csv --output failed.csv
  refleet report --format json | jq '.results[] | select(.state != \"done\")'";

/// Print the results of the newest batch, or write them to a file.
#[derive(Debug, Args)]
#[command(override_usage = "refleet report [OPTIONS]", after_help = EXAMPLES)]
pub struct ReportArgs {
    #[command(flatten)]
    pub format: FormatArgs<ResultsFormat>,

    /// The manifest as it was ordered, for --rows and --format xlsx
    #[arg(id = "manifest", long = "from", value_name = "MANIFEST")]
    pub from: Option<PathBuf>,

    /// Write the lines of these jobs as they stand in the manifest, passwords included
    #[arg(
        long,
        value_enum,
        value_name = "WHICH",
        requires = "manifest",
        requires = "output",
        conflicts_with_all = ["format", "json"]
    )]
    pub rows: Option<Rows>,

    #[command(flatten)]
    pub sheet: ManifestArgs,

    #[command(flatten)]
    pub batch: BatchArg,
}

pub async fn report(global: &Global, args: &ReportArgs) -> Result<Exit, CliError> {
    let path = args.format.file();
    // Before anything is read: a file name without a known ending is refused.
    let format = match args.rows {
        Some(_) => ResultsFormat::TABLE,
        None => args.format.format()?,
    };
    let source = match &args.from {
        Some(_) if args.rows.is_none() && format.plain().is_some() => {
            return Err(CliError::Usage(
                "--from goes with --rows or --format xlsx".to_owned(),
            ));
        }
        Some(from) => Some(pinned(args.sheet.open(from)?)?),
        None => None,
    };
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    database::tell_another(global, &mut queue).await?;
    let width = || {
        let stdout = console::Term::stdout();
        stdout.is_term().then(|| usize::from(stdout.size().1))
    };
    let folder = path.map(AtomicFile::folder);
    let order = Order {
        format,
        source,
        folder,
    };
    let Some(path) = path else {
        if args.rows.is_some() || format.plain().is_none() && io::stdout().is_terminal() {
            return Err(CliError::Usage("name a file with --output".to_owned()));
        }
        let written = write(global, &mut queue, &batch, (order, width()), io::stdout()).await?;
        printed(written.map(|_| ()))?;
        return Ok(Exit::Done);
    };
    let manifests = [Some(&batch.path), args.from.as_ref()]
        .into_iter()
        .flatten();
    let manifests = manifests.map(|path| (path.clone(), Precious::Manifest));
    let database = (queue.shown(), Precious::Database);
    let known: Vec<_> = manifests.chain([database]).collect();
    paths::refuse_precious("--output", path, &known)?;
    if let (Some(which), Some(source)) = (args.rows, &order.source) {
        let to = (path, global.verbosity());
        return rows::write(&mut queue, &batch, source, which, to).await;
    }
    let failed = |source| CliError::Output {
        what: path.display().to_string(),
        source,
    };
    let file = AtomicFile::create(path).map_err(failed)?;
    let file = write(global, &mut queue, &batch, (order, None), file)
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

/// One and the same file, however often it is read.
fn pinned(source: Source) -> Result<Source, CliError> {
    let name = source.name().to_owned();
    let pinned = source.pinned();
    Ok(pinned.map_err(|source| ManifestError::Unreadable { name, source })?)
}

/// A format as a person calls what was written in it.
fn called(format: ResultsFormat) -> &'static str {
    match format {
        ResultsFormat::Table => "a table",
        ResultsFormat::Csv => "CSV",
        ResultsFormat::Json => "JSON",
        ResultsFormat::Html => "HTML",
        ResultsFormat::Xlsx => "a workbook",
        ResultsFormat::AnsibleInventory => "an inventory",
        ResultsFormat::KnownHosts => "known_hosts",
    }
}

/// What is to be written.
struct Order<'a> {
    format: ResultsFormat,
    /// The manifest whose own columns a workbook is to have.
    source: Option<Source>,
    /// Where it will lie.
    folder: Option<&'a Path>,
}

/// What is to be written comes with the columns that a table must fit.
async fn write<W: Write + Send>(
    global: &Global,
    queue: &mut Queue,
    batch: &Batch,
    (order, width): (Order<'_>, Option<usize>),
    out: W,
) -> Result<io::Result<W>, CliError> {
    let subject = subject(global, queue, batch).await?;
    let Some(format) = order.format.plain() else {
        let from_to = (order.source, order.folder);
        return workbook(queue, batch, subject, from_to, out).await;
    };
    let earlier = if format.sums_up() {
        earlier(queue, batch).await?
    } else {
        None
    };
    let mut report = match Report::new(format, out, width, subject, earlier) {
        Ok(report) => report,
        Err(error) => return Ok(Err(error)),
    };
    if format.sums_up() {
        for (what, at_ms) in queue.overtaken(batch.id).await? {
            report.overtaken(what, at_ms);
        }
    }
    let mut sink = |row: ResultRow| report.row(&row);
    if let Err(error) = queue.results(batch.id, &[], &mut sink).await? {
        return Ok(Err(error));
    }
    Ok(report.finish())
}

async fn workbook<W: Write + Send>(
    queue: &mut Queue,
    batch: &Batch,
    subject: Subject,
    (source, folder): (Option<Source>, Option<&Path>),
    mut out: W,
) -> Result<io::Result<W>, CliError> {
    let Some(source) = source else {
        let mut results = match Xlsx::new(None, subject, folder) {
            Ok(results) => results,
            Err(error) => return Ok(Err(error)),
        };
        let mut each = |job: ResultRow| results.row(&[], &job);
        let written = queue.results(batch.id, &[], &mut each).await?;
        return Ok(written
            .and_then(|()| results.finish(&mut out))
            .map(|()| out));
    };
    let mut own = Own::open(&source, batch.id)?;
    let names: Vec<&str> = own.rows.names().collect();
    let names: Vec<String> = own
        .rows
        .open_columns()
        .iter()
        .map(|own| names[*own].to_owned())
        .collect();
    let mut results = match Xlsx::new(Some(&names), subject, folder) {
        Ok(results) => results,
        Err(error) => return Ok(Err(error)),
    };
    let mut each = |job: ResultRow| {
        own.find(&job, |own| results.left_out(&own.open_cells()))?;
        results.row(&own.open_cells(), &job)
    };
    let written = queue.results(batch.id, &[], &mut each).await?;
    let written = written
        .and_then(|()| own.rest(|own| results.left_out(&own.open_cells())))
        .and_then(|()| results.finish(&mut out));
    let written = own.outcome(written)?;
    Ok(written.map(|()| out))
}
