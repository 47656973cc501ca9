//! What may be wrong with a manifest, and what a person does about it.

use std::borrow::Cow;

use super::columns::Column;
use super::{COLUMNS_MAX, LINE_BYTES_MAX};
use crate::text;

/// The longest note, in characters.
pub(super) const NOTE_CHARS_MAX: usize = 1000;
/// The longest password that is taken, in characters.
pub(super) const PASSWORD_CHARS_MAX: usize = 256;
/// The shortest password that the API takes, in characters (vendor's article 466).
pub(super) const PASSWORD_CHARS_MIN: usize = 8;
/// The longest password that the vendor's panel takes, in characters.
pub(super) const PASSWORD_PANEL_CHARS_MAX: usize = 48;
/// The longest zone, in characters.
pub(super) const ZONE_CHARS_MAX: usize = 32;
/// The longest SSH key id, in characters.
pub(super) const SSH_KEY_CHARS_MAX: usize = 64;

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
pub enum FaultKind {
    // The whole file.
    /// No line that is not blank.
    Empty,
    /// A header, and nothing below it.
    NoRows,
    /// UTF-16 that does not say so.
    Utf16WithoutBom,

    // The header.
    /// The first row holds data.
    NoHeader,
    /// A required column does not exist.
    ColumnMissing(Column),
    /// Two columns mean the same.
    ColumnTwice(Column),
    /// A column is nearly named like one that is known.
    ColumnNearMiss(Column),
    /// More columns than [`COLUMNS_MAX`].
    TooManyColumns,
    /// Warning: a column that is ignored may have been meant.
    IgnoredColumnLooksLike(Column),

    // A row as a whole. These never quote the row: it may hold a password.
    /// More bytes than [`LINE_BYTES_MAX`].
    LineTooLong,
    /// NUL bytes.
    Nul,
    /// Bytes that are no UTF-8.
    NotUtf8,
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
    /// The same service on an earlier line.
    ServiceTwice,

    // A cell.
    /// A required cell is empty.
    CellEmpty,
    /// Control characters, or marks that cannot be seen.
    Invisible,
    /// The mark that stands for characters lost in a conversion.
    Damaged,
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
    /// `5,113,119`
    Separators,
    /// More than 15 digits, all zeros from the 16th on.
    Rounded,
    /// `007`
    LeadingZero,
    /// More than 2⁶³−1.
    ServiceTooLarge,
    /// Anything else that is no number.
    ServiceInvalid,
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

impl FaultKind {
    /// Does it stop the manifest?
    pub fn severity(self) -> Severity {
        match self {
            Self::IgnoredColumnLooksLike(_)
            | Self::PasswordPanelLength
            | Self::PasswordPanelLower
            | Self::PasswordPanelCharacters => Severity::Warning,
            Self::Empty
            | Self::NoRows
            | Self::Utf16WithoutBom
            | Self::NoHeader
            | Self::ColumnMissing(_)
            | Self::ColumnTwice(_)
            | Self::ColumnNearMiss(_)
            | Self::TooManyColumns
            | Self::LineTooLong
            | Self::Nul
            | Self::NotUtf8
            | Self::UnclosedQuote
            | Self::NewlineInField
            | Self::TextAfterQuote
            | Self::SpaceBeforeQuote
            | Self::Ragged
            | Self::ServiceTwice
            | Self::CellEmpty
            | Self::Invisible
            | Self::Damaged
            | Self::SpreadsheetError
            | Self::Formula
            | Self::Apostrophe
            | Self::Scientific
            | Self::Decimal
            | Self::Separators
            | Self::Rounded
            | Self::LeadingZero
            | Self::ServiceTooLarge
            | Self::ServiceInvalid
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
            | Self::PasswordWithSshKey
            | Self::EnablesshInvalid
            | Self::EnablesshOnWithoutKey
            | Self::EnablesshOffWithKey
            | Self::NoteTooLong
            | Self::NoteControl => Severity::Error,
        }
    }

