//! The rows of a sheet of an `.ods`, and what of it is hidden or merged.

use secrecy::zeroize::Zeroizing;

use super::book::{self, Book};
use super::cell::{Cell, count};
use super::styles::{Family, Styles};
use crate::manifest::limits::{CELL_CHARS_MAX, MERGED_MAX, SHEET_COLUMNS_MAX, SHEET_ROWS_MAX};
use crate::manifest::workbook::archive::Archive;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::hidden::Columns;
use crate::manifest::workbook::place::Area;
use crate::manifest::workbook::row::SheetRow;
use crate::manifest::workbook::xml::{Node, Xml};

/// A sheet, read from above.
pub struct OdsSheet {
    name: String,
    xml: Xml,
    looks: Looks,
    hidden: Columns,
    merged: Vec<Area>,
    /// The last row; 0 before the first.
    row: u32,
    /// Columns that were described so far.
    columns: u32,
    has_filter: bool,
    /// How many elements are open around the sheet's own; `None`: it has ended.
    outside: Option<usize>,
    /// As many are open around a group of rows or columns that is folded away.
    folded: Option<usize>,
    /// What a cell shows, and what it holds.
    shown: Zeroizing<String>,
    text: Zeroizing<String>,
}

/// How the cells of the sheet are shown.
struct Looks {
    styles: Styles,
    is_protected: bool,
    /// The style of the cells that have none, up to this column.
    columns: Vec<(u32, Option<usize>)>,
}

impl Looks {
    fn add(&mut self, last: u32, style: Option<usize>) -> Result<(), Fault> {
        match self.columns.last_mut() {
            Some(run) if run.1 == style => run.0 = last,
            Some(_) | None => self.columns.push((last, style)),
        }
        if self.columns.len() > SHEET_COLUMNS_MAX as usize {
            let what = format!("it describes more than {SHEET_COLUMNS_MAX} columns");
            return Err(Fault::too_large(what));
        }
        Ok(())
    }

    /// The style of a cell of this column without one.
    fn of_column(&self, column: u32) -> Option<usize> {
        let run = self.columns.partition_point(|(last, _)| *last < column);
        let run = self.columns.get(run).map(|(_, style)| *style);
        run.unwrap_or_else(|| self.styles.find(Family::Cell, None))
    }
}

impl OdsSheet {
    /// The sheet at `position`, up to its first row.
    pub fn open(archive: &Archive, mut book: Book, position: usize) -> Result<Self, Fault> {
        let mut xml = book::content(archive)?;
        let mut sheets_depth = None;
        let mut left = position;
        let is_protected = loop {
            let tag = match xml.next()? {
                Node::Eof => return Err(Fault::damaged("a sheet of it is nowhere to be found")),
                Node::Start(tag) => tag,
                Node::End | Node::Text(_) | Node::Aside => continue,
            };
            let Some(depth) = sheets_depth else {
                if tag.name() == book::SHEETS_IN {
                    sheets_depth = Some(tag.depth);
                }
                continue;
            };
            if tag.name() == "table:table" && tag.depth == depth + 1 {
                if left == 0 {
                    break tag.is("table:protected")?;
                }
                left -= 1;
            }
        };
        let name = book.sheets.swap_remove(position).name;
        let styles = book.styles;
        let mut hidden = Columns::default();
        hidden.are_others_hidden = styles.are_columns_hidden();
        Ok(Self {
            name,
            outside: Some(xml.depth() - 1),
            xml,
            looks: Looks {
                styles,
                is_protected,
                columns: Vec::new(),
            },
            hidden,
            merged: Vec::new(),
            row: 0,
            columns: 0,
            has_filter: false,
            folded: None,
            shown: Zeroizing::new(String::with_capacity(CELL_CHARS_MAX)),
            text: Zeroizing::new(String::with_capacity(CELL_CHARS_MAX)),
        })
    }

    pub fn hidden(&self) -> &Columns {
        &self.hidden
    }

