//! The rows of a sheet as records of cells: which row is the header, which ones are taken out, and
//! which nobody could see.

use std::collections::VecDeque;
use std::io;

use csv::StringRecord;

use super::fault::Fault;
use super::open::Opened;
use super::row::SheetRow;
use super::sheet::Sheet;
use crate::manifest::column::Column;
use crate::manifest::diagnostic::{Diagnostic, DiagnosticKind};
use crate::manifest::header;
use crate::manifest::layout::{Layout, Next};
use crate::manifest::limits::SHEET_CELLS_MAX;
use crate::manifest::sheet_fault::SheetFault;
use crate::manifest::sheet_options::SheetOptions;
use crate::manifest::spreadsheet::{is_error, is_hashes};

/// The rows of a sheet.
pub struct SheetRecords {
    /// The columns that tell a header.
    required: &'static [Column],
    sheet: Sheet,
    text_bytes_max: u64,
    row: SheetRow,
    record: StringRecord,
    /// Cells of the record that hold something else than its column may.
    odd: Vec<(usize, DiagnosticKind)>,
    columns: usize,
    layout: Layout,
    include_hidden: bool,
    /// A row that is not blank cannot be seen.
    has_hidden: bool,
    taken_out: u64,
    /// Where the header stands, and the last row that is not blank.
    rows: (u32, u32),
    /// The last row stands there once more.
    again: Option<u64>,
    used: Used,
    /// What was found behind the last row; `None`: it was not reached.
    behind: Option<VecDeque<Diagnostic>>,
}

/// What of the limits of a sheet is used up.
#[derive(Default)]
struct Used {
    cells: usize,
    text_bytes: u64,
}

