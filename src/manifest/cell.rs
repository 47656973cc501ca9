//! One cell → one value, or what a spreadsheet did to it.

use std::num::NonZeroU16;

use secrecy::SecretString;

use super::diagnostic::{DiagnosticKind, quoted};
use super::limits::{
    NAME_CHARS_MAX, NOTE_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN,
    PASSWORD_PANEL_CHARS_MAX, SSH_KEY_CHARS_MAX, ZONE_CHARS_MAX,
};
use super::spreadsheet::{
    self, has_separators, is_date, is_decimal, is_error, is_list, is_rounded, is_scientific,
};
use crate::job::{EXPECTED_CHARS_MAX, ImageId, InvalidServiceId, ServiceId};
use crate::text;

/// A cell that only a row of data has: an id where a column's name should be.
pub fn is_data(cell: &str) -> bool {
    let cell = cell.trim();
    cell.parse::<ServiceId>().is_ok() || cell.parse::<ImageId>().is_ok()
}

pub fn service(cell: &str) -> Result<ServiceId, DiagnosticKind> {
    match cell.parse() {
        Ok(_) if is_rounded(cell) => Err(DiagnosticKind::Rounded),
        Ok(service) => Ok(service),
        Err(InvalidServiceId::Empty) => Err(DiagnosticKind::CellEmpty),
        Err(_) if is_rounded(cell) => Err(DiagnosticKind::Rounded),
        Err(InvalidServiceId::LeadingZero) => Err(DiagnosticKind::LeadingZero),
        Err(InvalidServiceId::TooLarge) => Err(DiagnosticKind::ServiceTooLarge),
        Err(InvalidServiceId::NotDigits) if is_taken_out(cell) => {
            Err(DiagnosticKind::ServiceTakenOut)
        }
        Err(InvalidServiceId::NotDigits) => Err(damage(cell)
            .or_else(|| number_damage(cell))
            .unwrap_or(DiagnosticKind::ServiceInvalid)),
    }
}

/// An id that somebody has put a `#` before. No error of a spreadsheet begins with a digit.
fn is_taken_out(cell: &str) -> bool {
    cell.strip_prefix('#').is_some_and(|rest| {
        rest.trim_start()
            .starts_with(|first: char| first.is_ascii_digit())
    })
}

/// What stands for an image or a key: its id, or the name that people know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named<T> {
    Id(T),
    Name(String),
}

pub fn image(cell: &str) -> Result<Named<ImageId>, DiagnosticKind> {
    if let Ok(id) = cell.parse() {
        Ok(Named::Id(id))
    } else if cell.is_empty() {
        Err(DiagnosticKind::CellEmpty)
    } else if is_placeholder(cell) {
        Err(DiagnosticKind::ImageNull)
    } else if let Some(kind) = damage(cell).or_else(|| number_damage(cell)) {
        Err(kind)
    } else if is_no_name(cell) || cell.split_whitespace().any(is_nearly_a_uuid) {
        Err(DiagnosticKind::ImageInvalid)
    } else {
        Ok(Named::Name(cell.to_owned()))
    }
}

/// Nobody calls anything so: a number, or what has no letter or is too long.
fn is_no_name(cell: &str) -> bool {
    !cell.chars().any(char::is_alphabetic) || cell.chars().count() > NAME_CHARS_MAX
}

/// An id that was cut off, or in which a letter stands for a digit, is not to be looked up as a name,
/// nor is what stands beside one in the same cell: it may be a password.
fn is_nearly_a_uuid(cell: &str) -> bool {
    /// Characters of a mistyped id that no id has.
    const ODD_MAX: usize = 3;
    let odd = |byte: &u8| !byte.is_ascii_hexdigit() && *byte != b'-';
    let odd = cell.bytes().filter(odd).count();
    cell.len() >= 24 && odd <= ODD_MAX
}

