//! What happened to each instance, as a table for people, CSV for spreadsheets, JSON for scripts.
//!
//! Rows are pushed in and leave at once: memory stays flat however many there are. The one fact to
//! know: what stands in an error or a note is foreign text, and no format lets it run as a formula
//! in a spreadsheet or steer a terminal.

mod atomic_file;
mod cell;
mod csv;
mod json;
mod stamp;
mod table;

use std::io::{self, Write};

pub use atomic_file::AtomicFile;

use crate::job::{Counts, ResultRow};

/// The report's columns, in the order of the CSV.
pub const COLUMNS: [&str; 12] = [
    "line",
    "service_id",
    "image",
    "state",
    "executed",
    "evidence",
    "attempts",
    "submitted_at",
    "completed_at",
    "error_kind",
    "error",
    "note",
];

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For scripts.
    Json,
}

/// A report that is being written. Nothing is complete before [`finish`](Self::finish).
#[derive(Debug)]
pub struct Report<W: Write> {
    sheet: Sheet<W>,
    counts: Counts,
}

#[derive(Debug)]
enum Sheet<W: Write> {
    Table(table::Table<W>),
    Csv(csv::Csv<W>),
    Json(json::Json<W>),
}

impl<W: Write> Report<W> {
    /// A report into `out`, which needs no buffer of its own. `width`: the columns of the terminal
    /// that a table must fit; `None` cuts nothing.
    pub fn new(format: Format, out: W, width: Option<usize>) -> io::Result<Self> {
        let sheet = match format {
            Format::Table => Sheet::Table(table::Table::new(out, width)),
            Format::Csv => Sheet::Csv(csv::Csv::new(out)?),
            Format::Json => Sheet::Json(json::Json::new(out)?),
        };
        Ok(Self {
            sheet,
            counts: Counts::default(),
        })
    }

    /// Adds a row.
    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        *self.counts.of_mut(row.state) += 1;
        self.counts.held += u64::from(row.held);
        match &mut self.sheet {
            Sheet::Table(table) => table.row(row),
            Sheet::Csv(csv) => csv.row(row),
            Sheet::Json(json) => json.row(row),
        }
    }

    /// Writes what is left, and gives back where it was written to.
    pub fn finish(self) -> io::Result<W> {
        match self.sheet {
            Sheet::Table(table) => table.finish(&self.counts),
            Sheet::Csv(csv) => csv.finish(),
            Sheet::Json(json) => json.finish(),
        }
    }
}

#[cfg(test)]
mod tests;
