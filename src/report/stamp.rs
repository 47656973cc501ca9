//! RFC 3339 into a buffer, for millions of rows: [`crate::time::rfc3339`] without its allocation.

use crate::time;

const DAY_MS: i64 = 86_400_000;
/// 9999-12-29T23:59:59.999Z: what is later comes from a broken clock, and is shown as it is.
const LATEST_MS: i64 = 253_402_127_999_999;

/// Writes `2026-11-23T02:00:00.000Z` into an empty `buffer`.
pub(super) fn rfc3339(unix_ms: i64, buffer: &mut Vec<u8>) {
    buffer.clear();
    if !(0..=LATEST_MS).contains(&unix_ms) {
        buffer.extend_from_slice(time::rfc3339(unix_ms).as_bytes());
        return;
    }
    let (year, month, day) = civil(unix_ms / DAY_MS);
    let ms = unix_ms % DAY_MS;
    for (value, digits, after) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (ms / 3_600_000, 2, b':'),
        (ms / 60_000 % 60, 2, b':'),
        (ms / 1000 % 60, 2, b'.'),
        (ms % 1000, 3, b'Z'),
    ] {
        let mut divisor = 10_i64.pow(digits - 1);
        while divisor > 0 {
            let digit = u8::try_from(value / divisor % 10).expect("a digit fits");
            buffer.push(b'0' + digit);
            divisor /= 10;
        }
        buffer.push(after);
    }
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar; `civil_from_days` of
/// <https://howardhinnant.github.io/date_algorithms.html>, for days that are not negative.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years begin in March, so that the leap day is the last one.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(unix_ms: i64) -> String {
        let mut buffer = b"old".to_vec();
        rfc3339(unix_ms, &mut buffer);
        String::from_utf8(buffer).unwrap()
    }

    #[test]
    fn the_edges_agree_with_the_calendar_library() {
        for unix_ms in [
            0,
            951_782_400_000, // 2000-02-29
            951_868_799_999,
            4_107_542_400_000, // 2100-03-01
            LATEST_MS,
            -1,
            i64::MIN,
            i64::MAX,
        ] {
            assert_eq!(text(unix_ms), time::rfc3339(unix_ms));
        }
    }

    proptest! {
        #[test]
        fn every_moment_agrees_with_the_calendar_library(unix_ms in 0..=LATEST_MS) {
            prop_assert_eq!(text(unix_ms), time::rfc3339(unix_ms));
        }
    }
}
