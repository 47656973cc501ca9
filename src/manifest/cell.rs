//! One cell → one value, or what a spreadsheet did to it.

use secrecy::SecretString;

use super::diagnostic::{
    FaultKind, NOTE_CHARS_MAX, PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN, PASSWORD_PANEL_CHARS_MAX,
    SSH_KEY_CHARS_MAX, ZONE_CHARS_MAX,
};
use super::spreadsheet::{
    self, has_separators, is_date, is_decimal, is_list, is_rounded, is_scientific,
};
use crate::job::{ImageId, InvalidServiceId, ServiceId};
use crate::text;

/// A cell that only a row of data has: an id where a column's name should be.
pub(super) fn is_data(cell: &str) -> bool {
    let cell = cell.trim();
    cell.parse::<ServiceId>().is_ok() || cell.parse::<ImageId>().is_ok()
}

pub(super) fn service(cell: &str) -> Result<ServiceId, FaultKind> {
    match cell.parse() {
        Ok(_) if is_rounded(cell) => Err(FaultKind::Rounded),
        Ok(service) => Ok(service),
        Err(InvalidServiceId::Empty) => Err(FaultKind::CellEmpty),
        Err(_) if is_rounded(cell) => Err(FaultKind::Rounded),
        Err(InvalidServiceId::LeadingZero) => Err(FaultKind::LeadingZero),
        Err(InvalidServiceId::TooLarge) => Err(FaultKind::ServiceTooLarge),
        Err(InvalidServiceId::NotDigits) if is_taken_out(cell) => Err(FaultKind::ServiceTakenOut),
        Err(InvalidServiceId::NotDigits) => Err(damage(cell)
            .or_else(|| number_damage(cell))
            .unwrap_or(FaultKind::ServiceInvalid)),
    }
}

/// An id that somebody has put a `#` before. No error of a spreadsheet begins with a digit.
fn is_taken_out(cell: &str) -> bool {
    cell.strip_prefix('#').is_some_and(|rest| {
        rest.trim_start()
            .starts_with(|first: char| first.is_ascii_digit())
    })
}

pub(super) fn image(cell: &str) -> Result<ImageId, FaultKind> {
    cell.parse().map_err(|_| {
        if cell.is_empty() {
            FaultKind::CellEmpty
        } else if is_placeholder(cell) {
            FaultKind::ImageNull
        } else {
            damage(cell).unwrap_or(FaultKind::ImageInvalid)
        }
    })
}

pub(super) fn zone(cell: &str) -> Result<Option<String>, FaultKind> {
    let is_valid = cell.len() <= ZONE_CHARS_MAX
        && cell
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_valid && is_date(cell) {
        Err(FaultKind::Date)
    } else if is_valid {
        Ok((!cell.is_empty()).then(|| cell.to_owned()))
    } else {
        Err(damage(cell).unwrap_or(FaultKind::ZoneInvalid))
    }
}

pub(super) fn ssh_key(cell: &str) -> Result<Option<String>, FaultKind> {
    if cell.is_empty() {
        return Ok(None);
    }
    if is_placeholder(cell) {
        return Err(FaultKind::SshKeyNull);
    }
    if let Some(kind) = damage(cell).or_else(|| number_damage(cell)) {
        return Err(kind);
    }
    if is_rounded(cell) {
        return Err(FaultKind::Rounded);
    }
    let is_valid = cell.len() <= SSH_KEY_CHARS_MAX
        && cell
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    if is_valid {
        Ok(Some(cell.to_owned()))
    } else {
        Err(FaultKind::SshKeyInvalid)
    }
}

pub(super) fn enablessh(cell: &str) -> Result<Option<bool>, FaultKind> {
    match cell {
        "" => Ok(None),
        _ if cell.eq_ignore_ascii_case("on") => Ok(Some(true)),
        _ if cell.eq_ignore_ascii_case("off") => Ok(Some(false)),
        _ => Err(damage(cell).unwrap_or(FaultKind::EnablesshInvalid)),
    }
}

