//! What may be wrong with a manifest, and what a person does about it.

use super::column::Column;
use super::format::{FileFormat, Legacy};
use super::sheet_fault::SheetFault;
use super::spreadsheet::Shape;
use crate::text;

/// Does a fault stop the manifest, or is it only worth knowing?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing of this manifest is queued.
    Error,
    /// It works as it stands.
    Warning,
}

impl Severity {
    /// As it stands before the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiagnosticKind {
    // The whole file.
    /// No line that is not blank.
    Empty,
    /// A header, and nothing below it.
    NoRows,
    /// A header, and below it nothing that somebody did not take out.
    NoRowsLeft,
    /// UTF-16 that does not say so.
    Utf16WithoutBom,
    /// Neither CSV nor a workbook that is read.
    NotCsv(FileFormat),
    /// Results of an earlier order.
    Report,
    /// What only a workbook can have, of whatever place in it.
    Workbook(SheetFault),

    // The header.
    /// The first row holds data.
    NoHeader,
    /// The first row is no header; a later one looks like it.
    HeaderBelow,
    /// It is delimited, but by none of the delimiters that are taken.
    DelimiterUnknown,
    /// A required column does not exist.
    ColumnMissing(Column),
    /// Two columns mean the same.
    ColumnTwice(Column),
    /// A column is nearly named like one that is known.
    ColumnNearMiss(Column),
    /// A column is named like one that is known, in letters of another alphabet.
    ColumnLookalike(Column),
    /// A column that means nothing is named like a password or a key: which column was meant.
    ColumnLooksLikeAccess(Column),
    /// `--ignore-column` names a column that is not there.
    IgnoredColumnMissing,
    /// More columns than [`COLUMNS_MAX`](super::limits::COLUMNS_MAX).
    TooManyColumns,
    /// Warning: the cells of a column that is ignored may be passwords.
    CellsLookLikePasswords,

    // A row as a whole. These never quote the row: it may hold a password.
    /// More bytes than [`LINE_BYTES_MAX`](super::limits::LINE_BYTES_MAX).
    LineTooLong,
    /// NUL bytes.
    Nul,
    /// Bytes that are no UTF-8.
    NotUtf8(Legacy),
    /// A quote is opened and never closed.
    UnclosedQuote,
    /// A quoted cell goes on in the next line.
    NewlineInField,
    /// Something stands between the closing quote and the delimiter.
    TextAfterQuote,
    /// Blanks stand between the delimiter and the opening quote.
    SpaceBeforeQuote,
    /// More or fewer cells than the header.
    Ragged,
    /// Cells are missing at the end, and what is there stands in the wrong columns.
    Shifted,
    /// Delimited by another character than the header.
    OtherDelimiter,
    /// The header, or another one, once more.
    HeaderAgain,
    /// A byte order mark within the file.
    MarkInside,
    /// It begins with `#`, and the service is not its first cell.
    NoComment,
    /// The same service on an earlier line.
    ServiceTwice,

    // A cell.
    /// A required cell is empty.
    CellEmpty,
    /// Control characters, or marks that cannot be seen.
    Invisible,
    /// The mark that stands for characters lost in a conversion.
    Damaged,
    /// `#5113119`, and the service is not the row's first cell.
    ServiceTakenOut,
    /// `#REF!`, `#N/A`, …
    SpreadsheetError,
    /// `=…`
    Formula,
    /// `'5113119`
    Apostrophe,
    /// `5.113119E+06`
    Scientific,
    /// `5113119.0`
    Decimal,
    /// `12,13`
    SeveralValues,
    /// `5,113,119`
    Separators,
    /// More than 15 digits, all zeros from the 16th on.
    Rounded,
    /// `1-Mar-24`
    Date,
    /// `007`
    LeadingZero,
    /// More than 2⁶³−1.
    ServiceTooLarge,
    /// No port.
    SshPortInvalid,
    /// Anything else that is no number.
    ServiceInvalid,
    /// What is offered to an instance that is not in the account's list, nobody can ask.
    NameNotAsked(Column),
    /// Nothing of this name is offered to the instance.
    NameUnknown(Column),
    /// Several things of this name are.
    NameAmbiguous(Column),
    /// The API's catalogue gives this name to another id.
    NameDisputed(Column),
    /// Warning: the API's catalogue does not list what this name stands for.
    NameNotListed(Column),
    /// `null` or `none`, as the panel's placeholders have it.
    ImageNull,
    /// Anything else that is no hyphenated UUID.
    ImageInvalid,
    /// A zone in another alphabet, or too long.
    ZoneInvalid,
    /// A key id in another alphabet, or too long.
    SshKeyInvalid,
    /// `null` or `none`, as the panel's placeholders have it.
    SshKeyNull,
    /// Fewer than 8 characters.
    PasswordTooShort,
    /// More than 256 characters.
    PasswordTooLong,
    /// No letter A-Z.
    PasswordNoUpper,
    /// No digit 0-9.
    PasswordNoDigit,
    /// Control or invisible characters in a password.
    PasswordInvisible,
    /// A password that looks like what a spreadsheet makes of one.
    PasswordReshaped(Shape),
    /// A password and a key in one row.
    PasswordWithSshKey,
    /// Neither `on` nor `off`.
    EnablesshInvalid,
    /// `on`, and no key.
    EnablesshOnWithoutKey,
    /// `off`, and a key.
    EnablesshOffWithKey,
    /// More than 1000 characters.
    NoteTooLong,
    /// Control characters in a note.
    NoteControl,
    /// Warning: longer than the panel takes.
    PasswordPanelLength,
    /// Warning: the panel wants a lower-case letter.
    PasswordPanelLower,
    /// Warning: characters that the panel refuses.
    PasswordPanelCharacters,
}

