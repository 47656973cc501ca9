//! One cell of an `.ods`.

use secrecy::zeroize::Zeroizing;

use super::paragraph;
use crate::manifest::diagnostic::DiagnosticKind;
use crate::manifest::limits::CELL_BYTES_MAX;
use crate::manifest::sheet_fault::SheetFault;
use crate::manifest::spreadsheet::is_error;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::value::{self, Number};
use crate::manifest::workbook::xml::{Node, Tag, Xml};

/// What its element says, before its text is read.
pub struct Cell {
    /// How many cells from here on are like this one.
    pub copies: u32,
    /// Rows and columns that it is merged with, itself included.
    pub spans: (u32, u32),
    kind: Kind,
    is_formula: bool,
    /// What is stored besides the text that is shown.
    value: Option<Zeroizing<String>>,
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
    pub fn of(tag: &Tag<'_>) -> Result<Self, Fault> {
        let kind = tag.get("office:value-type")?;
        let is_error = tag.get("calcext:value-type")?.as_deref() == Some("error");
        let (kind, value) = match kind.as_deref() {
            _ if is_error => (Kind::Error, None),
            None => (Kind::Nothing, None),
            Some("string") => (Kind::Text, Some("office:string-value")),
            Some("float" | "percentage" | "currency") => (Kind::Number, Some("office:value")),
            Some("date") => (Kind::Date, Some("office:date-value")),
            Some("time") => (Kind::Date, Some("office:time-value")),
            Some("boolean") => (Kind::Truth, Some("office:boolean-value")),
            Some(_) => return Err(Fault::damaged("a cell is of an unknown kind")),
        };
        let value = match value {
            Some(name) => tag
                .get(name)?
                .map(|value| Zeroizing::new(value.into_owned())),
            None => None,
        };
        Ok(Self {
            copies: count(tag, "table:number-columns-repeated")?,
            spans: (
                count(tag, "table:number-rows-spanned")?,
                count(tag, "table:number-columns-spanned")?,
            ),
            kind,
            is_formula: tag.get("table:formula")?.is_some(),
            value,
        })
    }

    /// Reads what is left of the cell's element; `text` becomes its text. What is odd about it.
    pub fn read(&self, xml: &mut Xml, text: &mut String) -> Result<Option<DiagnosticKind>, Fault> {
        text.clear();
        let outside = xml.depth() - 1;
        let mut paragraphs = 0;
        while xml.depth() > outside {
            let Node::Start(tag) = xml.next()? else {
                continue;
            };
            if tag.name() != "text:p" {
                xml.skip()?;
                continue;
            }
            // What is too long already needs not become longer.
            if paragraphs > 0 && text.len() <= CELL_BYTES_MAX {
                text.push('\n');
            }
            paragraphs += 1;
            paragraph::read(xml, text)?;
        }
        // Some programs write no text beside a value, and then nothing else is shown.
        let is_disguised = paragraphs > 0
            && match (&self.kind, &self.value) {
                (Kind::Number, Some(stored)) => !value::is_shown(stored, text),
                (Kind::Text, Some(stored)) => stored.as_str() != text,
                _ => false,
            };
        let odd = self.value(text)?;
        let disguised = DiagnosticKind::Workbook(SheetFault::Disguised);
        Ok(odd.or(is_disguised.then_some(disguised)))
    }

    /// Puts what is stored in the place of what is shown.
    fn value(&self, text: &mut String) -> Result<Option<DiagnosticKind>, Fault> {
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
                match value::number(stored, text) {
                    Some(Number::Plain) => Ok(None),
                    Some(Number::Rounded) => Ok(Some(DiagnosticKind::Rounded)),
                    None => Err(Fault::damaged(
                        "a cell is said to hold a number, and holds none",
                    )),
                }
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
    match tag.get(name)? {
        None => Ok(1),
        Some(count) => count
            .parse()
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| Fault::damaged("it repeats something an unknown number of times")),
    }
}
