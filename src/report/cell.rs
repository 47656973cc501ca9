//! Foreign text as a cell of a spreadsheet.

use std::borrow::Cow;

use crate::text;

/// `text` with its control characters made visible, and with a `'` before everything that a
/// spreadsheet would take for the beginning of a formula. For people: where a cell has to be read
/// back, [`text::guarded`] is exact.
pub fn neutral(text: &str) -> Cow<'_, str> {
    let printable = text::printable(text);
    if !begins_formula(&printable) && !printable.contains(';') {
        return printable;
    }
    let mut cells = String::with_capacity(printable.len() + 2);
    for (place, cell) in printable.split(';').enumerate() {
        if place > 0 {
            cells.push(';');
        }
        if begins_formula(cell) {
            cells.push('\'');
        }
        cells.push_str(cell);
    }
    Cow::Owned(cells)
}

/// Would a spreadsheet run a cell that holds this? With a `'` in front it runs nothing.
pub fn begins_formula(cell: &str) -> bool {
    text::begins_formula(cell) && !cell.starts_with('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run_is_text() {
        for (text, cell) in [
            ("", ""),
            ("no such image", "no such image"),
            ("a-b=c", "a-b=c"),
            ("=1+1", "'=1+1"),
            ("-5", "'-5"),
            ("+49", "'+49"),
            ("@SUM(A1)", "'@SUM(A1)"),
            (" =1", "' =1"),
            ("\"=1", "'\"=1"),
            ("\u{a0}\u{3000}＝1", "'\u{a0}\u{3000}＝1"),
            ("'=1", "'=1"),
            ("\t=1", "\\u{9}=1"),
            ("\r=1", "\\u{d}=1"),
            ("rack 4;=HYPERLINK(1)", "rack 4;'=HYPERLINK(1)"),
            ("a; b", "a; b"),
        ] {
            assert_eq!(neutral(text), cell, "{text:?}");
        }
    }
}