    /// What is wrong: one line, lower case, the same for each row that has it.
    pub fn message(self) -> Cow<'static, str> {
        match self {
            Self::Empty => "the file is empty".into(),
            Self::NoRows => "there is a header, but no row below it".into(),
            Self::Utf16WithoutBom => "the file is UTF-16 without a byte order mark".into(),
            Self::NoHeader => "the first row holds data, not the names of the columns".into(),
            Self::ColumnMissing(column) => {
                format!("the required column `{}` is missing", column.name()).into()
            }
            Self::ColumnTwice(column) => format!("two columns mean `{}`", column.name()).into(),
            Self::ColumnNearMiss(column) => {
                format!("unknown column: was `{}` meant?", column.name()).into()
            }
            Self::TooManyColumns => format!("more than {COLUMNS_MAX} columns").into(),
            Self::IgnoredColumnLooksLike(column) => {
                format!("unknown column, ignored: was `{}` meant?", column.name()).into()
            }
            Self::LineTooLong => {
                format!("the line is longer than {} KiB", LINE_BYTES_MAX / 1024).into()
            }
            Self::Nul => "the line holds NUL bytes".into(),
            Self::NotUtf8 => "the line is not UTF-8".into(),
            Self::UnclosedQuote => "a cell opens a quote and never closes it".into(),
            Self::NewlineInField => "a cell goes on in the next line".into(),
            Self::TextAfterQuote => "there is text between a closing quote and the next delimiter".into(),
            Self::SpaceBeforeQuote => "there are blanks between a delimiter and an opening quote".into(),
            Self::Ragged => "the row does not have as many cells as the header".into(),
            Self::ServiceTwice => "the same service is listed twice".into(),
            Self::CellEmpty => "the cell is empty, and it is required".into(),
            Self::Invisible => "the cell holds characters that cannot be seen".into(),
            Self::Damaged => "characters of this cell were lost in a conversion".into(),
            Self::SpreadsheetError => "the cell holds a spreadsheet's error instead of a value".into(),
            Self::Formula => "the cell holds a formula instead of a value".into(),
            Self::Apostrophe => "the cell begins with an apostrophe".into(),
            Self::Scientific => "a spreadsheet has turned the number into scientific notation".into(),
            Self::Decimal => "a spreadsheet has turned the id into a decimal number".into(),
            Self::Separators => "a spreadsheet has put thousands separators into the id".into(),
            Self::Rounded => "a spreadsheet has rounded the id to 15 digits".into(),
            Self::LeadingZero => "a service id does not begin with a zero".into(),
            Self::ServiceTooLarge => "the number is too large for a service id".into(),
            Self::ServiceInvalid => "this is no service id".into(),
            Self::ImageNull => "this is the panel's placeholder, not an image".into(),
            Self::ImageInvalid => "this is no image id".into(),
            Self::ZoneInvalid => "this is no zone".into(),
            Self::SshKeyInvalid => "this is no SSH key id".into(),
            Self::SshKeyNull => "this is the panel's placeholder, not an SSH key".into(),
            Self::PasswordTooShort => {
                format!("the password is shorter than {PASSWORD_CHARS_MIN} characters").into()
            }
            Self::PasswordTooLong => {
                format!("the password is longer than {PASSWORD_CHARS_MAX} characters").into()
            }
            Self::PasswordNoUpper => "the password has no upper-case letter (A-Z)".into(),
            Self::PasswordNoDigit => "the password has no digit (0-9)".into(),
            Self::PasswordInvisible => "the password holds characters that cannot be seen".into(),
            Self::PasswordWithSshKey => "the row gives a password and an SSH key".into(),
            Self::EnablesshInvalid => "`enablessh` is `on`, `off` or empty".into(),
            Self::EnablesshOnWithoutKey => "`enablessh` is on, but the row gives no SSH key".into(),
            Self::EnablesshOffWithKey => "`enablessh` is off, but the row gives an SSH key".into(),
            Self::NoteTooLong => format!("the note is longer than {NOTE_CHARS_MAX} characters").into(),
            Self::NoteControl => "the note holds control characters".into(),
            Self::PasswordPanelLength => format!(
                "the password is longer than the {PASSWORD_PANEL_CHARS_MAX} characters of the vendor's panel"
            )
            .into(),
            Self::PasswordPanelLower => {
                "the password has no lower-case letter, which the vendor's panel demands".into()
            }
            Self::PasswordPanelCharacters => {
                "the password holds characters that the vendor's panel refuses".into()
            }
        }
    }

