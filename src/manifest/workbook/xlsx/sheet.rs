//! The rows of a sheet of an `.xlsx`, and what of it is hidden or merged.

use secrecy::zeroize::Zeroizing;

use super::book::Book;
use super::escape::unescaped;
use super::filter;
use super::strings::{Shared, Strings, rich_text};
use super::styles::Styles;
use crate::manifest::diagnostic::DiagnosticKind;
use crate::manifest::limits::{CELL_CHARS_MAX, MERGED_MAX, SHEET_COLUMNS_MAX, SHEET_ROWS_MAX};
use crate::manifest::sheet_fault::SheetFault;
use crate::manifest::workbook::archive::Archive;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::hidden::{COLUMN_CHARACTERS_MIN, Columns, ROW_POINTS_MIN};
use crate::manifest::workbook::look::unlike;
use crate::manifest::workbook::number_format::Shown;
use crate::manifest::workbook::place::{self, Area};
use crate::manifest::workbook::row::SheetRow;
use crate::manifest::workbook::value::{self, Number};
use crate::manifest::workbook::xml::{Node, Tag, Xml, number};

/// A sheet, read from above.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is said by an element of its own"
)]
pub struct XlsxSheet {
    xml: Xml,
    strings: Strings,
    styles: Styles,
    counts_from_1904: bool,
    is_stale: bool,
    hidden: Columns,
    has_filter: bool,
    /// Rows that say nothing of their height are too low to be read.
    are_rows_hidden: bool,
    /// The last row; 0 before the first.
    row: u32,
    /// How many elements are open around the rows; `None`: there are no more.
    rows_depth: Option<usize>,
    /// What is collected of a cell.
    stored: Zeroizing<String>,
    text: Zeroizing<String>,
}

/// What a cell's element says of it.
struct Attributes {
    column: u32,
    kind: Kind,
    style: usize,
}

/// What is stored in a cell (ECMA-376 part 1, 18.18.11).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Number,
    Shared,
    Inline,
    /// What a formula gave.
    Text,
    Truth,
    Error,
    Date,
}

