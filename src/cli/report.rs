//! `refleet report`: the results, to stdout or to a file that is written whole or not at all.

use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use clap::Args;

use super::batches::{self, BatchArg};
use super::error::CliError;
use super::{Global, exit, files};
use crate::job::{BatchId, ResultRow};
use crate::queue::{Open, Precious, Queue};
use crate::report::{Format, Report, WholeFile};

const EXAMPLES: &str = "\
Examples:
  refleet report
  refleet report --format csv --output results.csv
  refleet report --format json | jq '.results[] | select(.state != \"done\")'";

/// Print the results of the newest batch, or write them to a file.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ReportArgs {
    /// How to write them
    #[arg(long, value_enum, default_value = "table", value_name = "FORMAT")]
    pub format: Format,

    /// The file; it is written whole or not at all [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Which batch.
    #[command(flatten)]
    pub batch: BatchArg,
}

/// Carries out the command.
pub async fn report(global: &Global, args: &ReportArgs) -> Result<u8, CliError> {
    let (mut queue, batch) = batches::open(global, &args.batch, Open::Read).await?;
    let Some(path) = &args.output else {
        let stdout = io::stdout();
        let width = stdout
            .is_terminal()
            .then(|| usize::from(console::Term::stdout().size().1));
        let written = write(&mut queue, batch.id, args.format, width, stdout).await?;
        return match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(exit::DONE),
            Err(source) => Err(CliError::Output {
                what: "to stdout".to_owned(),
                source,
            }),
            Ok(_) => Ok(exit::DONE),
        };
    };
    let manifest = (batch.path.clone(), Precious::Manifest);
    let database = (queue.path().to_owned(), Precious::Database);
    files::refuse_precious("--output", path, &[database, manifest])?;
    let failed = |source| CliError::Output {
        what: path.display().to_string(),
        source,
    };
    let file = WholeFile::create(path).map_err(failed)?;
    let file = write(&mut queue, batch.id, args.format, None, file)
        .await?
        .map_err(failed)?;
    crate::failpoint!("report_before_rename");
    file.commit().map_err(failed)?;
    crate::failpoint!("report_after_rename");
    Ok(exit::DONE)
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
