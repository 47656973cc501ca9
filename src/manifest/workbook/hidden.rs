//! What of a sheet cannot be seen.

use super::fault::Fault;
use crate::manifest::limits::SHEET_COLUMNS_MAX;

/// A row that is lower than this, in points, shows nothing that anybody could read.
pub const ROW_POINTS_MIN: f64 = 3.0;
/// A column that is narrower does not show one character. `.xlsx` counts widths in characters.
pub const COLUMN_POINTS_MIN: f64 = 8.0;
pub const COLUMN_CHARACTERS_MIN: f64 = 1.0;

/// Which columns of a sheet are hidden.
#[derive(Default)]
pub struct Columns {
    /// Runs of columns that say whether they are hidden, counted from 0.
    told: Vec<(u32, u32, bool)>,
    /// Those that say nothing are.
    pub are_others_hidden: bool,
}

impl Columns {
    /// Adds those from the first to the last.
    pub fn add(&mut self, first: u32, last: u32, are_hidden: bool) -> Result<(), Fault> {
        self.told.push((first, last, are_hidden));
        if self.told.len() > SHEET_COLUMNS_MAX as usize {
            let what = format!("it describes more than {SHEET_COLUMNS_MAX} columns");
            return Err(Fault::too_large(what));
        }
        Ok(())
    }

    pub fn has(&self, column: usize) -> bool {
        let is_in = |(first, last): (u32, u32)| (first as usize..=last as usize).contains(&column);
        let told = self.told.iter();
        let mut told = told.filter(|(first, last, _)| is_in((*first, *last)));
        match told.next() {
            None => self.are_others_hidden,
            Some((_, _, is_hidden)) => *is_hidden || told.any(|(_, _, is_hidden)| *is_hidden),
        }
    }
}

/// A length in points; a bare number as it is.
pub fn points(length: &str) -> Option<f64> {
    let length = length.trim();
    let number = length.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let factor = match length[number.len()..].to_ascii_lowercase().as_str() {
        "" | "pt" => 1.0,
        "pc" => 12.0,
        "px" => 0.75,
        "in" | "inch" => 72.0,
        "cm" => 72.0 / 2.54,
        "mm" => 7.2 / 2.54,
        _ => return None,
    };
    let number: f64 = number.trim().parse().ok()?;
    number.is_finite().then_some(number * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_the_same_in_all_units() {
        for (length, tenths) in [
            ("15", Some(150)),
            (" 0.1 ", Some(1)),
            ("2.54cm", Some(720)),
            ("25.4 mm", Some(720)),
            ("1in", Some(720)),
            ("6pc", Some(720)),
            ("96px", Some(720)),
            ("-3pt", Some(-30)),
            ("20%", None),
            ("NaN", None),
            ("", None),
        ] {
            #[expect(clippy::cast_possible_truncation, reason = "small")]
            let found = points(length).map(|points| (points * 10.0).round() as i32);
            assert_eq!(found, tenths, "{length}");
        }
    }
}
