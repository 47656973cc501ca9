//! A report in whatever format was asked for.

use std::io::{self, Write};

use super::csv::Csv;
use super::json::Json;
use super::table::Table;
use crate::job::{Counts, Owner, ResultRow};

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
    Table(Table<W>),
    Csv(Csv<W>),
    Json(Json<W>),
}

impl<W: Write> Report<W> {
    /// A report into `out`, which needs no buffer of its own. `width`: the columns of the terminal
    /// that a table must fit; `None` cuts nothing. `account`: whose instances they are, for the formats
    /// that have room for it.
    pub fn new(
        format: Format,
        out: W,
        width: Option<usize>,
        account: Option<&Owner>,
    ) -> io::Result<Self> {
        let sheet = match format {
            Format::Table => Sheet::Table(Table::new(out, width)),
            Format::Csv => Sheet::Csv(Csv::new(out)?),
            Format::Json => Sheet::Json(Json::new(out, account)?),
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