    /// What a person does about it.
    pub fn help(self) -> Cow<'static, str> {
        const AS_TEXT: &str = "format the column as text, then enter or paste the ids again: the \
             digits that a spreadsheet dropped cannot be told from the file";
        const PANEL: &str = "the API's documentation does not forbid it; if the rebuild is refused, \
             choose another password";
        match self {
            Self::Empty | Self::NoHeader => "the first row names the columns, in any order, for \
                 example `service_id,image,password`; each further row is one instance"
                .into(),
            Self::NoRows => "add a row for each instance; was the sheet filtered when it was saved?".into(),
            Self::Utf16WithoutBom => "save it as `CSV UTF-8`, or as `Unicode Text` with its byte \
                 order mark"
                .into(),
            Self::ColumnMissing(column) => match column.aliases() {
                [_, others @ ..] if !others.is_empty() => format!(
                    "add it to the header; it may also be named `{}`",
                    others.join("`, `")
                )
                .into(),
                _ => "add it to the header".into(),
            },
            Self::ColumnTwice(_) => "keep one of them, or rename the one to be ignored".into(),
            Self::ColumnNearMiss(column) => format!(
                "name it `{}`; if it shall be ignored, give it a name that is less alike",
                column.name()
            )
            .into(),
            Self::TooManyColumns => "remove the columns that are not needed".into(),
            Self::IgnoredColumnLooksLike(column) => format!(
                "name it `{}` if its cells shall be used",
                column.name()
            )
            .into(),
            Self::LineTooLong => "is a quote or a line end missing? a row needs a few hundred bytes".into(),
            Self::Nul => "the file was cut off or damaged while it was written: save or copy it again".into(),
            Self::NotUtf8 => "the file was probably saved in Windows-1252 or Latin-1: save it as `CSV \
                 UTF-8`"
                .into(),
            Self::UnclosedQuote => "close the quote in the same line; a quote inside a quoted cell is \
                 written twice"
                .into(),
            Self::NewlineInField => "replace the line break inside the cell by a blank".into(),
            Self::TextAfterQuote => "put the whole cell into quotes; a quote inside it is written twice".into(),
            Self::SpaceBeforeQuote => "remove the blanks: with them the quotes would be part of the cell".into(),
            Self::Ragged => "put a cell that holds the delimiter into double quotes, and write an empty \
                 cell for each value that is left out"
                .into(),
            Self::ServiceTwice => "keep one of the two rows: each instance is rebuilt once".into(),
            Self::CellEmpty => "fill it in, or remove the row".into(),
            Self::Invisible | Self::PasswordInvisible => "type it anew: it was probably pasted from a \
                 web page or a document"
                .into(),
            Self::Damaged => "enter it again, and save the file as `CSV UTF-8`".into(),
            Self::SpreadsheetError => "mend the formula, or enter the value itself".into(),
            Self::Formula | Self::Apostrophe => "enter the value itself, in a column that is formatted as text".into(),
            Self::Scientific | Self::Rounded => AS_TEXT.into(),
            Self::Decimal | Self::Separators => "format the column as text (or as a number without \
                 decimals and separators), and save it again"
                .into(),
            Self::LeadingZero => "remove the zero, if the other digits are right".into(),
            Self::ServiceTooLarge | Self::ServiceInvalid => "a service id is a whole number, as the \
                 panel and the API show it, for example 5113119"
                .into(),
            Self::ImageNull => "give the id of an image that the panel offers for this instance; such a \
                 placeholder stands where it offers none"
                .into(),
            Self::ImageInvalid => "an image id is a UUID with hyphens, not the image's name, for \
                 example 18d0ee2e-4d57-4f40-9b56-03c1773b5831"
                .into(),
            Self::ZoneInvalid => format!(
                "a zone is at most {ZONE_CHARS_MAX} letters, digits, `-` and `_`, for example `pub`; \
                 leave it empty to take what the API offers for the image"
            )
            .into(),
            Self::SshKeyInvalid => format!(
                "give the id of one key of the account, for example 490: at most {SSH_KEY_CHARS_MAX} \
                 letters, digits, `-`, `_` and `.`; not the key itself"
            )
            .into(),
            Self::SshKeyNull => "leave the cell empty, or give the id of one key of the account".into(),
            Self::PasswordTooShort | Self::PasswordNoUpper | Self::PasswordNoDigit => format!(
                "the API wants at least {PASSWORD_CHARS_MIN} characters, one upper-case letter and \
                 one digit"
            )
            .into(),
            Self::PasswordTooLong => "choose a shorter one; is it the right column?".into(),
            Self::PasswordWithSshKey => "give one of the two: with a key the API takes no password".into(),
            Self::EnablesshInvalid => "leave it empty: a key switches it on, anything else off".into(),
            Self::EnablesshOnWithoutKey => "give an `ssh_key`, or leave `enablessh` empty".into(),
            Self::EnablesshOffWithKey => "remove the `ssh_key`, or leave `enablessh` empty".into(),
            Self::NoteTooLong => "shorten it".into(),
            Self::NoteControl => "remove them: tabs, too, become blanks".into(),
            Self::PasswordPanelLength | Self::PasswordPanelLower => PANEL.into(),
            Self::PasswordPanelCharacters => "the panel takes ASCII without blanks and none of \" # % & ' \
                 ( ) * ; < > ? @ |; if the rebuild is refused, choose another password"
                .into(),
        }
    }
}

/// A [`FaultKind`] and where it was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub kind: FaultKind,
    /// Counted from 1; `None`: the file as a whole.
    pub line: Option<u64>,
    /// Position in the header, counted from 0; `None`: the row as a whole.
    pub column: Option<usize>,
    /// What stands there, short and safe to print. Never anything of a row as a whole or of a
    /// password.
    pub text: Option<String>,
}

impl Fault {
    /// A fault of the file as a whole.
    pub fn file(kind: FaultKind) -> Self {
        Self {
            kind,
            line: None,
            column: None,
            text: None,
        }
    }

    /// A fault of a line as a whole.
    pub fn line(kind: FaultKind, line: u64) -> Self {
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
pub(super) fn first_error(faults: &[Fault]) -> Option<&Fault> {
    faults
        .iter()
        .find(|fault| fault.kind.severity() == Severity::Error)
}

/// The cell as a message shows it: safe to print, and short.
pub(super) fn quoted(cell: &str) -> String {
    format!("`{}`", text::brief(cell, 40))
}
