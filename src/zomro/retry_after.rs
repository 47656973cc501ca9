//! How long the API asks to be left alone (`Retry-After`).

use std::time::{Duration, UNIX_EPOCH};

/// A longer wait is not believed.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(15);

/// Reads seconds, or an HTTP date as seen at `now_ms`. `None`: it is no time at all, or one that has
/// passed.
pub(super) fn retry_after(value: &str, now_ms: i64) -> Option<Duration> {
    let value = value.trim();
    let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // More digits than a number can hold are still a long time.
        value.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).ok()?);
        date.duration_since(now).ok()?
    };
    (!wait.is_zero()).then(|| wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Field case D1.
    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_a_quarter_of_an_hour() {
        let now_ms = 1_795_399_200_000; // Mon, 23 Nov 2026 02:00:00 GMT
        for (value, seconds) in [
            ("0", None),
            (" 7 ", Some(7)),
            ("900", Some(900)),
            ("901", Some(900)),
            ("99999999999999999999999", Some(900)),
            ("Mon, 23 Nov 2026 02:00:30 GMT", Some(30)),
            ("Monday, 23-Nov-26 02:00:30 GMT", Some(30)),
            ("Mon Nov 23 02:00:30 2026", Some(30)),
            ("000", None),
            ("Mon, 23 Nov 2026 02:00:00 GMT", None),
            ("Mon, 23 Nov 2026 01:00:00 GMT", None),
            ("Tue, 23 Nov 2027 02:00:00 GMT", Some(900)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
        ] {
            let wait = retry_after(value, now_ms);
            assert_eq!(wait, seconds.map(Duration::from_secs), "{value:?}");
        }
    }
}
