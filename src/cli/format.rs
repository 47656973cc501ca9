//! How a table is written, and where to: `--format`, `--json`, `--output`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::CliError;
use crate::report::Format;
use crate::text;

#[derive(Debug, Args)]
pub struct FormatArgs {
    /// How to write it [default: by the ending of the file's name, else a table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatArg>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// File to write, whole or not at all; `-` for standard output [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How to write a table.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FormatArg {
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

impl FormatArgs {
    /// The file to write; `None`: standard output.
    pub fn file(&self) -> Option<&Path> {
        let path = self.output.as_deref();
        path.filter(|path| path.as_os_str() != "-")
    }

    /// What was asked for, else what the file's name ends in.
    pub fn format(&self) -> Result<Format, CliError> {
        if let Some(format) = self.format {
            return Ok(format.into());
        }
        if self.json {
            return Ok(Format::Json);
        }
        let Some(path) = self.file() else {
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
}

/// A format as a person calls what was written in it.
pub fn called(format: Format) -> &'static str {
    match format {
        Format::Table => "a table",
        Format::Csv => "CSV",
        Format::Json => "JSON",
    }
}
