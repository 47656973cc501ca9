//! Where a cell stands, as spreadsheet programs write it.

use crate::manifest::limits::{SHEET_COLUMNS_MAX, SHEET_ROWS_MAX};
use crate::text;

/// Cells of some rows and columns: the first and the last of each. Rows are counted from 1, columns
/// from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Area {
    pub rows: (u32, u32),
    pub columns: (u32, u32),
}

impl Area {
    /// `B2:C9`, `B2`; whichever corners these are.
    pub fn parse(text: &str) -> Option<Self> {
        let (first, last) = text.split_once(':').unwrap_or((text, text));
        let ((first_row, first_column), (last_row, last_column)) = (parse(first)?, parse(last)?);
        Some(Self {
            rows: (first_row.min(last_row), first_row.max(last_row)),
            columns: (first_column.min(last_column), first_column.max(last_column)),
        })
    }

    pub fn holds_column(&self, column: usize) -> bool {
        let (first, last) = self.columns;
        (first as usize..=last as usize).contains(&column)
    }
}

impl std::fmt::Display for Area {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let corner = |column: u32, row| format!("{}{row}", letters(column as usize));
        let first = corner(self.columns.0, self.rows.0);
        write!(f, "{first}:{}", corner(self.columns.1, self.rows.1))
    }
}

/// Row and column of `B17` (17 and 1); `None`: it is no cell of a sheet.
pub fn parse(text: &str) -> Option<(u32, u32)> {
    let mut column = 0;
    let mut bytes = text.bytes().filter(|byte| *byte != b'$').peekable();
    while let Some(letter) = bytes.next_if(u8::is_ascii_alphabetic) {
        column = column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1;
        if column > SHEET_COLUMNS_MAX {
            return None;
        }
    }
    let mut row: u32 = 0;
    for digit in bytes {
        if !digit.is_ascii_digit() {
            return None;
        }
        row = row * 10 + u32::from(digit - b'0');
        if row > SHEET_ROWS_MAX {
            return None;
        }
    }
    (row > 0 && column > 0).then(|| (row, column - 1))
}

/// The letters of a column that is counted from 0: `A`, `Z`, `AA`.
pub fn letters(column: usize) -> String {
    let mut letters = Vec::new();
    let mut left = column + 1;
    while left > 0 {
        left -= 1;
        letters.push(char::from(
            b'A' + u8::try_from(left % 26).unwrap_or_default(),
        ));
        left /= 26;
    }
    letters.iter().rev().collect()
}

/// A name that the workbook gives something, for people.
pub fn shown(name: &str) -> String {
    format!("`{}`", text::brief(name, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_written_as_programs_do() {
        for (text, place) in [
            ("A1", Some((1, 0))),
            ("$B$17", Some((17, 1))),
            ("z9", Some((9, 25))),
            ("AA10", Some((10, 26))),
            ("XFD1048576", Some((1_048_576, 16_383))),
            ("XFE1", None),
            ("A1048577", None),
            ("A0", None),
            ("7", None),
            ("A", None),
            ("A1B", None),
            ("AAAAAAAAAAAA1", None),
            ("", None),
        ] {
            assert_eq!(parse(text), place, "{text}");
            if let Some((row, column)) = place {
                let plain = text.replace('$', "").to_uppercase();
                assert_eq!(format!("{}{row}", letters(column as usize)), plain);
            }
        }
        let area = Area::parse("C9:B2").unwrap();
        assert_eq!(area.to_string(), "B2:C9");
        assert!(area.holds_column(2) && !area.holds_column(3));
    }
}
