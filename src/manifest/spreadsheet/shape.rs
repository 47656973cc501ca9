//! The shape by which a password is suspected.

use std::fmt;

use super::date::is_date;
use super::marks::{is_error, is_formula, is_hashes, is_quoted, is_truth};
use super::number::{
    AMOUNT_LETTERS_MAX, has_separators, is_amount, is_decimal, is_rewritten_as_scientific,
    is_rounded,
};

/// What a spreadsheet seems to have made of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `1.23E+16`
    Scientific,
    /// `12345678.00`, `1,234,567`
    Number,
    /// `1234567890123450000`
    Rounded,
    /// `$1,234.00`, `12%`
    Amount,
    /// `1-Mar-24`, `14:05:00`
    Date,
    /// `TRUE`
    Truth,
    /// `#REF!`
    Error,
    /// `=A2`, `="…"`
    Formula,
    /// `'…`, `"…"`
    Quoted,
}

/// As it stands behind "the password is".
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scientific => "a number in scientific notation",
            Self::Number => "a number with decimals or separators",
            Self::Rounded => "a number that was rounded to 15 digits",
            Self::Amount => "an amount or a share",
            Self::Date => "a date or a time",
            Self::Truth => "a truth value",
            Self::Error => "an error value",
            Self::Formula => "a formula",
            Self::Quoted => "a text in quotes or behind an apostrophe",
        })
    }
}

/// The shape of a password that a spreadsheet seems to have had its hands on.
pub fn shape(password: &str) -> Option<Shape> {
    let text = password.trim();
    if is_ordinary(text) {
        None
    } else if is_formula(text) {
        Some(Shape::Formula)
    } else if is_quoted(text) {
        Some(Shape::Quoted)
    } else if is_error(text) || is_hashes(text) {
        Some(Shape::Error)
    } else if is_rewritten_as_scientific(text) {
        Some(Shape::Scientific)
    } else if is_rounded(text) {
        Some(Shape::Rounded)
    } else if is_decimal(text) || has_separators(text) {
        Some(Shape::Number)
    } else if is_date(text) {
        Some(Shape::Date)
    } else if is_amount(text) {
        Some(Shape::Amount)
    } else if is_truth(text) {
        Some(Shape::Truth)
    } else {
        None
    }
}

/// None of the shapes, told quickly: ASCII with more letters than any of them but dates and truth
/// values, a digit among them, nothing that may stand between the parts of a date, and no mark at
/// its beginning or end. Nearly every password is so.
fn is_ordinary(text: &str) -> bool {
    let (mut letters, mut digits) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' => letters += 1,
            b'0'..=b'9' => digits += 1,
            b'!' | b'$' | b'%' | b'&' | b'*' | b'+' | b';' | b'<' | b'>' | b'?' | b'@' | b'_'
            | b'^' | b'~' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'|' => {}
            _ => return false,
        }
    }
    letters > AMOUNT_LETTERS_MAX && digits > 0
}