pub fn zone(cell: &str) -> Result<Option<String>, DiagnosticKind> {
    let is_valid = cell.len() <= ZONE_CHARS_MAX
        && cell
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_valid && is_date(cell) {
        Err(DiagnosticKind::Date)
    } else if is_valid {
        Ok((!cell.is_empty()).then(|| cell.to_owned()))
    } else {
        Err(damage(cell).unwrap_or(DiagnosticKind::ZoneInvalid))
    }
}

/// A port; nothing: the usual one.
pub fn ssh_port(cell: &str) -> Result<Option<u16>, DiagnosticKind> {
    if cell.is_empty() {
        return Ok(None);
    }
    let is_plain = cell.bytes().all(|byte| byte.is_ascii_digit());
    match cell.parse::<NonZeroU16>() {
        Ok(port) if is_plain => Ok(Some(port.get())),
        _ => Err(damage(cell)
            .or_else(|| number_damage(cell))
            .unwrap_or(DiagnosticKind::SshPortInvalid)),
    }
}

pub fn ssh_key(cell: &str) -> Result<Option<Named<String>>, DiagnosticKind> {
    if cell.is_empty() {
        return Ok(None);
    }
    if is_placeholder(cell) {
        return Err(DiagnosticKind::SshKeyNull);
    }
    if let Some(kind) = damage(cell).or_else(|| number_damage(cell)) {
        return Err(kind);
    }
    if is_rounded(cell) {
        return Err(DiagnosticKind::Rounded);
    }
    // A whole key instead of its id.
    let is_key = cell.starts_with("ssh-") && cell.contains(' ');
    if is_key || cell.chars().count() > SSH_KEY_CHARS_MAX {
        Err(DiagnosticKind::SshKeyInvalid)
    } else if cell.parse::<u64>().is_ok() || cell.parse::<ImageId>().is_ok() {
        Ok(Some(Named::Id(cell.to_owned())))
    } else {
        Ok(Some(Named::Name(cell.to_owned())))
    }
}

pub fn enablessh(cell: &str) -> Result<Option<bool>, DiagnosticKind> {
    match cell {
        "" => Ok(None),
        _ if cell.eq_ignore_ascii_case("on") => Ok(Some(true)),
        _ if cell.eq_ignore_ascii_case("off") => Ok(Some(false)),
        _ => Err(damage(cell).unwrap_or(DiagnosticKind::EnablesshInvalid)),
    }
}

pub fn note(cell: &str) -> Result<Option<String>, DiagnosticKind> {
    if !is_plain(cell) && cell.chars().any(char::is_control) {
        Err(DiagnosticKind::NoteControl)
    } else if is_lossy(cell) {
        Err(DiagnosticKind::Damaged)
    } else if cell.len() > NOTE_CHARS_MAX && cell.chars().count() > NOTE_CHARS_MAX {
        Err(DiagnosticKind::NoteTooLong)
    } else {
        Ok((!cell.is_empty()).then(|| cell.to_owned()))
    }
}

/// What must stand on the instance, as the list gives it; `None`: whatever stands there. `services`
/// guards what a spreadsheet would run.
pub fn pin(cell: &str) -> Result<Option<String>, DiagnosticKind> {
    if is_invisible(cell) {
        Err(DiagnosticKind::Invisible)
    } else if is_lossy(cell) {
        Err(DiagnosticKind::Damaged)
    } else if is_error(cell) {
        Err(DiagnosticKind::SpreadsheetError)
    } else {
        let text = text::brief(&text::unguarded(cell), EXPECTED_CHARS_MAX);
        Ok((!text.is_empty()).then_some(text))
    }
}

