//! Some rows of an operator's own workbook, as a workbook that can be corrected and run.

use std::io::{self, Write};
use std::path::Path;

use rust_xlsxwriter::Workbook;

use super::sheet::{Look, Sheet, Value, failed};

/// A workbook of one sheet.
pub struct RowsBook {
    book: Workbook,
    sheet: Sheet,
    look: Look,
}

impl RowsBook {
    /// What is not yet part of the workbook lies in `folder`, in a file without a name: some of it
    /// may be passwords, which then lie nowhere else than where the workbook will.
    pub fn new(header: &[String], folder: &Path) -> io::Result<Self> {
        let mut book = Workbook::new();
        book.set_tempdir(folder).map_err(failed)?;
        let header: Vec<Value> = header.iter().map(|name| Value::Own(name)).collect();
        let sheet = Sheet::begin(&mut book, "rows", &header)?;
        Ok(Self {
            book,
            sheet,
            look: Look::new(|format| format),
        })
    }

    pub fn row<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> io::Result<()> {
        let cells: Vec<Value> = cells.map(Value::Own).collect();
        self.sheet.push(&mut self.book, &cells, &self.look)
    }

    pub fn finish(mut self, out: impl Write + Send) -> io::Result<()> {
        self.sheet.end(&mut self.book)?;
        self.book.save_to_writer(out).map_err(failed)
    }
}
