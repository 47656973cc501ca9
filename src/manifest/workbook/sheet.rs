//! A sheet of whatever kind of workbook.

use super::archive::Archive;
use super::fault::Fault;
use super::hidden::Columns;
use super::ods::{self, OdsSheet};
use super::place::Area;
use super::row::SheetRow;
use super::xlsx::{self, XlsxSheet};

/// A sheet, read from above.
pub enum Sheet {
    Xlsx(Box<XlsxSheet>),
    Ods(Box<OdsSheet>),
}

/// A workbook whose sheets are known by name.
pub enum Book {
    Xlsx(xlsx::Book),
    Ods(ods::Book),
}

impl Book {
    /// The sheet at `position`.
    pub fn sheet(self, archive: &Archive, position: usize) -> Result<Sheet, Fault> {
        Ok(match self {
            Self::Xlsx(book) => Sheet::Xlsx(Box::new(XlsxSheet::open(archive, &book, position)?)),
            Self::Ods(book) => Sheet::Ods(Box::new(OdsSheet::open(archive, book, position)?)),
        })
    }
}

impl Sheet {
    pub fn next(&mut self, row: &mut SheetRow) -> Result<bool, Fault> {
        match self {
            Self::Xlsx(sheet) => sheet.next(row),
            Self::Ods(sheet) => sheet.next(row),
        }
    }

    pub fn row(&self) -> u32 {
        match self {
            Self::Xlsx(sheet) => sheet.row(),
            Self::Ods(sheet) => sheet.row(),
        }
    }

    pub fn hidden(&self) -> &Columns {
        match self {
            Self::Xlsx(sheet) => sheet.hidden(),
            Self::Ods(sheet) => sheet.hidden(),
        }
    }

    /// A filter is set. To be asked when [`Self::merged`] has been.
    pub fn has_filter(&self) -> bool {
        match self {
            Self::Xlsx(sheet) => sheet.has_filter(),
            Self::Ods(sheet) => sheet.has_filter(),
        }
    }

    /// To be asked behind the last row.
    pub fn merged(&mut self) -> Result<Vec<Area>, Fault> {
        match self {
            Self::Xlsx(sheet) => sheet.merged(),
            Self::Ods(sheet) => sheet.merged(),
        }
    }
}