pub(super) fn note(cell: &str) -> Result<Option<String>, FaultKind> {
    if !is_plain(cell) && cell.chars().any(char::is_control) {
        Err(FaultKind::NoteControl)
    } else if is_lossy(cell) {
        Err(FaultKind::Damaged)
    } else if cell.len() > NOTE_CHARS_MAX && cell.chars().count() > NOTE_CHARS_MAX {
        Err(FaultKind::NoteTooLong)
    } else {
        Ok((!cell.is_empty()).then(|| cell.to_owned()))
    }
}

/// The password, never trimmed; everything that speaks against it is reported, warnings
/// included. The rules are the API's (errors) and the vendor's panel's (warnings).
pub(super) fn password(cell: &str, mut report: impl FnMut(FaultKind)) -> Option<SecretString> {
    if cell.is_empty() {
        return None;
    }
    // What else is wrong with it then speaks of the spreadsheet's text, not of the password.
    if let Some(shape) = spreadsheet::shape(cell) {
        report(FaultKind::PasswordReshaped(shape));
        return Some(SecretString::from(cell));
    }
    let chars = cell.chars().count();
    if is_lossy(cell) {
        report(FaultKind::Damaged);
    }
    if is_invisible(cell) {
        report(FaultKind::PasswordInvisible);
    }
    if chars < PASSWORD_CHARS_MIN {
        report(FaultKind::PasswordTooShort);
    }
    if chars > PASSWORD_CHARS_MAX {
        report(FaultKind::PasswordTooLong);
    } else if chars > PASSWORD_PANEL_CHARS_MAX {
        report(FaultKind::PasswordPanelLength);
    }
    if !cell.bytes().any(|byte| byte.is_ascii_uppercase()) {
        report(FaultKind::PasswordNoUpper);
    }
    if !cell.bytes().any(|byte| byte.is_ascii_digit()) {
        report(FaultKind::PasswordNoDigit);
    }
    if !cell.bytes().any(|byte| byte.is_ascii_lowercase()) {
        report(FaultKind::PasswordPanelLower);
    }
    if !cell.bytes().all(panel_takes) {
        report(FaultKind::PasswordPanelCharacters);
    }
    Some(SecretString::from(cell))
}

/// What the API wants of a password (zomro-api.md 4.2).
pub(super) fn fits_password_rule(cell: &str) -> bool {
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

/// `null` and `none` are keys of the panel's placeholder entries.
fn is_placeholder(cell: &str) -> bool {
    cell.eq_ignore_ascii_case("null") || cell.eq_ignore_ascii_case("none")
}

/// Printable ASCII: almost every cell, and told apart quickly.
fn is_plain(cell: &str) -> bool {
    cell.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Holds something that cannot be seen.
pub(super) fn is_invisible(cell: &str) -> bool {
    !is_plain(cell) && cell.chars().any(text::is_unsafe)
}

/// Holds the mark of a character that was lost.
fn is_lossy(cell: &str) -> bool {
    !is_plain(cell) && cell.contains(char::REPLACEMENT_CHARACTER)
}

/// What may have happened to a cell of any kind that holds an id or a word.
fn damage(cell: &str) -> Option<FaultKind> {
    if is_invisible(cell) {
        Some(FaultKind::Invisible)
    } else if is_lossy(cell) {
        Some(FaultKind::Damaged)
    } else if cell.starts_with('#') || cell.starts_with("Err:") {
        Some(FaultKind::SpreadsheetError)
    } else if cell.starts_with('=') {
        Some(FaultKind::Formula)
    } else if cell.starts_with(['\'', '’', '‘']) {
        Some(FaultKind::Apostrophe)
    } else {
        None
    }
}

/// What a spreadsheet may have made of a whole number.
fn number_damage(cell: &str) -> Option<FaultKind> {
    if is_scientific(cell) {
        Some(FaultKind::Scientific)
    } else if has_separators(cell) {
        Some(FaultKind::Separators)
    } else if is_list(cell) {
        Some(FaultKind::SeveralValues)
    } else if is_decimal(cell) {
        Some(FaultKind::Decimal)
    } else if is_date(cell) {
        Some(FaultKind::Date)
    } else {
        None
    }
}