impl SheetRecords {
    /// Reads the header: the row that is named, or the first that means something. `None`: there is
    /// none, or the diagnostics say why it could not be read.
    pub fn open(
        required: &'static [Column],
        opened: Opened,
        options: &SheetOptions,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> io::Result<Option<(Self, u64)>> {
        let &SheetOptions {
            name: _,
            header_row,
            include_hidden,
        } = options;
        let mut records = Self {
            required,
            sheet: opened.sheet,
            text_bytes_max: opened.text_bytes_max,
            row: SheetRow::default(),
            record: StringRecord::new(),
            odd: Vec::new(),
            columns: 0,
            layout: Layout::default(),
            include_hidden,
            has_hidden: false,
            taken_out: 0,
            rows: (0, 0),
            again: None,
            used: Used::default(),
            behind: None,
        };
        let number = match records.header(header_row) {
            Ok(Some(number)) => number,
            Ok(None) => {
                let empty = match header_row {
                    Some(row) => {
                        let kind = DiagnosticKind::Workbook(SheetFault::HeaderRowEmpty);
                        Diagnostic::line(kind, row)
                    }
                    None => Diagnostic::file(DiagnosticKind::Empty),
                };
                diagnostics.push(empty);
                return Ok(None);
            }
            Err(fault) => {
                diagnostics.push(fault.diagnostic(records.place())?);
                return Ok(None);
            }
        };
        records.rows = (number, number);
        let line = u64::from(number);
        let row = &records.row;
        if row.is_hidden && !include_hidden {
            let kind = DiagnosticKind::Workbook(SheetFault::RowHidden);
            diagnostics.push(Diagnostic::line(kind, line));
            return Ok(None);
        }
        if row.is_too_long {
            diagnostics.push(Diagnostic::line(DiagnosticKind::LineTooLong, line));
            return Ok(None);
        }
        // Names in white stand on what a table's style fills, which is not looked into.
        let is_wrong = |odd: Option<DiagnosticKind>| odd.is_some_and(|kind| !is_of_sight(kind));
        if let Some((column, _, Some(kind))) = row.cells().find(|(_, _, odd)| is_wrong(*odd)) {
            diagnostics.push(Diagnostic::line(kind, line).at(column));
            return Ok(None);
        }
        let named = row.cells().filter(|(_, text, _)| !text.trim().is_empty());
        records.columns = named.last().map_or(0, |(column, _, _)| column + 1);
        records.row.columns = u32::try_from(records.columns).unwrap_or(u32::MAX);
        records.fill();
        Ok(Some((records, line)))
    }

    /// Reads up to the header.
    fn header(&mut self, wanted: Option<u64>) -> Result<Option<u32>, Fault> {
        while self.read()? {
            let number = self.row.number;
            let Some(wanted) = wanted else {
                if self.row.is_blank() || self.is_remark() {
                    continue;
                }
                return Ok(Some(number));
            };
            // A row of which there are several ends at the last of them.
            let last = u64::from(number) + u64::from(self.row.copies) - 1;
            if last < wanted {
                continue;
            }
            let is_it = u64::from(number) <= wanted && !self.row.is_blank();
            return Ok(u32::try_from(wanted).ok().filter(|_| is_it));
        }
        Ok(None)
    }

    /// Reads the next row of the sheet, within the sheet's limits.
    fn read(&mut self) -> Result<bool, Fault> {
        let is_row = self.sheet.next(&mut self.row)?;
        self.has_hidden |= is_row && self.row.is_hidden && !self.row.is_blank();
        self.used.cells += self.row.cells().count();
        self.used.text_bytes += self.row.text_bytes() as u64;
        if self.used.cells > SHEET_CELLS_MAX || self.used.text_bytes > self.text_bytes_max {
            let what = format!(
                "its cells are more than {SHEET_CELLS_MAX}, or hold more than {} MiB of text",
                self.text_bytes_max / (1024 * 1024)
            );
            return Err(Fault::too_large(what));
        }
        Ok(is_row)
    }

    /// It begins with `#`, and no cell of it is the name of a column.
    fn is_remark(&self) -> bool {
        let texts = || self.row.cells().map(|(_, text, _)| text);
        let is_remark = |text: &str| text.trim_start().starts_with('#');
        texts().next().is_some_and(is_remark) && header::known(texts()) == 0
    }

    /// Where reading has come to.
    fn place(&self) -> Option<u64> {
        match self.sheet.row() {
            0 => None,
            row => Some(u64::from(row)),
        }
    }

    /// Makes the record of the row.
    fn fill(&mut self) {
        self.record.clear();
        self.odd.clear();
        for (column, text, odd) in self.row.cells() {
            if column >= self.columns {
                break;
            }
            while self.record.len() < column {
                self.record.push_field("");
            }
            self.record.push_field(text);
            let odd = odd.filter(|kind| !self.include_hidden || !is_of_sight(*kind));
            self.odd.extend(odd.map(|kind| (column, kind)));
        }
        while self.record.len() < self.columns {
            self.record.push_field("");
        }
    }

    pub fn set_layout(&mut self, layout: Layout) {
        self.layout = layout;
    }

    pub fn taken_out(&self) -> u64 {
        self.taken_out
    }

    pub fn record(&self) -> &StringRecord {
        &self.record
    }

    /// A filter is set that hides no row.
    pub fn has_idle_filter(&self) -> bool {
        self.sheet.has_filter() && !self.has_hidden
    }

    /// Cells of the last row that hold something else than text or a number.
    pub fn odd(&self) -> &[(usize, DiagnosticKind)] {
        &self.odd
    }

    /// The column cannot be seen, and nobody has said that it shall be read all the same.
    pub fn is_hidden(&self, column: usize) -> bool {
        !self.include_hidden && self.sheet.hidden().has(column)
    }

    /// What the last row is, if it cannot be one because sheets were joined.
    pub fn joint(&self) -> Option<DiagnosticKind> {
        let is_header = header::is_header(self.required, self.record.iter());
        is_header.then_some(DiagnosticKind::HeaderAgain)
    }

    /// Where the header seems to stand, if it was not what was taken for it. Nothing can be read
    /// afterwards.
    pub fn header_below(&mut self) -> io::Result<Option<u64>> {
        loop {
            match self.read() {
                Ok(true) => {}
                Ok(false) | Err(Fault::Wrong(_)) => return Ok(None),
                Err(Fault::Io(error)) => return Err(error),
            }
            let texts = self.row.cells().map(|(_, text, _)| text);
            if header::is_header(self.required, texts) {
                return Ok(Some(u64::from(self.row.number)));
            }
        }
    }

    /// Reads on to the next row. Blank ones, and those that were taken out, are passed over.
    pub fn next(&mut self, diagnostics: &mut Vec<Diagnostic>) -> io::Result<Next> {
        if let Some(number) = self.again.take() {
            return Ok(Next::Row(number));
        }
        if let Some(behind) = &mut self.behind {
            return Ok(match behind.pop_front() {
                Some(diagnostic) => {
                    diagnostics.push(diagnostic);
                    Next::Faulty
                }
                None => Next::End,
            });
        }
        loop {
            match self.read() {
                Ok(true) => {}
                Ok(false) => {
                    let found = match self.merged() {
                        Ok(found) => found,
                        Err(fault) => vec![fault.diagnostic(None)?],
                    };
                    self.behind = Some(found.into());
                    return self.next(diagnostics);
                }
                Err(fault) => {
                    diagnostics.push(fault.diagnostic(self.place())?);
                    self.behind = Some(VecDeque::new());
                    return Ok(Next::Faulty);
                }
            }
            if self.row.is_blank() {
                continue;
            }
            self.rows.1 = self.row.number;
            if self.layout.has_remarks && self.is_taken_out() {
                self.taken_out += u64::from(self.row.copies);
                continue;
            }
            let number = u64::from(self.row.number);
            if let Some(diagnostic) = self.misfit(number) {
                diagnostics.push(diagnostic);
                return Ok(Next::Faulty);
            }
            self.fill();
            // A third one and all further ones say nothing that the second did not.
            self.again = (self.row.copies > 1).then_some(number + 1);
            return Ok(Next::Row(number));
        }
    }

    /// Why the row is not to be read as one.
    fn misfit(&self, number: u64) -> Option<Diagnostic> {
        if self.row.is_hidden && !self.include_hidden {
            let kind = DiagnosticKind::Workbook(SheetFault::RowHidden);
            return Some(Diagnostic::line(kind, number));
        }
        if self.row.is_too_long {
            return Some(Diagnostic::line(DiagnosticKind::LineTooLong, number));
        }
        let is_beyond = |column: usize, text: &str, odd: Option<DiagnosticKind>| {
            column >= self.columns && (odd.is_some() || !text.trim().is_empty())
        };
        let mut cells = self.row.cells();
        let beyond = cells.find(|(column, text, odd)| is_beyond(*column, text, *odd));
        beyond.map(|(column, _, _)| {
            let kind = DiagnosticKind::Workbook(SheetFault::BeyondHeader);
            Diagnostic::line(kind, number).at(column)
        })
    }

    /// As in CSV: it begins with `#`, which no error value and no number that was too wide does.
    fn is_taken_out(&self) -> bool {
        let mut cells = self.row.cells();
        let first = match cells.next() {
            Some((0, first, odd)) if odd.is_none_or(is_of_sight) => first,
            Some(_) | None => return false,
        };
        let first = first.trim();
        let mut is_alone = || cells.all(|(_, text, odd)| odd.is_none() && text.trim().is_empty());
        first.starts_with('#') && !is_error(first) && (!is_hashes(first) || is_alone())
    }

    /// The merged areas that hold a cell of the table: whoever merged cells meant one value for all
    /// of them, and only the first one has it.
    fn merged(&mut self) -> Result<Vec<Diagnostic>, Fault> {
        let (first, last) = self.rows;
        let areas = self.sheet.merged()?;
        let among = areas
            .iter()
            .filter(|area| area.rows.0 <= last && area.rows.1 >= first);
        let merged = among.filter_map(|area| {
            let mut known = self.layout.known.iter();
            let column = known.find(|column| area.holds_column(**column))?;
            let kind = DiagnosticKind::Workbook(SheetFault::Merged);
            let row = u64::from(area.rows.0.max(first));
            Some(
                Diagnostic::line(kind, row)
                    .at(*column)
                    .with(area.to_string()),
            )
        });
        Ok(merged.collect())
    }
}

/// Somebody who looks at the cell would not think that it is meant.
fn is_of_sight(kind: DiagnosticKind) -> bool {
    matches!(kind, DiagnosticKind::Workbook(fault) if fault.is_of_sight())
}
