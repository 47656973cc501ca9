//! What may be wrong with a workbook that cannot be wrong with CSV.

use std::borrow::Cow;

use super::limits::CELL_CHARS_MAX;

/// One thing that is wrong with a workbook. What a message adds of it is never a cell's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SheetFault {
    // The whole file.
    /// Something is missing, or is not what it should be.
    Damaged,
    /// It cannot be read without its password.
    Encrypted,
    /// More than one of the limits allows.
    TooLarge,
    /// Its XML declares entities, or uses what it would have to declare.
    Entities,
    /// `--sheet` was given, and this is CSV.
    NoSheets,
    /// No sheet can be seen.
    NoneVisible,
    /// There are several, and nobody said which.
    Several,
    /// `--sheet` names none.
    Unknown,
    /// `--sheet` names one that is hidden.
    Hidden,
    /// Warning: another sheet is hidden.
    OthersHidden,
    /// Warning: a filter is stored that hides no row.
    FilterIdle,

    // The header.
    /// Nothing stands in the row that `--header-row` names.
    HeaderRowEmpty,
    /// A column is hidden.
    ColumnHidden,

    // A row.
    /// It is hidden or filtered.
    RowHidden,
    /// A cell stands to the right of the last column that has a name.
    BeyondHeader,

    // A cell.
    /// A formula whose value was not stored.
    FormulaUnsaved,
    /// It is part of a merged area.
    Merged,
    /// A truth value.
    Truth,
    /// What is stored is not what is shown.
    Disguised,
    /// It shows nothing that could be seen.
    CellUnseen,
    /// There is a line through it.
    CellStruck,
    /// More than [`CELL_CHARS_MAX`] characters.
    CellTooLong,
}

impl SheetFault {
    /// It works as it stands.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::OthersHidden | Self::FilterIdle)
    }

    /// Whoever looks at the cell would not think that it is meant.
    pub fn is_of_sight(self) -> bool {
        matches!(self, Self::CellUnseen | Self::CellStruck)
    }

    /// What is wrong.
    pub fn message(self) -> Cow<'static, str> {
        match self {
            Self::Damaged => "the workbook is damaged".into(),
            Self::Encrypted => "the workbook is protected by a password".into(),
            Self::TooLarge => "the workbook is larger than is read".into(),
            Self::Entities => {
                "the workbook declares XML entities, as no spreadsheet program does".into()
            }
            Self::NoSheets => "`--sheet` is for workbooks, and this is CSV".into(),
            Self::NoneVisible => "all sheets of the workbook are hidden".into(),
            Self::Several => "the workbook has several sheets: which one is meant?".into(),
            Self::Unknown => "the workbook has no sheet of this name".into(),
            Self::Hidden => "the sheet is hidden".into(),
            Self::OthersHidden => "the workbook has a hidden sheet, which is not read".into(),
            Self::FilterIdle => "the sheet has a filter, and no row is hidden".into(),
            Self::HeaderRowEmpty => "the row that `--header-row` names is empty".into(),
            Self::ColumnHidden => "the column is hidden".into(),
            Self::RowHidden => "the row is hidden or filtered".into(),
            Self::BeyondHeader => {
                "a cell stands to the right of the last column that has a name".into()
            }
            Self::FormulaUnsaved => "the cell holds a formula whose value is not stored".into(),
            Self::Merged => "the cell is merged with others".into(),
            Self::Truth => "the cell holds a truth value".into(),
            Self::Disguised => "the cell holds something else than it shows".into(),
            Self::CellUnseen => {
                "the cell cannot be seen: it is white on white, or its format shows nothing".into()
            }
            Self::CellStruck => "the cell is struck through".into(),
            Self::CellTooLong => {
                format!("the cell holds more than {CELL_CHARS_MAX} characters").into()
            }
        }
    }

    /// What a person does about it.
    pub fn help(self) -> &'static str {
        match self {
            Self::Damaged => {
                "open it in a spreadsheet program, and save it anew; was it copied whole?"
            }
            Self::Encrypted => {
                "open it, remove the password (in Excel: File, Info, Protect Workbook, Encrypt \
                 with Password; leave the field empty), and save it"
            }
            Self::TooLarge => {
                "delete what does not belong to the table, or save the sheet as `CSV UTF-8`"
            }
            Self::Entities => "open it in a spreadsheet program, and save it anew; who made it?",
            Self::NoSheets => "leave the option out, or name the workbook",
            Self::NoneVisible | Self::Hidden => {
                "show the sheet; if it shall be used as it is, say so with `--include-hidden`"
            }
            Self::Several | Self::Unknown => "name the sheet with `--sheet`",
            Self::OthersHidden => {
                "show it, and name it with `--sheet` if it is the one that is meant"
            }
            Self::FilterIdle => {
                "all rows are read: apply the filter anew and look at what it leaves out, or clear it"
            }
            Self::HeaderRowEmpty => "count the rows as the spreadsheet program numbers them",
            Self::ColumnHidden => {
                "show the column, or delete it; if it shall not be used, name it with \
                 `--ignore-column`, and if it shall be used as it is, say `--include-hidden`"
            }
            Self::RowHidden => {
                "clear the filter and show the rows, or delete them; if they belong to the order, \
                 say so with `--include-hidden`"
            }
            Self::BeyondHeader => "give its column a name, which may be any, or clear the cell",
            Self::FormulaUnsaved => {
                "open the workbook in a spreadsheet program, and save it once: the program that \
                 wrote it did not calculate"
            }
            Self::Merged => "unmerge the cells, and fill in each of them",
            Self::Truth => "enter the value itself, in a column that is formatted as text",
            Self::Disguised => {
                "format the column as text, or as `General`, and look at it again: what it shows \
                 then is what it holds"
            }
            Self::CellUnseen => {
                "give the column a dark colour and the format `General`, and look at it again; if \
                 it shall be used as it is, say `--include-hidden`"
            }
            Self::CellStruck => {
                "delete the row, or begin it with `#`; if it belongs to the order, remove the \
                 line, or say `--include-hidden`"
            }
            Self::CellTooLong => "shorten it; is it the right column?",
        }
    }
}