/// The password, never trimmed; everything that speaks against it is reported, warnings
/// included. The rules are the API's (errors) and the vendor's panel's (warnings).
pub fn password(cell: &str, mut report: impl FnMut(DiagnosticKind)) -> Option<SecretString> {
    if cell.is_empty() {
        return None;
    }
    // What else is wrong with it then speaks of the spreadsheet's text, not of the password.
    if let Some(shape) = spreadsheet::shape(cell) {
        report(DiagnosticKind::PasswordReshaped(shape));
        return Some(SecretString::from(cell));
    }
    let chars = cell.chars().count();
    if is_lossy(cell) {
        report(DiagnosticKind::Damaged);
    }
    if is_invisible(cell) {
        report(DiagnosticKind::PasswordInvisible);
    }
    if chars < PASSWORD_CHARS_MIN {
        report(DiagnosticKind::PasswordTooShort);
    }
    if chars > PASSWORD_CHARS_MAX {
        report(DiagnosticKind::PasswordTooLong);
    } else if chars > PASSWORD_PANEL_CHARS_MAX {
        report(DiagnosticKind::PasswordPanelLength);
    }
    if !cell.bytes().any(|byte| byte.is_ascii_uppercase()) {
        report(DiagnosticKind::PasswordNoUpper);
    }
    if !cell.bytes().any(|byte| byte.is_ascii_digit()) {
        report(DiagnosticKind::PasswordNoDigit);
    }
    if !cell.bytes().any(|byte| byte.is_ascii_lowercase()) {
        report(DiagnosticKind::PasswordPanelLower);
    }
    if !cell.bytes().all(panel_takes) {
        report(DiagnosticKind::PasswordPanelCharacters);
    }
    Some(SecretString::from(cell))
}

/// What the API wants of a password (zomro-api.md 4.2).
pub fn fits_password_rule(cell: &str) -> bool {
    cell.len() >= PASSWORD_CHARS_MIN
        && cell.bytes().any(|byte| byte.is_ascii_uppercase())
        && cell.bytes().any(|byte| byte.is_ascii_digit())
        && (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&cell.chars().count())
}

/// The panel's alphabet (zomro-api.md 4.2).
fn panel_takes(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'"' | b'#'
                | b'%'
                | b'&'
                | b'\''
                | b'('
                | b')'
                | b'*'
                | b';'
                | b'<'
                | b'>'
                | b'?'
                | b'@'
                | b'|'
        )
}

/// What may have been meant, for people.
pub fn alternatives(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    match names.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        names => names.concat(),
    }
}

/// `null` and `none` are keys of the panel's placeholder entries.
fn is_placeholder(cell: &str) -> bool {
    cell.eq_ignore_ascii_case("null") || cell.eq_ignore_ascii_case("none")
}

/// Printable ASCII: almost every cell, and told apart quickly.
fn is_plain(cell: &str) -> bool {
    cell.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Holds something that cannot be seen.
pub fn is_invisible(cell: &str) -> bool {
    !is_plain(cell) && cell.chars().any(text::is_unsafe)
}

/// Holds the mark of a character that was lost.
fn is_lossy(cell: &str) -> bool {
    !is_plain(cell) && cell.contains(char::REPLACEMENT_CHARACTER)
}

/// What may have happened to a cell of any kind that holds an id or a word.
fn damage(cell: &str) -> Option<DiagnosticKind> {
    if is_invisible(cell) {
        Some(DiagnosticKind::Invisible)
    } else if is_lossy(cell) {
        Some(DiagnosticKind::Damaged)
    } else if cell.starts_with('#') || cell.starts_with("Err:") {
        Some(DiagnosticKind::SpreadsheetError)
    } else if cell.starts_with('=') {
        Some(DiagnosticKind::Formula)
    } else if cell.starts_with(['\'', '’', '‘']) {
        Some(DiagnosticKind::Apostrophe)
    } else {
        None
    }
}

/// What a spreadsheet may have made of a whole number.
fn number_damage(cell: &str) -> Option<DiagnosticKind> {
    if is_scientific(cell) {
        Some(DiagnosticKind::Scientific)
    } else if has_separators(cell) {
        Some(DiagnosticKind::Separators)
    } else if is_list(cell) {
        Some(DiagnosticKind::SeveralValues)
    } else if is_decimal(cell) {
        Some(DiagnosticKind::Decimal)
    } else if is_date(cell) {
        Some(DiagnosticKind::Date)
    } else {
        None
    }
}
