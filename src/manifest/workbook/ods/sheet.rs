//! The rows of a sheet of an `.ods`, and what of it is hidden or merged.

use secrecy::zeroize::Zeroizing;

use super::book;
use super::cell::{Cell, count};
use super::styles::Styles;
use crate::manifest::limits::{
    CELL_CHARS_MAX, COLUMNS_MAX, MERGED_MAX, SHEET_COLUMNS_MAX, SHEET_ROWS_MAX,
};
use crate::manifest::workbook::archive::Archive;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::hidden::Columns;
use crate::manifest::workbook::place::Area;
use crate::manifest::workbook::row::SheetRow;
use crate::manifest::workbook::xml::{Node, Xml};

/// A sheet, read from above.
pub struct OdsSheet {
    xml: Xml,
    styles: Styles,
    hidden: Columns,
    merged: Vec<Area>,
    /// The last row; 0 before the first.
    row: u32,
    /// Columns that were described so far.
    columns: u32,
    /// How many elements are open around the sheet's own; `None`: it has ended.
    outside: Option<usize>,
    /// As many are open around a group of rows or columns that is folded away.
    folded: Option<usize>,
    text: Zeroizing<String>,
}

impl OdsSheet {
    /// The sheet at `position`, up to its first row.
    pub fn open(archive: &Archive, position: usize) -> Result<Self, Fault> {
        let mut xml = book::content(archive)?;
        let mut styles = Styles::default();
        let mut sheets_depth = None;
        let mut left = position;
        loop {
            let tag = match xml.next()? {
                Node::Eof => return Err(Fault::damaged("a sheet of it is nowhere to be found")),
                Node::Start(tag) => tag,
                Node::End | Node::Text(_) | Node::Aside => continue,
            };
            let Some(depth) = sheets_depth else {
                styles.see(&tag)?;
                if tag.name() == book::SHEETS_IN {
                    sheets_depth = Some(tag.depth);
                }
                continue;
            };
            if tag.name() == "table:table" && tag.depth == depth + 1 {
                if left == 0 {
                    break;
                }
                left -= 1;
            }
        }
        Ok(Self {
            outside: Some(xml.depth() - 1),
            xml,
            styles,
            hidden: Columns::default(),
            merged: Vec::new(),
            row: 0,
            columns: 0,
            folded: None,
            text: Zeroizing::new(String::with_capacity(CELL_CHARS_MAX)),
        })
    }

    pub fn hidden(&self) -> &Columns {
        &self.hidden
    }

    /// The last row that was begun; 0: none yet.
    pub fn row(&self) -> u32 {
        self.row
    }

    /// Reads the next rows that are alike into `row`; false: there are none.
    pub fn next(&mut self, row: &mut SheetRow) -> Result<bool, Fault> {
        let Some(outside) = self.outside else {
            return Ok(false);
        };
        loop {
            let tag = match self.xml.next()? {
                Node::Start(tag) => tag,
                Node::Eof => return Ok(false),
                Node::End => {
                    let depth = self.xml.depth();
                    self.folded = self.folded.filter(|folded| depth > *folded);
                    if depth == outside {
                        self.outside = None;
                        return Ok(false);
                    }
                    continue;
                }
                Node::Text(_) | Node::Aside => continue,
            };
            match tag.name() {
                "table:table-row" => {
                    let copies = count(&tag, "table:number-rows-repeated")?;
                    let is_hidden =
                        self.folded.is_some() || self.styles.hides("table-row", &tag)?;
                    let number = self.row.saturating_add(1);
                    row.begin(number, copies, is_hidden);
                    self.row = self.row.saturating_add(copies);
                    self.cells(row)?;
                    if number > SHEET_ROWS_MAX && !row.is_blank() {
                        return Err(Fault::too_large("it has more rows than a sheet can have"));
                    }
                    return Ok(true);
                }
                "table:table-column" => {
                    let copies = count(&tag, "table:number-columns-repeated")?;
                    let is_hidden =
                        self.folded.is_some() || self.styles.hides("table-column", &tag)?;
                    let last = self.columns.saturating_add(copies - 1);
                    if is_hidden {
                        self.hidden.add(self.columns, last, true)?;
                    }
                    self.columns = last.saturating_add(1);
                    self.xml.skip()?;
                }
                "table:table-row-group" | "table:table-column-group" => {
                    let is_folded = tag.get("table:display")?.as_deref() == Some("false");
                    if is_folded && self.folded.is_none() {
                        self.folded = Some(tag.depth - 1);
                    }
                }
                "table:table-header-rows"
                | "table:table-rows"
                | "table:table-header-columns"
                | "table:table-columns" => {}
                _ => self.xml.skip()?,
            }
        }
    }

    fn cells(&mut self, row: &mut SheetRow) -> Result<(), Fault> {
        let outside = self.xml.depth() - 1;
        let mut column: u32 = 0;
        while self.xml.depth() > outside {
            let Node::Start(tag) = self.xml.next()? else {
                continue;
            };
            if !matches!(tag.name(), "table:table-cell" | "table:covered-table-cell") {
                self.xml.skip()?;
                continue;
            }
            // What a merged area covers is not shown.
            let is_covered = tag.name() == "table:covered-table-cell";
            let cell = Cell::of(&tag)?;
            let odd = cell.read(&mut self.xml, &mut self.text)?;
            let (rows, columns) = cell.spans;
            if !is_covered && (rows > 1 || columns > 1) {
                self.merged.push(Area {
                    rows: (row.number, row.number.saturating_add(rows - 1)),
                    columns: (column, column.saturating_add(columns - 1)),
                });
                if self.merged.len() > MERGED_MAX {
                    let what = format!("it has more than {MERGED_MAX} merged areas");
                    return Err(Fault::too_large(what));
                }
            }
            let next = column.saturating_add(cell.copies);
            if !is_covered && (odd.is_some() || !self.text.is_empty()) {
                // One column too many is enough to tell.
                let columns_max = u32::try_from(COLUMNS_MAX).unwrap_or(SHEET_COLUMNS_MAX);
                let last = next.min(column.saturating_add(columns_max + 1));
                (column..last).for_each(|column| row.push(column, &self.text, odd));
            }
            column = next;
        }
        Ok(())
    }

    /// The areas that are merged.
    pub fn merged(&mut self) -> Result<Vec<Area>, Fault> {
        self.xml.finish()?;
        Ok(std::mem::take(&mut self.merged))
    }
}
