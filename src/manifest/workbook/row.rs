//! One row of a sheet, before anybody knows what its columns mean.

use secrecy::zeroize::Zeroizing;

use crate::manifest::diagnostic::DiagnosticKind;
use crate::manifest::limits::{CELL_CHARS_MAX, COLUMNS_MAX, LINE_BYTES_MAX, SHEET_COLUMNS_MAX};
use crate::manifest::sheet_fault::SheetFault;

/// As long as nearly every row is: a text that grows beyond leaves copies of itself behind, which
/// nobody wipes.
const USUAL_BYTES: usize = 8 * 1024;

/// The cells of a row that hold something.
pub struct SheetRow {
    /// Counted from 1.
    pub number: u32,
    /// How many rows are like this one, itself included.
    pub copies: u32,
    pub is_hidden: bool,
    /// The sheet has so many columns, as far as that is known. A cell that is said once for many is
    /// added to these, and to one more, which is enough to tell.
    pub columns: u32,
    /// The cells together are longer than a row may be; those from there on are empty.
    pub is_too_long: bool,
    cells: Vec<Cell>,
    text: Zeroizing<String>,
}

struct Cell {
    /// Counted from 0.
    column: u32,
    /// Where its text ends.
    end: usize,
    odd: Option<DiagnosticKind>,
}

impl Default for SheetRow {
    fn default() -> Self {
        Self {
            number: 0,
            copies: 1,
            is_hidden: false,
            columns: u32::try_from(COLUMNS_MAX).unwrap_or(SHEET_COLUMNS_MAX),
            is_too_long: false,
            cells: Vec::new(),
            text: Zeroizing::new(String::with_capacity(USUAL_BYTES)),
        }
    }
}

impl SheetRow {
    /// An empty row; its cells follow, from left to right.
    pub fn begin(&mut self, number: u32, copies: u32, is_hidden: bool) {
        self.number = number;
        self.copies = copies;
        self.is_hidden = is_hidden;
        self.is_too_long = false;
        self.cells.clear();
        self.text.clear();
    }

    /// Adds a cell. `odd`: what makes it unfit for a column that means something.
    pub fn push(&mut self, column: u32, text: &str, odd: Option<DiagnosticKind>) {
        let is_blank = odd.is_none() && text.trim().is_empty();
        // A password may be blanks, and is then told as one that is too weak; an empty cell is none.
        if is_blank && text.is_empty() {
            return;
        }
        let is_long = text.len() > CELL_CHARS_MAX && text.chars().count() > CELL_CHARS_MAX;
        let (text, odd) = if is_long {
            let kind = DiagnosticKind::Workbook(SheetFault::CellTooLong);
            ("", Some(kind))
        } else if self.text.len() + text.len() > LINE_BYTES_MAX {
            self.is_too_long = true;
            ("", odd)
        } else {
            (text, odd)
        };
        self.text.push_str(text);
        let end = self.text.len();
        self.cells.push(Cell { column, end, odd });
    }

    /// The cells that hold something: column, text, and what is odd about it.
    pub fn cells(&self) -> impl Iterator<Item = (usize, &str, Option<DiagnosticKind>)> {
        let mut start = 0;
        self.cells.iter().map(move |cell| {
            let text = &self.text[start..cell.end];
            start = cell.end;
            (cell.column as usize, text, cell.odd)
        })
    }

    /// Bytes of all its texts.
    pub fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// Nothing can be seen in it.
    pub fn is_blank(&self) -> bool {
        !self.is_too_long
            && self
                .cells()
                .all(|(_, text, odd)| odd.is_none() && text.trim().is_empty())
    }
}
