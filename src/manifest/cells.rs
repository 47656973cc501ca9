//! The cells of one row, found by their columns.

use csv::StringRecord;

use super::cell;
use super::column::Column;
use super::diagnostic::{Diagnostic, DiagnosticKind, quoted};
use super::header::Header;
use super::spreadsheet::is_error;

/// One row, and what was found wrong with it so far.
pub struct Cells<'a> {
    record: &'a StringRecord,
    header: &'a Header,
    line: u64,
    /// Cells that hold something else than text or a number, by their position.
    odd: &'a [(usize, DiagnosticKind)],
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Cells<'a> {
    /// Of `line`. Those that are missing at the row's end are empty.
    pub fn new(
        record: &'a StringRecord,
        header: &'a Header,
        line: u64,
        odd: &'a [(usize, DiagnosticKind)],
    ) -> Self {
        let mut cells = Self {
            record,
            header,
            line,
            odd,
            diagnostics: Vec::new(),
        };
        cells.look_at_shape();
        cells
    }

    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    /// Was the row to be left out, or does a cell stand where another one should?
    fn look_at_shape(&mut self) {
        let first = || self.record.get(0).unwrap_or_default().trim();
        if self.header.may_be_left_out() && first().starts_with('#') && !is_error(first()) {
            self.diagnostics
                .push(Diagnostic::line(DiagnosticKind::NoComment, self.line));
        }
        if self.record.len() < self.header.names.len() && self.is_shifted() {
            self.diagnostics
                .push(Diagnostic::line(DiagnosticKind::Shifted, self.line));
        }
    }

    /// A short row from which a cell in the middle was left out, not those at the end: what should
    /// be a password or a key stands in another column.
    fn is_shifted(&self) -> bool {
        let is_missing = |column| {
            let position = self.header.position(column);
            position.is_some_and(|position| position >= self.record.len())
        };
        let others = || {
            let known = [
                Column::ServiceId,
                Column::Image,
                Column::Password,
                Column::SshKey,
            ];
            let known = known.map(|column| self.header.position(column));
            (0..)
                .zip(self.record.iter())
                .filter_map(move |(position, cell)| {
                    (!known.contains(&Some(position))).then_some(cell.trim())
                })
        };
        (is_missing(Column::Password) && others().any(cell::fits_password_rule))
            || (is_missing(Column::SshKey) && self.raw(Column::Zone).trim().parse::<u64>().is_ok())
    }

    /// The cell as it stands; empty where there is no such column.
    pub fn raw(&self, column: Column) -> &'a str {
        self.header
            .position(column)
            .and_then(|position| self.record.get(position))
            .unwrap_or_default()
    }

    /// What makes the cell unfit for its column, if it holds something else than text or a number.
    pub fn odd(&self, column: Column) -> Option<DiagnosticKind> {
        let position = self.header.position(column)?;
        let odd = self.odd.iter().find(|(own, _)| *own == position);
        odd.map(|(_, kind)| *kind)
            // In a note that was really meant, whatever a spreadsheet made of it.
            .filter(|kind| column != Column::Note || kind.is_unreadable())
    }

    /// What `parse` makes of the cell; where it finds a fault, that is noted.
    pub fn read<T>(
        &mut self,
        column: Column,
        parse: impl FnOnce(&str) -> Result<T, DiagnosticKind>,
    ) -> Option<T> {
        let cell = self.raw(column).trim();
        let read = match self.odd(column) {
            Some(kind) => Err(kind),
            None => parse(cell),
        };
        read.map_err(|kind| {
            let diagnostic = self.diagnostic(column, kind);
            self.diagnostics.push(if cell.is_empty() {
                diagnostic
            } else {
                diagnostic.with(quoted(cell))
            });
        })
        .ok()
    }

    /// Notes a fault of `column` without a word of its cell.
    pub fn add(&mut self, column: Column, kind: DiagnosticKind) {
        let diagnostic = self.diagnostic(column, kind);
        self.diagnostics.push(diagnostic);
    }

    /// Notes a fault of `column`, with its cell and `more`.
    pub fn add_with(&mut self, column: Column, kind: DiagnosticKind, cell: &str, more: &str) {
        let diagnostic = self.diagnostic(column, kind);
        let text = format!("{}{more}", quoted(cell));
        self.diagnostics.push(diagnostic.with(text));
    }

    fn diagnostic(&self, column: Column, kind: DiagnosticKind) -> Diagnostic {
        let diagnostic = Diagnostic::line(kind, self.line);
        match self.header.position(column) {
            Some(position) => diagnostic.at(position),
            None => diagnostic,
        }
    }
}