impl DiagnosticKind {
    /// Does it stop the manifest?
    pub fn severity(self) -> Severity {
        match self {
            Self::CellsLookLikePasswords
            | Self::NameNotListed(_)
            | Self::PasswordPanelLength
            | Self::PasswordPanelLower
            | Self::PasswordPanelCharacters => Severity::Warning,
            Self::Workbook(fault) if fault.is_warning() => Severity::Warning,
            Self::Empty
            | Self::Workbook(_)
            | Self::NoRows
            | Self::NoRowsLeft
            | Self::Utf16WithoutBom
            | Self::NotCsv(_)
            | Self::Report
            | Self::NoHeader
            | Self::HeaderBelow
            | Self::DelimiterUnknown
            | Self::ColumnMissing(_)
            | Self::ColumnTwice(_)
            | Self::ColumnNearMiss(_)
            | Self::ColumnLookalike(_)
            | Self::ColumnLooksLikeAccess(_)
            | Self::IgnoredColumnMissing
            | Self::TooManyColumns
            | Self::LineTooLong
            | Self::Nul
            | Self::NotUtf8(_)
            | Self::UnclosedQuote
            | Self::NewlineInField
            | Self::TextAfterQuote
            | Self::SpaceBeforeQuote
            | Self::Ragged
            | Self::Shifted
            | Self::OtherDelimiter
            | Self::HeaderAgain
            | Self::MarkInside
            | Self::NoComment
            | Self::ServiceTwice
            | Self::CellEmpty
            | Self::Invisible
            | Self::Damaged
            | Self::ServiceTakenOut
            | Self::SpreadsheetError
            | Self::Formula
            | Self::Apostrophe
            | Self::Scientific
            | Self::Decimal
            | Self::SeveralValues
            | Self::Separators
            | Self::Rounded
            | Self::Date
            | Self::LeadingZero
            | Self::ServiceTooLarge
            | Self::SshPortInvalid
            | Self::ServiceInvalid
            | Self::NameNotAsked(_)
            | Self::NameUnknown(_)
            | Self::NameAmbiguous(_)
            | Self::NameDisputed(_)
            | Self::ImageNull
            | Self::ImageInvalid
            | Self::ZoneInvalid
            | Self::SshKeyInvalid
            | Self::SshKeyNull
            | Self::PasswordTooShort
            | Self::PasswordTooLong
            | Self::PasswordNoUpper
            | Self::PasswordNoDigit
            | Self::PasswordInvisible
            | Self::PasswordReshaped(_)
            | Self::PasswordWithSshKey
            | Self::EnablesshInvalid
            | Self::EnablesshOnWithoutKey
            | Self::EnablesshOffWithKey
            | Self::NoteTooLong
            | Self::NoteControl => Severity::Error,
        }
    }

    /// What stands in the cell of a workbook is not known, so that it is not even a text.
    pub fn is_unreadable(self) -> bool {
        matches!(
            self,
            Self::Workbook(SheetFault::FormulaUnsaved | SheetFault::CellTooLong)
        )
    }

    /// A warning that is told under `-q`, too: if it is right, somebody will be locked out.
    pub fn needs_a_human(self) -> bool {
        self == Self::CellsLookLikePasswords
    }

    /// Said by the API's catalogue, and told when that was asked.
    pub fn is_of_the_catalogue(self) -> bool {
        matches!(self, Self::NameNotListed(_))
    }
}

/// A [`DiagnosticKind`] and where it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub kind: DiagnosticKind,
    /// Counted from 1; `None`: the file as a whole.
    pub line: Option<u64>,
    /// Position in the header, counted from 0; `None`: the row as a whole.
    pub column: Option<usize>,
    /// What stands there, short and safe to print. Never anything of a row as a whole or of a
    /// password.
    pub text: Option<String>,
}

impl Diagnostic {
    /// A fault of the file as a whole.
    pub fn file(kind: DiagnosticKind) -> Self {
        Self {
            kind,
            line: None,
            column: None,
            text: None,
        }
    }

    /// A fault of a line as a whole.
    pub fn line(kind: DiagnosticKind, line: u64) -> Self {
        Self {
            line: Some(line),
            ..Self::file(kind)
        }
    }

    /// At this position in the header.
    pub fn at(self, column: usize) -> Self {
        Self {
            column: Some(column),
            ..self
        }
    }

    /// With our own words, or a cell that is no secret.
    pub fn with(self, text: impl Into<String>) -> Self {
        Self {
            text: Some(text.into()),
            ..self
        }
    }
}

/// The first of these that stops the manifest.
pub fn first_error(diagnostics: &[Diagnostic]) -> Option<&Diagnostic> {
    diagnostics
        .iter()
        .find(|diagnostic| diagnostic.kind.severity() == Severity::Error)
}

/// The cell as a message shows it: safe to print, and short.
pub fn quoted(cell: &str) -> String {
    format!("`{}`", text::brief(cell, 40))
}
