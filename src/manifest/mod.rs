//! The manifest: bytes → jobs, and everything that is wrong with them (line, column, remedy).
//!
//! A manifest is read twice, and never held: [`validated`] validates all of it and changes nothing,
//! [`rows`] then streams the jobs. Both go through one `Reader`, so that they cannot disagree. The
//! one fact to know: whoever takes the rows compares [`Rows::identity`] with that of the first pass after the
//! last one, because a file may change in between.
//!
//! The way of a byte: `source` (file or memory) → `encoding` (UTF-8) → `lines` (numbered, bounded)
//! → `records` (`csv`, one line at a time; `preamble` finds the header) → `columns` and `row` (what
//! the cells mean) → `cell`. What is wrong is a `fault`, with its remedy in `wording`;
//! [`Diagnostics`] groups them. What spreadsheets do to a sheet is known in `format` (files),
//! `names` (columns) and `spreadsheet` (cells).

mod cell;
mod columns;
mod diagnostic;
mod diagnostics;
mod encoding;
mod format;
mod identity;
mod lines;
mod names;
mod plan;
mod preamble;
mod quotes;
mod reader;
mod records;
mod row;
mod source;
mod spreadsheet;
mod suspects;
#[cfg(test)]
mod tests;
mod wording;

use std::io;

pub use columns::Column;
pub use diagnostic::{FaultKind, Severity};
pub use diagnostics::{Diagnostics, Group};
pub use format::{Format, Legacy};
pub use identity::Identity;
pub use plan::{Plan, Tally};
pub use source::{HELD_BYTES_MAX, Source};
pub use spreadsheet::Shape;

use crate::job::NewJob;
use diagnostic::{Diagnostic, first_error};
use identity::Sum;
use reader::Reader;
use suspects::Suspects;

/// The longest line. A row needs a few hundred bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;
/// The most columns.
pub const COLUMNS_MAX: usize = 1000;

/// Why a manifest cannot be taken. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be opened or read.
    #[error("cannot read the manifest {name}")]
    Unreadable {
        /// The manifest.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// It is a directory.
    #[error("the manifest {name} is a directory")]
    Directory {
        /// The manifest.
        name: String,
    },
    /// It came through a pipe and is larger than [`HELD_BYTES_MAX`].
    #[error("the manifest {name} is larger than {} MiB", HELD_BYTES_MAX / (1024 * 1024))]
    TooLarge {
        /// The manifest.
        name: String,
    },
    /// It was read, and it is wrong: one or more lines of text.
    #[error("{0}")]
    Faults(Diagnostics),
    /// It was valid a moment ago, and is not any more.
    #[error("the manifest {name} changed while it was read{}", on_line(*.line))]
    Changed {
        /// The manifest.
        name: String,
        /// A line that is wrong now; `None`: the file as a whole.
        line: Option<u64>,
    },
}

impl ManifestError {
    /// What a person does about it, where the message does not say it already.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreadable { source, .. } => match source.kind() {
                io::ErrorKind::NotFound => Some("is the path right? `-` reads standard input"),
                io::ErrorKind::PermissionDenied => Some("is the file yours to read?"),
                _ => None,
            },
            Self::Directory { .. } => Some("name the CSV file in it"),
            Self::TooLarge { .. } => Some("save it as a file, and name that: a file has no limit"),
            Self::Faults(_) => None,
            Self::Changed { .. } => Some("wait until it is saved, and try again"),
        }
    }
}

/// What a valid manifest orders.
#[derive(Debug)]
pub struct Validated {
    /// Which order it is.
    pub identity: Identity,
    /// What it orders, in numbers.
    pub plan: Plan,
    /// What is worth knowing; only warnings.
    pub warnings: Diagnostics,
}

/// Whether a file that begins like this is a manifest, as far as its header tells: it has the
/// columns that one needs, and is no report.
pub fn looks_like_one(beginning: &[u8]) -> bool {
    let reader = Source::from_bytes("", beginning).and_then(|source| Reader::open(&source));
    reader.is_ok_and(|reader| {
        let names = &reader.header().names;
        !names.iter().any(|name| name == "executed")
    })
}

