//! One cell of an `.ods`.

use std::borrow::Cow;

use secrecy::zeroize::Zeroizing;

use super::paragraph;
use super::styles::{Family, StyleId, Styles};
use crate::manifest::diagnostic::DiagnosticKind;
use crate::manifest::limits::CELL_BYTES_MAX;
use crate::manifest::sheet_fault::SheetFault;
use crate::manifest::spreadsheet::is_error;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::look::{Look, unlike};
use crate::manifest::workbook::number_format::Shown;
use crate::manifest::workbook::value::{self, Number};
use crate::manifest::workbook::xml::{Node, Tag, Xml};

/// What its element says, before its text is read.
pub struct Cell {
    /// How many cells from here on are like this one.
    pub copies: u32,
    /// Rows and columns that it is merged with, itself included.
    pub spans: (u32, u32),
    /// The style that it names; `None`: it names none.
    pub style: Option<StyleId>,
    kind: Kind,
    is_formula: bool,
    /// What is stored besides the text that is shown.
    value: Option<Zeroizing<String>>,
    has_text: bool,
}

enum Kind {
    Nothing,
    Text,
    Number,
    Date,
    Truth,
    Error,
}

impl Cell {
    pub fn of(tag: &Tag<'_>, styles: &Styles) -> Result<Self, Fault> {
        let mut cell = Self {
            copies: 1,
            spans: (1, 1),
            style: None,
            kind: Kind::Nothing,
            is_formula: false,
            value: None,
            has_text: false,
        };
        let mut is_error = false;
        // What is stored stands in an attribute that is named for its kind.
        let mut stored: [Option<Cow<'_, str>>; 5] = Default::default();
        let mut kind = None;
        for attribute in tag.attributes() {
            let (name, value) = attribute?;
            match name {
                "office:value-type" => kind = Some(value),
                "office:string-value" => stored[0] = Some(value),
                "office:value" => stored[1] = Some(value),
                "office:date-value" => stored[2] = Some(value),
                "office:time-value" => stored[3] = Some(value),
                "office:boolean-value" => stored[4] = Some(value),
                "calcext:value-type" => is_error = value == "error",
                "table:style-name" => cell.style = styles.find(Family::Cell, Some(&value)),
                "table:formula" => cell.is_formula = true,
                "table:number-columns-repeated" => cell.copies = times(&value)?,
                "table:number-rows-spanned" => cell.spans.0 = times(&value)?,
                "table:number-columns-spanned" => cell.spans.1 = times(&value)?,
                _ => {}
            }
        }
        let (kind, value) = match kind.as_deref() {
            _ if is_error => (Kind::Error, None),
            None => (Kind::Nothing, None),
            Some("string") => (Kind::Text, stored[0].take()),
            Some("float" | "percentage" | "currency") => (Kind::Number, stored[1].take()),
            Some("date") => (Kind::Date, stored[2].take()),
            Some("time") => (Kind::Date, stored[3].take()),
            Some("boolean") => (Kind::Truth, stored[4].take()),
            Some(_) => return Err(Fault::damaged("a cell is of an unknown kind")),
        };
        cell.kind = kind;
        cell.value = value.map(|value| Zeroizing::new(value.into_owned()));
        Ok(cell)
    }

    /// Reads what is left of the cell's element; `shown` becomes the text that it shows.
    pub fn read(&mut self, xml: &mut Xml, shown: &mut String) -> Result<(), Fault> {
        shown.clear();
        let outside = xml.depth() - 1;
        while xml.depth() > outside {
            let Node::Start(tag) = xml.next()? else {
                continue;
            };
            if tag.name() != "text:p" {
                xml.skip()?;
                continue;
            }
            // What is too long already needs not become longer.
            if self.has_text && shown.len() <= CELL_BYTES_MAX {
                shown.push('\n');
            }
            self.has_text = true;
            paragraph::read(xml, shown)?;
        }
        Ok(())
    }

    /// Makes `text` of what is stored; what is odd about it.
    pub fn told(
        &self,
        shown: &str,
        look: Look,
        text: &mut String,
    ) -> Result<Option<DiagnosticKind>, Fault> {
        // Some programs write no text beside a value, and then nothing else is shown.
        let is_disguised = self.has_text
            && match (&self.kind, &self.value) {
                (Kind::Number, Some(stored)) => !value::is_shown(stored, shown),
                (Kind::Text, Some(stored)) => stored.as_str() != shown,
                _ => false,
            };
        text.clear();
        text.push_str(shown);
        let odd = self.value(look, text)?;
        let disguised = DiagnosticKind::Workbook(SheetFault::Disguised);
        let odd = odd.or(is_disguised.then_some(disguised));
        let is_text = matches!(self.kind, Kind::Text | Kind::Nothing);
        Ok(odd.or_else(|| look.odd(is_text).filter(|_| !text.trim().is_empty())))
    }

    /// Puts what is stored in the place of what is shown.
    fn value(&self, look: Look, text: &mut String) -> Result<Option<DiagnosticKind>, Fault> {
        let unsaved = DiagnosticKind::Workbook(SheetFault::FormulaUnsaved);
        if !matches!(self.kind, Kind::Text) && is_error(text.trim()) {
            return Ok(Some(DiagnosticKind::SpreadsheetError));
        }
        let stored = self.value.as_ref().map(|value| value.as_str());
        match (&self.kind, stored) {
            (Kind::Nothing, _) if self.is_formula => Ok(Some(unsaved)),
            // A text that nobody gave a kind is shown, and is one.
            (Kind::Nothing, _) | (Kind::Text, None) => Ok(None),
            (Kind::Text, Some(stored)) => {
                text.clear();
                text.push_str(stored);
                Ok(None)
            }
            (Kind::Error, _) => Ok(Some(DiagnosticKind::SpreadsheetError)),
            (Kind::Number | Kind::Date | Kind::Truth, None) => Err(Fault::damaged(
                "a cell does not hold what it is said to hold",
            )),
            (Kind::Number, Some(stored)) => {
                text.clear();
                let number = value::number(stored, text).ok_or_else(|| {
                    Fault::damaged("a cell is said to hold a number, and holds none")
                })?;
                Ok(match (number, look.format.number(text)) {
                    (_, Shown::Date) => Some(DiagnosticKind::Date),
                    (Number::Rounded, _) => Some(DiagnosticKind::Rounded),
                    (Number::Plain, shown) => unlike(shown),
                })
            }
            (Kind::Date, Some(stored)) => {
                text.clear();
                text.push_str(&stored.replacen('T', " ", 1));
                Ok(Some(DiagnosticKind::Date))
            }
            (Kind::Truth, Some(stored)) => {
                text.clear();
                text.push_str(&stored.to_uppercase());
                Ok(Some(DiagnosticKind::Workbook(SheetFault::Truth)))
            }
        }
    }
}

/// A number of rows or columns, which is 1 where it is not given.
pub fn count(tag: &Tag<'_>, name: &str) -> Result<u32, Fault> {
    tag.get(name)?.map_or(Ok(1), |count| times(&count))
}

fn times(count: &str) -> Result<u32, Fault> {
    let count = count.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| Fault::damaged("it repeats something an unknown number of times"))
}
