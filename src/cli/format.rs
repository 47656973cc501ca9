//! How a table is written, and where to: `--format`, `--json`, `--output`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::error::CliError;
use crate::report::{Format, ReportFormat};
use crate::text;

/// The formats that a command can write.
pub trait Formats: ValueEnum + Send + Sync + 'static {
    /// What is written unless something else is asked for.
    const TABLE: Self;
    /// What `--json` stands for.
    const JSON: Self;

    /// As it is typed; but for the table, also the ending of a file's name.
    fn name(&self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[derive(Debug, Args)]
pub struct FormatArgs<F: Formats> {
    /// How to write it [default: by the ending of the file's name, else a table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<F>,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// File to write, whole or not at all; `-` for standard output [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// How to write a list.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ListFormat {
    /// For people
    Table,
    /// For spreadsheets
    Csv,
    /// For scripts
    Json,
}

impl Formats for ListFormat {
    const TABLE: Self = Self::Table;
    const JSON: Self = Self::Json;
}

impl From<ListFormat> for Format {
    fn from(arg: ListFormat) -> Self {
        match arg {
            ListFormat::Table => Self::Table,
            ListFormat::Csv => Self::Csv,
            ListFormat::Json => Self::Json,
        }
    }
}

/// How to write results.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ResultsFormat {
    /// For people
    Table,
    /// For spreadsheets
    Csv,
    /// For scripts
    Json,
    /// For people: one page to be opened in a browser, with what stands out first
    Html,
    /// For people: a workbook, with --from MANIFEST the manifest's own columns before the results
    Xlsx,
    /// For Ansible: an inventory, with a group for each state and for each group of the manifest
    AnsibleInventory,
    /// For OpenSSH: the new host keys of the instances that are done
    KnownHosts,
}

impl Formats for ResultsFormat {
    const TABLE: Self = Self::Table;
    const JSON: Self = Self::Json;
}

impl ResultsFormat {
    /// The format of a report that knows nothing but its jobs; `None`: a workbook, which may have
    /// the manifest's own columns, too.
    pub fn plain(self) -> Option<ReportFormat> {
        match self {
            Self::Table => Some(ReportFormat::Table),
            Self::Csv => Some(ReportFormat::Csv),
            Self::Json => Some(ReportFormat::Json),
            Self::Html => Some(ReportFormat::Html),
            Self::AnsibleInventory => Some(ReportFormat::Inventory),
            Self::KnownHosts => Some(ReportFormat::KnownHosts),
            Self::Xlsx => None,
        }
    }
}

impl<F: Formats> FormatArgs<F> {
    /// The file to write; `None`: standard output.
    pub fn file(&self) -> Option<&Path> {
        let path = self.output.as_deref();
        path.filter(|path| path.as_os_str() != "-")
    }

    /// What was asked for, else what the file's name ends in.
    pub fn format(&self) -> Result<F, CliError> {
        if let Some(format) = &self.format {
            return Ok(format.clone());
        }
        if self.json {
            return Ok(F::JSON);
        }
        let Some(path) = self.file() else {
            return Ok(F::TABLE);
        };
        let suffix = path
            .extension()
            .map(|suffix| suffix.to_string_lossy().to_lowercase());
        let named: Vec<&F> = (F::value_variants().iter())
            // No file's name ends in two words.
            .filter(|format| format.name() != F::TABLE.name() && !format.name().contains('-'))
            .collect();
        let found = named.iter().find(|format| Some(format.name()) == suffix);
        found.copied().cloned().ok_or_else(|| {
            let endings: Vec<String> = named
                .iter()
                .map(|format| format!(".{}", format.name()))
                .collect();
            let words: Vec<String> = F::value_variants().iter().map(Formats::name).collect();
            CliError::Usage(format!(
                "{} ends in none of {}: say with --format {} how to write it",
                text::printable(&path.display().to_string()),
                endings.join(", "),
                words.join("|")
            ))
        })
    }
}

/// A list's format as a person calls what was written in it.
pub fn called(format: Format) -> &'static str {
    match format {
        Format::Table => "a table",
        Format::Csv => "CSV",
        Format::Json => "JSON",
    }
}
