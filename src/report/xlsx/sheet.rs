//! One sheet, written row by row and not held.

use std::io;

use rust_xlsxwriter::{ColNum, Format, RowNum, Workbook, Worksheet, XlsxError};

use crate::text;

/// The longest text of a cell, in characters as the format counts them, which is UTF-16's.
const CELL_UNITS_MAX: usize = 32_767;
/// Widths of columns, in characters.
const WIDTH_MIN: usize = 8;
const WIDTH_MAX: usize = 48;
/// Rows by which a column's width is chosen.
const ROWS_LOOKED_AT: RowNum = 200;

/// A sheet with a header, in which one can filter.
#[derive(Debug)]
pub struct Sheet {
    /// Its place in the workbook.
    position: usize,
    /// The next row.
    row: RowNum,
    widths: Vec<usize>,
}

/// What a cell holds.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    Text(&'a str),
    /// A text of the operator's own, which is run again: letter by letter, or not at all.
    Own(&'a str),
    /// A count, which is sorted as one.
    Number(u64),
}

/// How the cells of a row look.
#[derive(Debug)]
pub struct Look {
    text: Format,
    number: Format,
}

impl Look {
    /// A text is one whatever it looks like: nothing of it runs, and an id keeps its digits when
    /// somebody edits it. `dress`: what the row has besides.
    pub fn new(dress: impl Fn(Format) -> Format) -> Self {
        Self {
            text: dress(Format::new().set_num_format("@").set_quote_prefix()),
            number: dress(Format::new()),
        }
    }
}

impl Sheet {
    /// A sheet behind the others of `book`.
    pub fn begin(book: &mut Workbook, name: &str, header: &[Value<'_>]) -> io::Result<Self> {
        let position = book.worksheets().len();
        let sheet = book.add_worksheet_with_constant_memory().map_err(failed)?;
        sheet.set_name(name).map_err(failed)?;
        sheet.set_freeze_panes(1, 0).map_err(failed)?;
        let mut sheet = Self {
            position,
            row: 0,
            widths: vec![WIDTH_MIN; header.len()],
        };
        let bold = Look::new(Format::set_bold);
        sheet.push(book, header, &bold)?;
        Ok(sheet)
    }

    /// Adds a row.
    pub fn push(
        &mut self,
        book: &mut Workbook,
        cells: &[Value<'_>],
        look: &Look,
    ) -> io::Result<()> {
        let sheet = self.sheet(book)?;
        for (position, cell) in cells.iter().enumerate() {
            let column = column(position)?;
            match cell {
                Value::Number(number) => {
                    #[expect(clippy::cast_precision_loss, reason = "a count, and no id")]
                    let number = *number as f64;
                    sheet.write_number_with_format(self.row, column, number, &look.number)
                }
                Value::Text("") | Value::Own("") => sheet.write_blank(self.row, column, &look.text),
                Value::Text(text) | Value::Own(text) => {
                    let text = match cell {
                        Value::Own(own) => whole(own)?.to_owned(),
                        Value::Text(_) | Value::Number(_) => fitting(text),
                    };
                    if self.row < ROWS_LOOKED_AT
                        && let Some(width) = self.widths.get_mut(position)
                    {
                        let chars = text.chars().count() + 2;
                        *width = (*width).max(chars.min(WIDTH_MAX));
                    }
                    sheet.write_string_with_format(self.row, column, text, &look.text)
                }
            }
            .map_err(failed)?;
        }
        self.row += 1;
        Ok(())
    }

    /// Nothing follows: the columns get their widths, and the header its filter.
    pub fn end(&self, book: &mut Workbook) -> io::Result<()> {
        let sheet = self.sheet(book)?;
        for (position, width) in self.widths.iter().enumerate() {
            let width = u16::try_from(*width).unwrap_or(u16::MAX);
            sheet
                .set_column_width(column(position)?, f64::from(width))
                .map_err(failed)?;
        }
        let last = column(self.widths.len().saturating_sub(1))?;
        sheet
            .autofilter(0, 0, self.row.saturating_sub(1), last)
            .map_err(failed)?;
        Ok(())
    }

    fn sheet<'a>(&self, book: &'a mut Workbook) -> io::Result<&'a mut Worksheet> {
        book.worksheet_from_index(self.position).map_err(failed)
    }
}

fn column(position: usize) -> io::Result<ColNum> {
    ColNum::try_from(position).map_err(io::Error::other)
}

/// As much of a text as fits into a cell, with its control characters made visible.
fn fitting(cell: &str) -> String {
    let mut units = 0;
    let fits = |character: &char| {
        units += character.len_utf16();
        units <= CELL_UNITS_MAX
    };
    text::printable(cell).chars().take_while(fits).collect()
}

/// The text as it stands, if a cell can hold it.
fn whole(cell: &str) -> io::Result<&str> {
    let is_told = |character: char| match character {
        '\t' | '\n' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        other => !other.is_control(),
    };
    if cell.encode_utf16().count() <= CELL_UNITS_MAX && cell.chars().all(is_told) {
        return Ok(cell);
    }
    Err(io::Error::other(
        "a cell is too long for a workbook, or has control characters: it would not come back as it stands",
    ))
}

/// What the library cannot write, such as more rows than a sheet has.
pub fn failed(error: XlsxError) -> io::Error {
    match error {
        XlsxError::IoError(error) => error,
        XlsxError::RowColumnLimitError => {
            io::Error::other("a sheet has at most 1,048,576 rows: write it as CSV")
        }
        other => io::Error::other(other),
    }
}
