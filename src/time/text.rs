//! Moments and durations as people write them.

use std::fmt;
use std::time::Duration;

use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::{RoundMode, SignedDuration, Timestamp, TimestampRound, Unit};
use serde::{Serialize, Serializer};

/// How far clocks are put back every day (NTP): what lies further in the future was dated by a
/// clock that was wrong.
pub const CLOCK_STEP_MS: i64 = 60_000;

/// Now, as Unix time.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A moment, as Unix time in milliseconds. It is written as RFC 3339 in UTC:
/// `2026-11-23T02:00:00.000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp(pub i64);

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => PRINTER
                .print_timestamp(&timestamp, StdFmtWrite(f))
                .map_err(|_| fmt::Error),
            // Beyond the year 9999: a broken clock, shown as it is.
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// [`Stamp`] as a text.
pub fn rfc3339(unix_ms: i64) -> String {
    Stamp(unix_ms).to_string()
}

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no duration: write for example 90s, 5m, 20h or 1h30m")]
pub struct InvalidDuration(String);

/// Reads `500ms`, `90s`, `5m`, `1h30m`, `7d`; zero and up.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(text.to_owned());
    let trimmed = text.trim();
    // A bare number would leave the unit to a guess.
    let days = trimmed
        .strip_suffix('d')
        .and_then(|days| days.parse::<u32>().ok());
    if let Some(days) = days {
        return Ok(Duration::from_secs(u64::from(days) * 86_400));
    }
    let parsed: SignedDuration = trimmed.parse().map_err(|_| invalid())?;
    Duration::try_from(parsed).map_err(|_| invalid())
}

/// A duration for people, to two units: `1h 12m`, `4m 10s`, `9s`, `0s`.
pub fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes, rest) = (
        seconds / 86_400,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    );
    if days > 0 {
        format!("{days}d {hours}h")
    } else if hours > 0 {
        format!("{hours}h {minutes}m")
    } else if minutes > 0 {
        format!("{minutes}m {rest}s")
    } else {
        format!("{rest}s")
    }
}

/// A duration to the millisecond, as [`parse_duration`] reads it: `20h`, `90m`, `10s`, `1500ms`.
pub fn exact(duration: Duration) -> String {
    let ms = whole_ms(duration);
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let fits = units
        .iter()
        .find(|(unit, _)| ms > 0 && ms.is_multiple_of(*unit));
    let (unit, name) = fits.unwrap_or(&(1, "ms"));
    format!("{}{name}", ms / unit)
}

/// A duration in whole milliseconds.
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds between two moments of Unix time, zero where the clock went backwards.
pub fn between(earlier_ms: i64, later_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(later_ms.saturating_sub(earlier_ms)).unwrap_or(0))
}

/// `unix_ms` rounded down to the second, for people: `2026-11-23 02:00:00 UTC`.
pub fn human(unix_ms: i64) -> String {
    Timestamp::from_millisecond(unix_ms)
        .ok()
        .and_then(|timestamp| {
            let down = TimestampRound::new()
                .smallest(Unit::Second)
                .mode(RoundMode::Floor);
            timestamp.round(down).ok()
        })
        .map_or_else(
            || format!("{unix_ms}ms"),
            |timestamp| timestamp.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_carry_milliseconds_and_utc() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(951_868_799_999), "2000-02-29T23:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert_eq!(rfc3339(i64::MAX), "9223372036854775807ms");
        assert_eq!(rfc3339(1_795_399_200_007), "2026-11-23T02:00:00.007Z");
        assert_eq!(human(1_795_399_200_007), "2026-11-23 02:00:00 UTC");
        assert_eq!(
            human(1_795_399_200_999),
            "2026-11-23 02:00:00 UTC",
            "never ahead of its time"
        );
    }

    #[test]
    fn durations_need_a_unit_and_are_never_negative() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1h30m"), Ok(Duration::from_mins(90)));
        assert_eq!(parse_duration("20h"), Ok(Duration::from_hours(20)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_hours(168)));
        assert_eq!(parse_duration("0s"), Ok(Duration::ZERO));
        for text in ["", "5", "-5s", "5 parsecs", "1month", "d"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_is_exact_is_read_back() {
        for text in ["0ms", "1ms", "1500ms", "10s", "90m", "20h"] {
            assert_eq!(exact(parse_duration(text).unwrap()), text);
        }
    }

    #[test]
    fn people_read_two_units() {
        assert_eq!(short(Duration::from_secs(9)), "9s");
        assert_eq!(short(Duration::from_secs(250)), "4m 10s");
        assert_eq!(short(Duration::from_mins(72)), "1h 12m");
        assert_eq!(short(Duration::from_hours(25)), "1d 1h");
    }
}
