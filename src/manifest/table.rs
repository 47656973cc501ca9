//! A manifest's records, whether they are lines of text or rows of a sheet.

use std::io;

use csv::StringRecord;

use super::diagnostic::{Diagnostic, DiagnosticKind};
use super::layout::{Layout, Next};
use super::records::Records;
use super::workbook::SheetRecords;

/// A manifest whose header was found.
pub enum Table {
    Text(Box<Records>),
    Sheet(Box<SheetRecords>),
}

impl Table {
    pub fn set_layout(&mut self, layout: Layout) {
        match self {
            Self::Text(records) => records.set_layout(layout),
            Self::Sheet(records) => records.set_layout(layout),
        }
    }

    /// Rows so far that a person took out with `#`.
    pub fn taken_out(&self) -> u64 {
        match self {
            Self::Text(records) => records.taken_out(),
            Self::Sheet(records) => records.taken_out(),
        }
    }

    /// The cells of the header, and later of the last row.
    pub fn record(&self) -> &StringRecord {
        match self {
            Self::Text(records) => records.record(),
            Self::Sheet(records) => records.record(),
        }
    }

    /// Cells of the last row that hold something else than text or a number.
    pub fn odd(&self) -> &[(usize, DiagnosticKind)] {
        match self {
            Self::Text(_) => &[],
            Self::Sheet(records) => records.odd(),
        }
    }

    /// A filter is set that hides no row.
    pub fn has_idle_filter(&self) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Sheet(records) => records.has_idle_filter(),
        }
    }

    /// The column cannot be seen.
    pub fn is_hidden(&self, column: usize) -> bool {
        match self {
            Self::Text(_) => false,
            Self::Sheet(records) => records.is_hidden(column),
        }
    }

    /// The character that the header seems to be delimited by, if that is none of ours.
    pub fn foreign_delimiter(&self) -> Option<char> {
        match self {
            Self::Text(records) => records.foreign_delimiter(),
            Self::Sheet(_) => None,
        }
    }

    /// Where the header seems to stand, if it was not what was taken for it. Nothing can be read
    /// afterwards.
    pub fn header_below(&mut self) -> io::Result<Option<u64>> {
        match self {
            Self::Text(records) => records.header_below(),
            Self::Sheet(records) => records.header_below(),
        }
    }

    /// What the last row is, if it cannot be one because files were joined.
    pub fn joint(&self) -> Option<DiagnosticKind> {
        match self {
            Self::Text(records) => records.joint(),
            Self::Sheet(records) => records.joint(),
        }
    }

    /// The last row does not have as many cells as the header. A sheet's row has them all.
    pub fn is_misfit(&self) -> bool {
        match self {
            Self::Text(records) => records.is_misfit(),
            Self::Sheet(_) => false,
        }
    }

    /// Reads on to the next row, or to what should have been one.
    pub fn next(&mut self, diagnostics: &mut Vec<Diagnostic>) -> io::Result<Next> {
        match self {
            Self::Text(records) => records.next(diagnostics),
            Self::Sheet(records) => records.next(diagnostics),
        }
    }
}