    pub fn has_filter(&self) -> bool {
        self.has_filter
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
                    let styles = &self.looks.styles;
                    let is_hidden = self.folded.is_some() || styles.hides(Family::Row, &tag)?;
                    let style = match tag.get("table:default-cell-style-name")? {
                        Some(name) => styles.find(Family::Cell, Some(&name)),
                        None => None,
                    };
                    let number = self.row.saturating_add(1);
                    // No more than the sheet has left.
                    let copies = copies.min(SHEET_ROWS_MAX.saturating_sub(self.row)).max(1);
                    row.begin(number, copies, is_hidden);
                    self.row = self.row.saturating_add(copies);
                    self.cells(row, style)?;
                    if number > SHEET_ROWS_MAX && !row.is_blank() {
                        return Err(Fault::too_large("it has more rows than a sheet can have"));
                    }
                    return Ok(true);
                }
                "table:table-column" => {
                    let copies = count(&tag, "table:number-columns-repeated")?;
                    let styles = &self.looks.styles;
                    let is_hidden = self.folded.is_some() || styles.hides(Family::Column, &tag)?;
                    let style = tag.get("table:default-cell-style-name")?;
                    let style = styles.find(Family::Cell, style.as_deref());
                    let last = self.columns.saturating_add(copies - 1);
                    if is_hidden || self.hidden.are_others_hidden {
                        self.hidden.add(self.columns, last, is_hidden)?;
                    }
                    self.looks.add(last, style)?;
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

    /// Reads the cells of the row. Those without a style have that of the row, or of their column.
    fn cells(&mut self, row: &mut SheetRow, of_row: Option<usize>) -> Result<(), Fault> {
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
            let mut cell = Cell::of(&tag, &self.looks.styles)?;
            let style = cell.style.or(of_row);
            cell.read(&mut self.xml, &mut self.shown)?;
            let (rows, columns) = cell.spans;
            if !is_covered && (rows > 1 || columns > 1) {
                self.merged.push(area(row.number, column, cell.spans));
                if self.merged.len() > MERGED_MAX {
                    let what = format!("it has more than {MERGED_MAX} merged areas");
                    return Err(Fault::too_large(what));
                }
            }
            let next = column.saturating_add(cell.copies);
            if !is_covered {
                let last = next.min(row.columns.max(column).saturating_add(1));
                self.copies(row, (column, last), &cell, style)?;
            }
            column = next;
        }
        Ok(())
    }
    /// Adds the cell to each column from the first to before the last.
    fn copies(
        &mut self,
        row: &mut SheetRow,
        (first, end): (u32, u32),
        cell: &Cell,
        style: Option<usize>,
    ) -> Result<(), Fault> {
        let (mut known, mut odd) = (None, None);
        for column in first..end {
            let style = style.or_else(|| self.looks.of_column(column));
            if known != Some(style) {
                known = Some(style);
                let look = self.looks.styles.look(style, self.looks.is_protected);
                odd = cell.told(&self.shown, look, &mut self.text)?;
            }
            if odd.is_none() && self.text.is_empty() {
                break;
            }
            row.push(column, &self.text, odd);
        }
        Ok(())
    }

    /// The areas that are merged. What stands behind the sheets says whether there is a filter.
    pub fn merged(&mut self) -> Result<Vec<Area>, Fault> {
        let mut is_ours = false;
        loop {
            match self.xml.next()? {
                Node::Eof => return Ok(std::mem::take(&mut self.merged)),
                Node::Start(tag) if tag.name() == "table:database-range" => {
                    let range = tag.get("table:target-range-address")?;
                    is_ours = range.is_none_or(|range| is_of_sheet(&range, &self.name));
                }
                // Without a condition it is but a row of buttons.
                Node::Start(tag) if tag.name() == "table:filter-condition" => {
                    self.has_filter |= is_ours;
                }
                Node::Start(_) | Node::End | Node::Text(_) | Node::Aside => {}
            }
        }
    }
}

/// The range, such as `'my sheet'.A1:'my sheet'.B9`, lies in the sheet of this name.
fn is_of_sheet(range: &str, sheet: &str) -> bool {
    let range = range.trim_start_matches('$');
    let quoted = ["'", &sheet.replace('\'', "''"), "'."].concat();
    let behind = range.strip_prefix(sheet);
    range.starts_with(&quoted) || behind.is_some_and(|behind| behind.starts_with('.'))
}

/// The cells from here on, as far as the sheet has some.
fn area(row: u32, column: u32, (rows, columns): (u32, u32)) -> Area {
    Area {
        rows: (row, row.saturating_add(rows - 1).min(SHEET_ROWS_MAX)),
        columns: (
            column,
            column
                .saturating_add(columns - 1)
                .min(SHEET_COLUMNS_MAX - 1),
        ),
    }
}
