//! What is said about each fault: what is wrong, and what a person does about it.

use std::borrow::Cow;

use super::column::Column;
use super::diagnostic::DiagnosticKind;
use super::limits::{
    COLUMNS_MAX, LINE_BYTES_MAX, NOTE_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN,
    PASSWORD_PANEL_CHARS_MAX, SSH_KEY_CHARS_MAX, ZONE_CHARS_MAX,
};
use crate::job::Terms;

impl DiagnosticKind {
    /// What is wrong: one line, lower case, the same for each row that has it.
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each kind")]
    pub fn message(self) -> Cow<'static, str> {
        match self {
            Self::Empty => "the file is empty".into(),
            Self::NoRows => "there is a header, but no row below it".into(),
            Self::NoRowsLeft => "every row below the header is taken out with `#`".into(),
            Self::Utf16WithoutBom => "the file is UTF-16 without a byte order mark".into(),
            Self::NotCsv(format) => format!("this is {format}, not CSV, .xlsx or .ods").into(),
            Self::Workbook(fault) => fault.message(),
            Self::Report => "this is a report of refleet, not a manifest".into(),
            Self::NoHeader => "the first row holds data, not the names of the columns".into(),
            Self::HeaderBelow => "the first row does not name the columns; a later one seems to".into(),
            Self::DelimiterUnknown => "the columns are delimited by none of `,`, `;` and a tab".into(),
            Self::ColumnMissing(column) => {
                format!("the required column `{}` is missing", column.name()).into()
            }
            Self::ColumnTwice(column) => format!("two columns mean `{}`", column.name()).into(),
            Self::ColumnNearMiss(column) => {
                format!("unknown column: was `{}` meant?", column.name()).into()
            }
            Self::TooManyColumns => format!("more than {COLUMNS_MAX} columns").into(),
            Self::ColumnLookalike(column) => format!(
                "the column's name is `{}` in letters that only look like Latin ones",
                column.name()
            )
            .into(),
            Self::ColumnLooksLikeAccess(column) => format!(
                "unknown column that looks like a way in: was `{}` meant?",
                column.name()
            )
            .into(),
            Self::IgnoredColumnMissing => "`--ignore-column` names a column that is not there".into(),
            Self::CellsLookLikePasswords => {
                "the cells of this column look like passwords, and it is ignored".into()
            }
            Self::LineTooLong => {
                format!("the line is longer than {} KiB", LINE_BYTES_MAX / 1024).into()
            }
            Self::Nul => "the line holds NUL bytes".into(),
            Self::NotUtf8(legacy) => format!("the line is not UTF-8, {legacy}").into(),
            Self::UnclosedQuote => "a cell opens a quote and never closes it".into(),
            Self::NewlineInField => "a cell goes on in the next line".into(),
            Self::TextAfterQuote => "there is text between a closing quote and the next delimiter".into(),
            Self::SpaceBeforeQuote => "there are blanks between a delimiter and an opening quote".into(),
            Self::Ragged => "the row does not have as many cells as the header".into(),
            Self::Shifted => {
                "the row has fewer cells than the header, and a cell seems to stand in the wrong column".into()
            }
            Self::OtherDelimiter => "the row is delimited otherwise than the header".into(),
            Self::HeaderAgain => "a header stands in the middle: were two files joined?".into(),
            Self::MarkInside => "a byte order mark stands in the middle: were two files joined?".into(),
            Self::NoComment => "the row begins with `#`: is it to be left out?".into(),
            Self::ServiceTwice => "the same service is listed twice".into(),
            Self::CellEmpty => "the cell is empty, and it is required".into(),
            Self::Invisible => "the cell holds characters that cannot be seen".into(),
            Self::Damaged => "characters of this cell were lost in a conversion".into(),
            Self::ServiceTakenOut => "the service id begins with `#`: is the row to be left out?".into(),
            Self::SpreadsheetError => "the cell holds a spreadsheet's error instead of a value".into(),
            Self::Formula => "the cell holds a formula instead of a value".into(),
            Self::Apostrophe => "the cell begins with an apostrophe".into(),
            Self::Scientific => "a spreadsheet has turned the number into scientific notation".into(),
            Self::Decimal => "a spreadsheet has turned the id into a decimal number".into(),
            Self::SeveralValues => "the cell seems to hold several values".into(),
            Self::Separators => "a spreadsheet has put thousands separators into the id".into(),
            Self::Rounded => "a spreadsheet has rounded the id to 15 digits".into(),
            Self::Date => "a spreadsheet has turned it into a date".into(),
            Self::LeadingZero => "a service id does not begin with a zero".into(),
            Self::SshPortInvalid => "a port of the network was expected".into(),
            Self::ServiceTooLarge => "the number is too large for a service id".into(),
            Self::ServiceInvalid => "this is no service id".into(),
            Self::NameNotAsked(column) => format!(
                "the `{}` is a name, and the account's list does not show the instance that is to get it",
                column.name()
            )
            .into(),
            Self::NameUnknown(Column::SshKey) => "the account has no SSH key of this name".into(),
            Self::NameUnknown(_) => "no image of this name is offered to the instance".into(),
            Self::NameAmbiguous(Column::SshKey) => "several SSH keys have this name".into(),
            Self::NameAmbiguous(_) => "several images of this name are offered to the instance".into(),
            Self::NameDisputed(_) => "form and catalogue of the API give this name to different ids".into(),
            Self::NameNotListed(_) => "the catalogue of the API does not list what this name stands for".into(),
            Self::ImageNull => "this is the panel's placeholder, not an image".into(),
            Self::ImageInvalid => "this is neither an image id nor an image's name".into(),
            Self::ZoneInvalid => "this is no zone".into(),
            Self::SshKeyInvalid => "this is neither an SSH key's id nor its name".into(),
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
            Self::PasswordReshaped(shape) => {
                format!("the password is {shape}, as a spreadsheet makes it").into()
            }
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

    /// What a person does about it, in the words of the action that is ordered.
    #[expect(clippy::too_many_lines, reason = "a table: one arm for each kind")]
    pub fn help(self, terms: &Terms) -> Cow<'static, str> {
        const AS_TEXT: &str = "format the column as text, then enter or paste the ids again: the \
             digits that a spreadsheet dropped cannot be told from the file";
        let Terms { noun, done, .. } = terms;
        match self {
            Self::Empty | Self::NoHeader => "the first row names the columns, in any order, for \
                 example `service_id,image,password`; each further row is one instance"
                .into(),
            Self::NoRowsLeft => {
                format!("remove the `#` from the rows whose instances shall be {done}").into()
            }
            Self::NoRows => "add a row for each instance; was the sheet filtered when it was saved?".into(),
            Self::Utf16WithoutBom => "save it as `CSV UTF-8`, or as `Unicode Text` with its byte \
                 order mark"
                .into(),
            Self::NotCsv(format) => format.help().into(),
            Self::Workbook(fault) => fault.help().into(),
            Self::Report => format!(
                "run the sheet that the order was made from; what is to be {done} again \
                 stands there with its password or key"
            )
            .into(),
            Self::HeaderBelow => "remove what stands above it, or let each of those lines begin with `#`; \
                 if the sheet was sorted, move the header back to the top; if it is right as it is, \
                 name the header's row with `--header-row`"
                .into(),
            Self::DelimiterUnknown => "save it with one of these, or say what it is in a first line of \
                 its own, for example `sep=|`"
                .into(),
            Self::ColumnMissing(column) => match column.aliases() {
                [_, others @ ..] if !others.is_empty() => format!(
                    "add it to the header; it may also be named `{}`",
                    others.join("`, `")
                )
                .into(),
                _ => "add it to the header".into(),
            },
            Self::ColumnTwice(_) => "keep one of them, or name the one to be ignored with \
                 `--ignore-column`"
                .into(),
            Self::ColumnNearMiss(column) => format!(
                "name it `{}`; if it shall be ignored, say so with `--ignore-column`",
                column.name()
            )
            .into(),
            Self::TooManyColumns => "remove the columns that are not needed".into(),
            Self::ColumnLookalike(column) => format!(
                "type the name anew on a Latin keyboard: `{}`",
                column.name()
            )
            .into(),
            Self::ColumnLooksLikeAccess(column) => format!(
                "name it `{}` if its cells shall be used; with `--ignore-column` the instances are \
                 {done} without them",
                column.name()
            )
            .into(),
            Self::IgnoredColumnMissing => "give the name as the header has it, or leave the option \
                 out"
                .into(),
            Self::CellsLookLikePasswords => "name it `password` if they shall be set; if they are \
                 none, say so with `--ignore-column`"
                .into(),
            Self::LineTooLong => "is a quote or a line end missing? a row needs a few hundred bytes".into(),
            Self::Nul => "the file was cut off or damaged while it was written, or a file in UTF-16 was \
                 joined to it: save or copy it again"
                .into(),
            Self::NotUtf8(legacy) => legacy.help().into(),
            Self::UnclosedQuote => "close the quote in the same line; a quote inside a quoted cell is \
                 written twice"
                .into(),
            Self::NewlineInField => "replace the line break inside the cell by a blank".into(),
            Self::TextAfterQuote => "put the whole cell into quotes; a quote inside it is written twice".into(),
            Self::SpaceBeforeQuote => "remove the blanks: with them the quotes would be part of the cell".into(),
            Self::Ragged => "put a cell that holds the delimiter into double quotes, and write an empty \
                 cell for each value that is left out"
                .into(),
            Self::Shifted => "write an empty cell for each value that is left out".into(),
            Self::OtherDelimiter => "save the whole file with one delimiter; were two files joined?".into(),
            Self::HeaderAgain => "remove the second header if its columns are the same; otherwise \
                 keep the files apart"
                .into(),
            Self::MarkInside => "remove the mark, or join the files in the spreadsheet program".into(),
            Self::NoComment => "a row is only left out with `#` where `service_id` is the first \
                 column: move it there, or remove the `#`; with `--ignore-column` for the first \
                 column the row is an ordinary one"
                .into(),
            Self::ServiceTwice => {
                format!("keep one of the two rows: each instance is {done} once").into()
            }
            Self::CellEmpty => "fill it in, or remove the row".into(),
            Self::Invisible | Self::PasswordInvisible => "type it anew: it was probably pasted from a \
                 web page or a document"
                .into(),
            Self::Damaged => "enter it again, and save the file as `CSV UTF-8`".into(),
            Self::ServiceTakenOut => "a row is only left out with `#` where `service_id` is the first \
                 column: move that column there, or remove the row"
                .into(),
            Self::SpreadsheetError => "mend the formula, or enter the value itself".into(),
            Self::Formula | Self::Apostrophe => "enter the value itself, in a column that is formatted as text".into(),
            Self::Scientific | Self::Rounded => AS_TEXT.into(),
            Self::Decimal | Self::Separators => "format the column as text (or as a number without \
                 decimals and separators), and save it again"
                .into(),
            Self::SeveralValues => "one id stands in a cell: keep one of them, or give each a row \
                 of its own; if it is one number, format the column as text, and enter it again"
                .into(),
            Self::Date => "format the column as text, then enter or paste the value again".into(),
            Self::LeadingZero => "remove the zero, if the other digits are right".into(),
            Self::SshPortInvalid => "`ssh_port` is where the instance answers SSH, 1 to 65535; empty: the run's --ssh-port".into(),
            Self::ServiceTooLarge | Self::ServiceInvalid => "a service id is a whole number, as the \
                 panel and the API show it, for example 5113119"
                .into(),
            Self::ImageNull => "give the id of an image that the panel offers for this instance; such a \
                 placeholder stands where it offers none"
                .into(),
            Self::NameNotAsked(_) => "is the service id right, and is it this account's? If a filter is \
                 set in the panel, clear it; or give the id instead of the name"
                .into(),
            Self::NameUnknown(Column::SshKey) => "`refleet keys` lists the keys with their names".into(),
            Self::NameUnknown(_) => "`refleet images SERVICE_ID` lists what is offered to an instance".into(),
            Self::NameAmbiguous(_) => "give the id of the one that is meant".into(),
            Self::NameDisputed(Column::SshKey) => "`refleet keys SERVICE_ID` and `refleet keys --catalogue` show \
                 both: give the id of the one that is meant"
                .into(),
            Self::NameDisputed(_) => "`refleet images SERVICE_ID` and `refleet images --catalogue` show both: \
                 give the id of the one that is meant"
                .into(),
            Self::NameNotListed(_) => "is it one of your own, or one that is no longer sold? The instance's own \
                 form offers it"
                .into(),
            Self::ImageInvalid => "an image id is a UUID with hyphens, for example \
                 18d0ee2e-4d57-4f40-9b56-03c1773b5831; a name is written as the panel shows it, for \
                 example AlmaLinux-8"
                .into(),
            Self::ZoneInvalid => format!(
                "a zone is at most {ZONE_CHARS_MAX} letters, digits, `-` and `_`, for example `pub`; \
                 leave it empty to take what the API offers for the image"
            )
            .into(),
            Self::SshKeyInvalid => format!(
                "give the id of one key of the account, for example 490, or its name, at most \
                 {SSH_KEY_CHARS_MAX} characters; not the key itself"
            )
            .into(),
            Self::SshKeyNull => "leave the cell empty, or give the id of one key of the account".into(),
            Self::PasswordTooShort | Self::PasswordNoUpper | Self::PasswordNoDigit => format!(
                "the API wants at least {PASSWORD_CHARS_MIN} characters, one upper-case letter and \
                 one digit"
            )
            .into(),
            Self::PasswordTooLong => "choose a shorter one; is it the right column?".into(),
            Self::PasswordReshaped(_) => format!(
                "format the column as text, and enter the password again; if it \
                 really is this, choose another one: the {noun} sets whatever stands here"
            )
            .into(),
            Self::PasswordWithSshKey => "give one of the two: with a key the API takes no password".into(),
            Self::EnablesshInvalid => "leave it empty: a key switches it on, anything else off".into(),
            Self::EnablesshOnWithoutKey => "give an `ssh_key`, or leave `enablessh` empty".into(),
            Self::EnablesshOffWithKey => "remove the `ssh_key`, or leave `enablessh` empty".into(),
            Self::NoteTooLong => "shorten it".into(),
            Self::NoteControl => "remove them: tabs, too, become blanks".into(),
            Self::PasswordPanelLength | Self::PasswordPanelLower => format!(
                "the API's documentation does not forbid it; if the {noun} is refused, \
                 choose another password"
            )
            .into(),
            Self::PasswordPanelCharacters => format!(
                "the panel takes ASCII without blanks and none of \" # % & ' \
                 ( ) * ; < > ? @ |; if the {noun} is refused, choose another password"
            )
            .into(),
        }
    }
}