impl XlsxSheet {
    /// The sheet at `position`, up to its first row.
    pub fn open(archive: &Archive, book: &Book, position: usize) -> Result<Self, Fault> {
        let mut sheet = Self {
            xml: book.sheet(archive, position)?,
            strings: book.strings(archive)?,
            styles: book.styles(archive)?,
            counts_from_1904: book.counts_from_1904,
            is_stale: book.is_stale,
            hidden: Columns::default(),
            has_filter: book.has_filtered_table(archive, position)?,
            are_rows_hidden: false,
            row: 0,
            rows_depth: None,
            stored: Zeroizing::new(String::with_capacity(CELL_CHARS_MAX)),
            text: Zeroizing::new(String::with_capacity(CELL_CHARS_MAX)),
        };
        loop {
            match sheet.xml.next()? {
                Node::Eof => return Err(Fault::damaged("the sheet has no cells")),
                Node::Start(tag) if tag.local() == "col" => {
                    if let Some((first, last, are_hidden)) = columns(&tag)? {
                        sheet.hidden.add(first, last, are_hidden)?;
                    }
                }
                Node::Start(tag) if tag.local() == "sheetPr" => {
                    sheet.has_filter |= tag.is("filterMode")?;
                }
                Node::Start(tag) if tag.local() == "sheetFormatPr" => {
                    let is_narrow = tag.is_shorter("defaultColWidth", COLUMN_CHARACTERS_MIN)?;
                    sheet.hidden.are_others_hidden = is_narrow.unwrap_or_default();
                    let is_low = tag.is_shorter("defaultRowHeight", ROW_POINTS_MIN)?;
                    // Where rows that are not written down are hidden, those that are say so.
                    let is_meant = tag.is("customHeight")? || !tag.is("zeroHeight")?;
                    sheet.are_rows_hidden = is_meant && is_low.unwrap_or_default();
                }
                Node::Start(tag) if tag.local() == "sheetData" => break,
                Node::Start(_) | Node::End | Node::Text(_) | Node::Aside => {}
            }
        }
        sheet.rows_depth = Some(sheet.xml.depth());
        Ok(sheet)
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

    /// Reads the next row that is written down into `row`; false: there is none.
    pub fn next(&mut self, row: &mut SheetRow) -> Result<bool, Fault> {
        let Some(outside) = self.rows_depth else {
            return Ok(false);
        };
        loop {
            match self.xml.next()? {
                Node::Start(tag) if tag.local() == "row" => {
                    let number = match tag.get("r")? {
                        Some(number) => number.parse().ok(),
                        None => Some(self.row + 1),
                    };
                    let is_hidden = tag.is("hidden")?
                        || tag
                            .is_shorter("ht", ROW_POINTS_MIN)?
                            .unwrap_or(self.are_rows_hidden);
                    let in_order = self.row + 1..=SHEET_ROWS_MAX;
                    self.row = number
                        .filter(|number| in_order.contains(number))
                        .ok_or_else(|| Fault::damaged("its rows are out of order"))?;
                    row.begin(self.row, 1, is_hidden);
                    self.cells(row)?;
                    return Ok(true);
                }
                Node::Start(_) => self.xml.skip()?,
                Node::End => {
                    if self.xml.depth() < outside {
                        self.rows_depth = None;
                        return Ok(false);
                    }
                }
                Node::Eof => return Ok(false),
                Node::Text(_) | Node::Aside => {}
            }
        }
    }

    fn cells(&mut self, row: &mut SheetRow) -> Result<(), Fault> {
        let outside = self.xml.depth() - 1;
        let mut next = 0;
        while self.xml.depth() > outside {
            let Node::Start(tag) = self.xml.next()? else {
                continue;
            };
            if tag.local() != "c" {
                self.xml.skip()?;
                continue;
            }
            let attributes = attributes(&tag, row.number, next)?;
            next = attributes.column + 1;
            self.cell(row, &attributes)?;
        }
        Ok(())
    }

    fn cell(&mut self, row: &mut SheetRow, attributes: &Attributes) -> Result<(), Fault> {
        let outside = self.xml.depth() - 1;
        let (mut is_formula, mut is_stored) = (false, false);
        self.stored.clear();
        self.text.clear();
        while self.xml.depth() > outside {
            let Node::Start(tag) = self.xml.next()? else {
                continue;
            };
            match tag.local() {
                "v" if is_stored => {
                    let column = place::letters(attributes.column as usize);
                    let what = format!("cell {column}{} holds two values", row.number);
                    return Err(Fault::damaged(what));
                }
                "v" => {
                    is_stored = true;
                    self.xml.text(&mut self.stored)?;
                }
                "is" => rich_text(&mut self.xml, &mut self.text)?,
                "f" => {
                    is_formula = true;
                    self.xml.skip()?;
                }
                _ => self.xml.skip()?,
            }
        }
        // A formula may give an empty text, and nothing else that is empty.
        is_stored &= attributes.kind == Kind::Text || !self.stored.trim().is_empty();
        let mut odd = self.value(row.number, attributes, is_stored)?;
        let text = self.text.trim();
        odd = odd.or_else(|| self.look(attributes).filter(|_| !text.is_empty()));
        if is_formula && (!is_stored || self.is_stale) {
            odd = Some(DiagnosticKind::Workbook(SheetFault::FormulaUnsaved));
        }
        row.push(attributes.column, &self.text, odd);
        Ok(())
    }

    /// Makes `text` of what is stored; what is odd about it.
    fn value(
        &mut self,
        row: u32,
        attributes: &Attributes,
        is_stored: bool,
    ) -> Result<Option<DiagnosticKind>, Fault> {
        let wrong = |what: &str| {
            let column = place::letters(attributes.column as usize);
            Fault::damaged(format!("cell {column}{row} {what}"))
        };
        if !is_stored {
            return Ok(None);
        }
        let stored = self.stored.as_str();
        match attributes.kind {
            // Its text stands beside it.
            Kind::Inline => Ok(None),
            Kind::Number => {
                let format = self.styles.get(attributes.style).format;
                if format.number("") == Shown::Date
                    && let Some(moment) = value::moment(stored, self.counts_from_1904)
                {
                    self.text.push_str(&moment);
                    return Ok(Some(DiagnosticKind::Date));
                }
                let number = value::number(stored, &mut self.text);
                let number =
                    number.ok_or_else(|| wrong("is said to hold a number, and holds none"))?;
                Ok(match format.number(&self.text) {
                    // Too large for any date, so that the program shows `####`.
                    Shown::Date => Some(DiagnosticKind::Date),
                    Shown::Otherwise => Some(DiagnosticKind::Workbook(SheetFault::Disguised)),
                    _ if number == Number::Rounded => Some(DiagnosticKind::Rounded),
                    shown => unlike(shown),
                })
            }
            Kind::Shared => {
                let number = stored.trim().parse().ok();
                let shared = number.and_then(|number| self.strings.get(number));
                match shared.ok_or_else(|| wrong("holds a text that is not there"))? {
                    Shared::Text(text) => {
                        self.text.push_str(text);
                        Ok(None)
                    }
                    Shared::TooLong => Ok(Some(DiagnosticKind::Workbook(SheetFault::CellTooLong))),
                }
            }
            Kind::Text => {
                self.text.push_str(&unescaped(stored));
                Ok(None)
            }
            Kind::Truth => {
                let is_true = matches!(stored.trim(), "1" | "true");
                self.text.push_str(if is_true { "TRUE" } else { "FALSE" });
                Ok(Some(DiagnosticKind::Workbook(SheetFault::Truth)))
            }
            Kind::Error => {
                self.text.push_str(stored);
                Ok(Some(DiagnosticKind::SpreadsheetError))
            }
            Kind::Date => {
                self.text.push_str(stored);
                Ok(Some(DiagnosticKind::Date))
            }
        }
    }

    /// What is odd about how the cell is shown, whatever it holds.
    fn look(&self, attributes: &Attributes) -> Option<DiagnosticKind> {
        let is_text = match attributes.kind {
            Kind::Shared | Kind::Inline | Kind::Text => true,
            Kind::Number | Kind::Truth | Kind::Error | Kind::Date => false,
        };
        self.styles.get(attributes.style).odd(is_text)
    }

    /// What stands behind the rows: the areas that are merged, and the filter.
    pub fn merged(&mut self) -> Result<Vec<Area>, Fault> {
        let mut areas = Vec::new();
        loop {
            match self.xml.next()? {
                Node::Eof => return Ok(areas),
                Node::Start(tag) if tag.local() == "mergeCell" => {
                    let area = tag.get("ref")?.and_then(|area| Area::parse(&area));
                    areas
                        .push(area.ok_or_else(|| Fault::damaged("it merges no cells of a sheet"))?);
                }
                // Those of views that somebody keeps for later stand deeper.
                Node::Start(tag) if tag.local() == "autoFilter" && tag.depth == 2 => {
                    self.has_filter |= filter::is_set(&mut self.xml)?;
                }
                Node::Start(_) | Node::End | Node::Text(_) | Node::Aside => {}
            }
            if areas.len() > MERGED_MAX {
                let what = format!("it has more than {MERGED_MAX} merged areas");
                return Err(Fault::too_large(what));
            }
        }
    }
}

/// The columns that a `col` describes, and whether they are hidden, if it says so.
fn columns(tag: &Tag<'_>) -> Result<Option<(u32, u32, bool)>, Fault> {
    let (Some(first), Some(last)) = (tag.number("min")?, tag.number("max")?) else {
        return Err(Fault::damaged("its columns have no numbers"));
    };
    let is_narrow = tag.is_shorter("width", COLUMN_CHARACTERS_MIN)?;
    let are_hidden = if tag.is("hidden")? {
        Some(true)
    } else {
        is_narrow
    };
    let run = |are_hidden| (first.saturating_sub(1), last.saturating_sub(1), are_hidden);
    Ok(are_hidden.map(run))
}

/// What a `c` of `row` says; without a place it stands in the column `next`.
fn attributes(tag: &Tag<'_>, row: u32, next: u32) -> Result<Attributes, Fault> {
    let damaged = || Fault::damaged(format!("the cells of row {row} are out of order"));
    let (mut place, mut kind, mut style) = (None, None, 0);
    for attribute in tag.attributes() {
        let (name, value) = attribute?;
        match name {
            "r" => place = Some(value),
            "t" => kind = Some(value),
            "s" => style = number(&value)? as usize,
            _ => {}
        }
    }
    let column = match place {
        Some(place) => match place::parse(&place) {
            Some((own, column)) if own == row && column >= next => column,
            Some(_) | None => return Err(damaged()),
        },
        None if next < SHEET_COLUMNS_MAX => next,
        None => return Err(damaged()),
    };
    let kind = match kind.as_deref() {
        None | Some("n") => Kind::Number,
        Some("s") => Kind::Shared,
        Some("inlineStr") => Kind::Inline,
        Some("str") => Kind::Text,
        Some("b") => Kind::Truth,
        Some("e") => Kind::Error,
        Some("d") => Kind::Date,
        Some(_) => {
            let place = place::letters(column as usize);
            return Err(Fault::damaged(format!(
                "cell {place}{row} is of an unknown kind"
            )));
        }
    };
    Ok(Attributes {
        column,
        kind,
        style,
    })
}
