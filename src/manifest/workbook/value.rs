//! What a cell of a workbook holds besides text, as the text that CSV would have.

use jiff::civil::{Date, date};

/// Whole numbers from here on have more digits than a spreadsheet keeps.
const ROUNDED_FROM: f64 = 1e15;
/// The day before which Excel counts one day too few: it believes in a 29 February 1900.
const FEIGNED_LEAP_DAY: i32 = 60;
/// Days from one to the other of the days from which workbooks count.
const DAYS_1900_TO_1904: f64 = 1462.0;
/// The first day that is no longer of the year 9999.
const DAYS_MAX: f64 = 2_958_466.0;
const DAY_S: f64 = 86_400.0;

/// A number as its cell holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Written into the text as it is.
    Plain,
    /// More digits than a spreadsheet keeps.
    Rounded,
}

/// Appends the number to `text`: a whole one without a fraction, whatever it was stored as. `None`:
/// it is none.
pub fn number(stored: &str, text: &mut String) -> Option<Number> {
    use std::fmt::Write as _;
    let stored = stored.trim();
    // Nearly all are whole and short, and told quickly.
    let is_short = !stored.is_empty() && stored.len() <= 15;
    if is_short && stored.bytes().all(|byte| byte.is_ascii_digit()) && !stored.starts_with('0') {
        text.push_str(stored);
        return Some(Number::Plain);
    }
    let value: f64 = stored
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite())?;
    // Writing to a String cannot fail.
    let _ = if value == 0.0 {
        write!(text, "0")
    } else {
        write!(text, "{value}")
    };
    let is_rounded = value.fract() == 0.0 && value.abs() >= ROUNDED_FROM;
    Some(if is_rounded {
        Number::Rounded
    } else {
        Number::Plain
    })
}

/// The number `stored` is shown as `shown`: in its own digits, with blanks and marks between groups
/// of thousands, and with zeros behind the point.
pub fn is_shown(stored: &str, shown: &str) -> bool {
    const GROUP_MARKS: [char; 4] = [',', '.', '\'', '’'];
    let mut text = String::new();
    if number(stored, &mut text).is_none() {
        return true;
    }
    let shown: String = shown.chars().filter(|own| !own.is_whitespace()).collect();
    let is_whole = |shown: &str, whole: &str| {
        let groups: Vec<&str> = shown.trim_start_matches('-').split(GROUP_MARKS).collect();
        let are_even = match groups.as_slice() {
            [first, later @ ..] if !later.is_empty() => {
                (1..=3).contains(&first.len()) && later.iter().all(|group| group.len() == 3)
            }
            _ => true,
        };
        are_even && shown.replace(GROUP_MARKS, "") == whole
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let is_without = fraction.is_empty() && is_whole(&shown, whole);
    is_without
        || shown.rsplit_once([',', '.']).is_some_and(|(own, behind)| {
            is_whole(own, whole) && behind.trim_end_matches('0') == fraction
        })
}

/// The date or time, as `2024-03-01`, `2024-03-01 14:05:00` or `14:05:00`, of a number that a
/// workbook shows as one. `None`: it can be none.
pub fn moment(stored: &str, counts_from_1904: bool) -> Option<String> {
    let value: f64 = stored.trim().parse().ok()?;
    let value = if counts_from_1904 {
        value + DAYS_1900_TO_1904
    } else {
        value
    };
    if !(0.0..DAYS_MAX).contains(&value) {
        return None;
    }
    let mut day = value.floor();
    let mut second = ((value - day) * DAY_S).round();
    if second >= DAY_S {
        day += 1.0;
        second = 0.0;
    }
    // In range, as was seen above.
    #[expect(clippy::cast_possible_truncation, reason = "below 3,000,000")]
    let (day, second) = (day as i32, second as i32);
    let time = format!(
        "{:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    if day == 0 {
        return Some(time);
    }
    let first: Date = date(1899, 12, 31);
    let days = day - i32::from(day > FEIGNED_LEAP_DAY);
    let date = first.checked_add(jiff::Span::new().days(days)).ok()?;
    Some(if second == 0 {
        date.to_string()
    } else {
        format!("{date} {time}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_as_a_person_sees_it() {
        for (stored, text, kind) in [
            ("5113119", "5113119", Some(Number::Plain)),
            ("5113119.0", "5113119", Some(Number::Plain)),
            ("5.113119E6", "5113119", Some(Number::Plain)),
            ("5113119.5", "5113119.5", Some(Number::Plain)),
            ("-5", "-5", Some(Number::Plain)),
            ("007", "7", Some(Number::Plain)),
            ("0", "0", Some(Number::Plain)),
            ("-0.0", "0", Some(Number::Plain)),
            ("999999999999999", "999999999999999", Some(Number::Plain)),
            (
                "1000000000000000",
                "1000000000000000",
                Some(Number::Rounded),
            ),
            (
                "5.113119000000001E18",
                "5113119000000001000",
                Some(Number::Rounded),
            ),
            ("", "", None),
            ("x", "", None),
            ("NaN", "", None),
            ("inf", "", None),
            ("1e999", "", None),
        ] {
            let mut written = String::new();
            assert_eq!(number(stored, &mut written), kind, "{stored}");
            assert_eq!(written, text, "{stored}");
        }
    }

    #[test]
    fn a_date_is_the_one_that_the_workbook_shows() {
        for (stored, counts_from_1904, text) in [
            ("45352", false, Some("2024-03-01")),
            ("45352.586805555555", false, Some("2024-03-01 14:05:00")),
            ("0.5868055555555556", false, Some("14:05:00")),
            ("1", false, Some("1900-01-01")),
            ("59", false, Some("1900-02-28")),
            ("61", false, Some("1900-03-01")),
            ("43890", true, Some("2024-03-01")),
            ("0.999999999", false, Some("1900-01-01")),
            ("-1", false, None),
            ("3000000", false, None),
            ("x", false, None),
        ] {
            let found = moment(stored, counts_from_1904);
            assert_eq!(found.as_deref(), text, "{stored}");
        }
    }
}