/// Pass 1: reads and validates all of it, and changes nothing. Lists every fault, not the first
/// one only.
///
/// Holds 16 bytes per row (to find a service that is listed twice) and no row.
pub fn validated(source: &Source) -> Result<Validated, ManifestError> {
    let mut reader = Reader::open(source)?;
    let mut faults = reader.diagnostics();
    let mut warnings = faults.clone();
    let mut services = Vec::new();
    let mut sum = Sum::default();
    let mut plan = Plan {
        ignored: reader.header().ignored.clone(),
        ..Plan::default()
    };
    let mut report = |fault: Diagnostic| match fault.kind.severity() {
        Severity::Error => faults.add(fault),
        Severity::Warning => warnings.add(fault),
    };
    reader.header().faults.iter().cloned().for_each(&mut report);
    let mut suspects = Suspects::new(&reader.header().unnoticed);
    let mut any = false;
    while let Some(row) = reader.next()? {
        any = true;
        row.faults.into_iter().for_each(&mut report);
        if let Some(service) = row.service {
            services.push((service.get(), row.line));
        }
        if let Some(job) = &row.job {
            plan.add(job);
            sum.add(job);
            suspects.see(reader.record());
        }
    }
    plan.taken_out = reader.taken_out();
    if plan.gives_no_access() {
        for position in suspects.left() {
            let header = reader.header();
            let name = match header.names[position].as_str() {
                "" => format!("column {}", position + 1),
                name => columns::way_out(name),
            };
            report(Diagnostic::line(FaultKind::CellsLookLikePasswords, header.line).with(name));
        }
    }
    if !any {
        report(Diagnostic::file(match plan.taken_out {
            0 => FaultKind::NoRows,
            1.. => FaultKind::NoRowsLeft,
        }));
    }
    let position = reader.header().position(Column::ServiceId);
    for (line, text) in twice(services) {
        let mut fault = Diagnostic::line(FaultKind::ServiceTwice, line).with(text);
        fault.column = position;
        report(fault);
    }
    if faults.is_empty() {
        Ok(Validated {
            identity: sum.identity(),
            plan,
            warnings,
        })
    } else {
        Err(ManifestError::Faults(faults))
    }
}

/// Each line, in order, whose service stands on an earlier line, too; with the words that say so.
fn twice(mut services: Vec<(i64, u64)>) -> impl Iterator<Item = (u64, String)> {
    services.sort_unstable();
    let mut again: Vec<_> = services
        .chunk_by(|(one, _), (other, _)| one == other)
        .filter_map(|same| same.split_first())
        .flat_map(|((service, first), later)| {
            later.iter().map(move |(_, line)| (*line, *service, *first))
        })
        .collect();
    again.sort_unstable();
    again
        .into_iter()
        .map(|(line, service, first)| (line, format!("`{service}`, as on line {first}")))
}

/// Pass 2: the same rows again, one at a time.
///
/// What [`validated`] would call a fault is [`ManifestError::Changed`] here; only that a service is
/// listed twice is left to the queue's constraint and to [`Rows::identity`].
pub fn rows(source: &Source) -> Result<Rows, ManifestError> {
    let reader = Reader::open(source).map_err(|error| match error {
        ManifestError::Faults(faults) => changed(source, faults.first_line()),
        error => error,
    })?;
    if let Some(fault) = first_error(&reader.header().faults) {
        return Err(changed(source, fault.line));
    }
    Ok(Rows {
        source: source.clone(),
        sum: Sum::default(),
        reader: Some(reader),
    })
}

/// The jobs of a manifest, in its order. Ends after the first error.
pub struct Rows {
    source: Source,
    sum: Sum,
    /// `None`: there is nothing more to read.
    reader: Option<Reader>,
}

impl Rows {
    /// The identity of the rows so far. If it differs from the validated one's after the last row, the
    /// file changed in between, and what was taken of it must be dropped.
    pub fn identity(&self) -> Identity {
        self.sum.identity()
    }

    fn read(&mut self) -> Result<Option<NewJob>, ManifestError> {
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let Some(row) = reader.next()? else {
            return Ok(None);
        };
        match row.job {
            Some(job) => Ok(Some(job)),
            None => Err(changed(
                &self.source,
                first_error(&row.faults).and_then(|fault| fault.line),
            )),
        }
    }
}

impl Iterator for Rows {
    type Item = Result<NewJob, ManifestError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read().transpose();
        match &next {
            Some(Ok(job)) => self.sum.add(job),
            Some(Err(_)) | None => self.reader = None,
        }
        next
    }
}

fn on_line(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" (see line {line})"))
}

fn changed(source: &Source, line: Option<u64>) -> ManifestError {
    let name = source.name().to_owned();
    ManifestError::Changed { name, line }
}
