//! Some lines of the operator's own manifest, to be corrected and run.

use std::io::{self, BufWriter, IntoInnerError};
use std::path::Path;

use clap::ValueEnum;

use super::own::Own;
use crate::cli::error::CliError;
use crate::cli::output::tell_prose;
use crate::exit::Exit;
use crate::job::{Executed, ResultRow, State};
use crate::manifest::{RawLines, Source};
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Batch, Queue};
use crate::report::{AtomicFile, RowsBook};
use crate::text;

/// Which rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rows {
    /// Jobs that have failed
    Failed,
    /// Jobs in doubt
    #[value(name = "in_doubt")]
    InDoubt,
    /// Jobs whose instance was not touched, whatever their state
    Untouched,
}

impl Rows {
    fn has(self, job: &ResultRow) -> bool {
        match self {
            Self::Failed => job.state == State::Failed,
            Self::InDoubt => job.state == State::InDoubt,
            Self::Untouched => job.executed == Executed::No,
        }
    }
}

/// Where the rows go: bytes as they stand, or, of a workbook, cells as they stand.
enum Sink {
    Lines {
        raw: RawLines,
        file: BufWriter<AtomicFile>,
    },
    Cells {
        book: Box<RowsBook>,
        file: AtomicFile,
    },
}

impl Sink {
    fn open(source: &Source, own: &Own, path: &Path) -> Result<io::Result<Self>, CliError> {
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        let is_xlsx = suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("xlsx"));
        let is_workbook = own.rows.is_workbook();
        if is_workbook != is_xlsx {
            let name = text::printable(&path.display().to_string()).into_owned();
            let what = if is_workbook {
                "the manifest is a workbook, and its rows are written as one: name a file that ends in .xlsx"
            } else {
                "the manifest is CSV, and its lines are written as they stand: name a file that ends in .csv"
            };
            return Err(CliError::Usage(format!("--output {name}: {what}")));
        }
        let open = || {
            let file = AtomicFile::create_private(path)?;
            if is_workbook {
                let names: Vec<String> = own.rows.names().map(str::to_owned).collect();
                let book = RowsBook::new(&names, AtomicFile::folder(path))?;
                let book = Box::new(book);
                return Ok(Self::Cells { book, file });
            }
            let mut raw = RawLines::open(source)?;
            let mut file = BufWriter::with_capacity(1 << 16, file);
            raw.read_to(own.rows.header_line(), |_| true, &mut file)?;
            Ok(Self::Lines { raw, file })
        };
        Ok(open())
    }

    /// Writes the row that was read last.
    fn take(&mut self, own: &Own, line: u64) -> io::Result<()> {
        match self {
            Self::Lines { raw, file } => raw.read_to(line, |number| number == line, file),
            Self::Cells { book, .. } => book.row(own.rows.cells().iter()),
        }
    }

    fn finish(self) -> io::Result<()> {
        let file = match self {
            Self::Lines { file, .. } => file.into_inner().map_err(IntoInnerError::into_error)?,
            Self::Cells { book, mut file } => {
                book.finish(&mut file)?;
                file
            }
        };
        file.commit()
    }
}

/// Writes those `rows` of `source` to `path`.
pub async fn write(
    queue: &mut Queue,
    batch: &Batch,
    source: &Source,
    rows: Rows,
    (path, verbosity): (&Path, Verbosity),
) -> Result<Exit, CliError> {
    let failed = |source| CliError::Output {
        what: path.display().to_string(),
        source,
    };
    let mut own = Own::open(source, batch.id)?;
    let mut sink = Sink::open(source, &own, path)?.map_err(failed)?;
    let mut taken: u64 = 0;
    let (mut cancelled, mut queued): (u64, u64) = (0, 0);
    let mut each = |job: ResultRow| {
        own.find(&job, |_| Ok(()))?;
        if rows.has(&job) {
            taken += 1;
            cancelled += u64::from(job.state == State::Cancelled);
            queued += u64::from(job.state == State::Queued);
            sink.take(&own, job.line)?;
        }
        Ok(())
    };
    let written = queue.results(batch.id, &[], &mut each).await?;
    own.outcome(written)?.map_err(failed)?;
    let shown = path.display().to_string();
    let shown = text::printable(&shown);
    // Without any row as well: what lies there from another night would be taken for the answer, and run.
    crate::failpoint!("report_before_rename");
    sink.finish().map_err(failed)?;
    let text = if taken == 0 {
        format!(
            "batch {} has no such row: {shown} has the header alone\n",
            batch.id
        )
    } else {
        let noun = if taken == 1 { "row" } else { "rows" };
        let of_these = |count: u64, what: &str| match count {
            0 => String::new(),
            count => format!("{count} of them {what}\n"),
        };
        let cancelled = of_these(cancelled, "somebody has cancelled");
        let what = format!(
            "batch {} has still queued: its next run sends them",
            batch.id
        );
        let queued = of_these(queued, &what);
        format!(
            "{taken} {noun} of {} written to {shown}, with their passwords\n{cancelled}{queued}",
            source.name()
        )
    };
    if verbosity != Verbosity::Quiet {
        tell_prose(&text);
    }
    Ok(Exit::Done)
}
