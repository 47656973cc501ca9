//! How a cell is shown, and whether one can see it.

use super::number_format::{Format, Shown};
use crate::manifest::diagnostic::DiagnosticKind;
use crate::manifest::sheet_fault::SheetFault;

/// How a cell is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    pub format: Format,
    /// There is a line through it.
    pub is_struck: bool,
    /// It is written in white on white, or not shown at all.
    pub is_white: bool,
}

impl Look {
    pub const PLAIN: Self = Self {
        format: Format::GENERAL,
        is_struck: false,
        is_white: false,
    };

    /// What is odd about a text, or about anything else, that looks like this.
    pub fn odd(self, is_text: bool) -> Option<DiagnosticKind> {
        let of_text = is_text.then(|| unlike(self.format.text)).flatten();
        let fault = match (self.is_struck, self.is_white) {
            (true, _) => Some(SheetFault::CellStruck),
            (_, true) => Some(SheetFault::CellUnseen),
            (false, false) => None,
        };
        of_text.or(fault.map(DiagnosticKind::Workbook))
    }
}

/// What is odd about a number or a text that is shown like this.
pub fn unlike(shown: Shown) -> Option<DiagnosticKind> {
    let fault = match shown {
        Shown::Stored => return None,
        Shown::Nothing => SheetFault::CellUnseen,
        Shown::Digits { .. } | Shown::Date | Shown::Otherwise => SheetFault::Disguised,
    };
    Some(DiagnosticKind::Workbook(fault))
}

/// A colour, such as `#ffffff` or `FFFFFFFF`, is white, or so near to it that nobody tells them apart.
pub fn is_white(colour: &str) -> bool {
    const NEARLY: u8 = 0xf0;
    let colour = colour.trim();
    let parts = colour
        .len()
        .checked_sub(6)
        .and_then(|from| colour.get(from..));
    parts.is_some_and(|parts| {
        (0..6).step_by(2).all(|at| {
            let part = parts.get(at..at + 2);
            let part = part.and_then(|part| u8::from_str_radix(part, 16).ok());
            part.is_some_and(|part| part >= NEARLY)
        })
    })
}
