//! The window of the day in which work is allowed, as the clocks of a time zone show it.
//!
//! A moment is inside exactly if its local civil time is: so an hour that happens twice counts twice,
//! and one that does not exist not at all. Between two transitions of the zone local time runs evenly,
//! and what is asked is arithmetic modulo a day; at a transition it is looked at anew.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Hours of the day, from the first up to the second, over midnight where that is the earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    /// After midnight.
    from_ms: i64,
    /// The same.
    to_ms: i64,
}

/// Why a text is no window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHours {
    /// It is written in another way.
    #[error(
        "`{0}` is no window: write two times of the day, for example 01:00-05:00 or 22:00-06:00"
    )]
    Text(String),
    /// It is empty, or the whole day.
    #[error("it ends when it begins: leave it away if any time will do")]
    Equal,
}

impl FromStr for Hours {
    type Err = InvalidHours;

    fn from_str(text: &str) -> Result<Self, InvalidHours> {
        let invalid = || InvalidHours::Text(text.to_owned());
        let (from, to) = text.split_once('-').ok_or_else(invalid)?;
        let from_ms = time_of_day(from).filter(|from_ms| *from_ms < DAY_MS);
        // Midnight is written 24:00 too, where something ends then.
        let to_ms = time_of_day(to).map(|to_ms| to_ms % DAY_MS);
        let (from_ms, to_ms) = from_ms.zip(to_ms).ok_or_else(invalid)?;
        if from_ms == to_ms {
            return Err(InvalidHours::Equal);
        }
        Ok(Self { from_ms, to_ms })
    }
}

/// `5:00` or `05:00`, up to 24:00.
fn time_of_day(text: &str) -> Option<i64> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let number = |text: &str, digits: std::ops::RangeInclusive<usize>| {
        let is_number = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (hours, minutes) = number(hours, 1..=2).zip(number(minutes, 2..=2))?;
    let possible = minutes < 60 && (hours < 24 || (hours, minutes) == (24, 0));
    possible.then_some((hours * 60 + minutes) * MINUTE_MS)
}

impl Hours {
    fn contain(self, time_of_day_ms: i64) -> bool {
        if self.from_ms < self.to_ms {
            (self.from_ms..self.to_ms).contains(&time_of_day_ms)
        } else {
            time_of_day_ms >= self.from_ms || time_of_day_ms < self.to_ms
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [from, to] = [self.from_ms, self.to_ms].map(|ms| ms / MINUTE_MS);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )
    }
}

/// A time zone that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

/// Why there is no such time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidZone {
    /// It is not known.
    #[error("there is no time zone `{0}`: write for example Europe/Berlin or UTC")]
    Unknown(String),
    /// The system's has no name that could be written down, or cannot be told.
    #[error("this machine's time zone cannot be told")]
    System,
}

impl Zone {
    /// The system's.
    pub fn system() -> Result<Self, InvalidZone> {
        let zone = TimeZone::try_system().map_err(|_| InvalidZone::System)?;
        let is_named = zone.iana_name().is_some() && !zone.is_unknown();
        is_named.then_some(Self(zone)).ok_or(InvalidZone::System)
    }

    /// Where nothing else is known.
    pub fn utc() -> Self {
        Self(TimeZone::UTC)
    }

    /// A moment as the zone's clocks show it, to the minute: `Fri 2026-11-27 01:00`. That two hours of
    /// the year have the same name is borne.
    pub fn local(&self, at_ms: i64) -> String {
        let zoned = timestamp(at_ms).to_zoned_datetime(self.0.clone());
        zoned.strftime("%a %Y-%m-%d %H:%M").to_string()
    }
}

/// Names in the database of zones that stand for no place: the one says that nobody has chosen a zone,
/// the others are another one's copies on this machine.
const NO_ZONES: [&str; 3] = ["Factory", "localtime", "posixrules"];

impl FromStr for Zone {
    type Err = InvalidZone;

    fn from_str(text: &str) -> Result<Self, InvalidZone> {
        let zone = TimeZone::get(text.trim()).ok();
        let zone = zone.filter(|zone| {
            let name = zone.iana_name();
            name.is_some_and(|name| !NO_ZONES.contains(&name)) && !zone.is_unknown()
        });
        zone.map(Self)
            .ok_or_else(|| InvalidZone::Unknown(text.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.iana_name().expect("only one with a name is taken"))
    }
}

/// Hours of the day in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When it is open.
    pub hours: Hours,
    /// By whose clocks.
    pub zone: Zone,
}

impl Window {
    /// How long it is open on a day of 24 hours.
    pub fn length(&self) -> Duration {
        let Hours { from_ms, to_ms } = self.hours;
        Duration::from_millis((to_ms - from_ms).rem_euclid(DAY_MS).unsigned_abs())
    }

    /// When it closes that is open at `now_ms`; `None`: it is closed.
    pub fn closes_at(&self, now_ms: i64) -> Option<i64> {
        self.is_open(now_ms).then(|| self.changes_after(now_ms))
    }

    /// When it opens next: `now_ms`, if it is open.
    pub fn opens_at(&self, now_ms: i64) -> i64 {
        if self.is_open(now_ms) {
            now_ms
        } else {
            self.changes_after(now_ms)
        }
    }

    fn is_open(&self, at_ms: i64) -> bool {
        self.hours
            .contain((at_ms + self.offset_ms(at_ms)).rem_euclid(DAY_MS))
    }

    /// The next moment at which it is closed if it was open, and open if it was closed.
    fn changes_after(&self, now_ms: i64) -> i64 {
        let was_open = self.is_open(now_ms);
        let edge_ms = if was_open {
            self.hours.to_ms
        } else {
            self.hours.from_ms
        };
        let mut at_ms = now_ms;
        loop {
            let time_of_day_ms = (at_ms + self.offset_ms(at_ms)).rem_euclid(DAY_MS);
            let changes_ms = at_ms + (edge_ms - time_of_day_ms).rem_euclid(DAY_MS);
            let transition_ms = self.transition_after(at_ms);
            match transition_ms.filter(|transition_ms| *transition_ms <= changes_ms) {
                None => return changes_ms,
                Some(transition_ms) if self.is_open(transition_ms) != was_open => {
                    return transition_ms;
                }
                Some(transition_ms) => at_ms = transition_ms,
            }
        }
    }

    /// What the zone's clocks are ahead of UTC by.
    fn offset_ms(&self, at_ms: i64) -> i64 {
        let offset = self.zone.0.to_offset(timestamp(at_ms));
        i64::from(offset.seconds()) * 1000
    }

    fn transition_after(&self, at_ms: i64) -> Option<i64> {
        let next = self.zone.0.following(timestamp(at_ms)).next();
        next.map(|transition| transition.timestamp().as_millisecond())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.hours, self.zone)
    }
}

/// A clock that is broken beyond the year 9999 stands at its end.
fn timestamp(at_ms: i64) -> Timestamp {
    let bounds = [Timestamp::MIN, Timestamp::MAX].map(Timestamp::as_millisecond);
    Timestamp::from_millisecond(at_ms.clamp(bounds[0], bounds[1])).expect("it was clamped")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR_MS: i64 = 60 * MINUTE_MS;

    fn window(hours: &str, zone: &str) -> Window {
        Window {
            hours: hours.parse().unwrap(),
            zone: zone.parse().unwrap(),
        }
    }

    fn at(text: &str) -> i64 {
        let timestamp: Timestamp = text.parse().unwrap();
        timestamp.as_millisecond()
    }

    #[test]
    fn hours_are_written_as_two_times_of_the_day() {
        for (text, as_printed) in [
            ("01:00-05:00", "01:00-05:00"),
            ("1:00 - 5:30", "01:00-05:30"),
            ("22:00-06:00", "22:00-06:00"),
            ("20:00-24:00", "20:00-00:00"),
        ] {
            let hours: Hours = text.parse().unwrap();
            assert_eq!(hours.to_string(), as_printed);
        }
        for text in [
            "",
            "-",
            "01:00",
            "1-5",
            "01:00-",
            "25:00-26:00",
            "24:00-05:00",
            "01:60-05:00",
            "01:00-24:01",
            "+1:00-05:00",
            "01:0-05:00",
            "01:00-05:00-06:00",
            "\u{661}:00-05:00",
        ] {
            let error = text.parse::<Hours>().unwrap_err();
            assert_eq!(error, InvalidHours::Text(text.to_owned()));
        }
        for text in ["03:00-03:00", "00:00-24:00"] {
            assert_eq!(text.parse::<Hours>(), Err(InvalidHours::Equal), "{text}");
        }
        for text in ["", "Mars/Olympus", "Etc/Unknown"] {
            let error = text.parse::<Zone>().unwrap_err();
            assert_eq!(error, InvalidZone::Unknown(text.to_owned()));
        }
    }

    #[test]
    fn the_first_minute_is_inside_and_the_last_moment_is_not() {
        let window = window("22:00-06:00", "UTC");
        let opens = at("2026-11-26T22:00:00Z");
        let closes = at("2026-11-27T06:00:00Z");
        assert_eq!(window.length(), Duration::from_hours(8));
        assert_eq!(window.closes_at(opens), Some(closes));
        assert_eq!(window.closes_at(closes - 1), Some(closes));
        assert_eq!(window.closes_at(closes), None);
        assert_eq!(window.closes_at(opens - 1), None);
        assert_eq!(window.opens_at(opens - 1), opens);
        assert_eq!(window.opens_at(opens + 1), opens + 1);
        assert_eq!(window.opens_at(closes), opens + DAY_MS);
        assert_eq!(window.zone.local(opens), "Thu 2026-11-26 22:00");
    }

    /// In Berlin 02:00 to 03:00 does not exist on 2026-03-29, and happens twice on 2026-10-25.
    #[test]
    fn an_hour_that_happens_twice_counts_twice_and_one_that_does_not_exist_never() {
        let missing = window("02:00-03:00", "Europe/Berlin");
        assert_eq!(
            missing.opens_at(at("2026-03-29T00:00:00Z")),
            at("2026-03-30T00:00:00Z")
        );
        let night = window("01:00-05:00", "Europe/Berlin");
        let spring = at("2026-03-29T00:00:00Z");
        assert_eq!(night.closes_at(spring), Some(spring + 3 * HOUR_MS));
        let autumn = at("2026-10-24T23:00:00Z");
        assert_eq!(night.closes_at(autumn), Some(autumn + 5 * HOUR_MS));
        // Up to 02:30 is open, closed until three, and open again from two to half past two.
        let half = window("01:00-02:30", "Europe/Berlin");
        let (closes, again) = (at("2026-10-25T00:30:00Z"), at("2026-10-25T01:00:00Z"));
        assert_eq!(half.closes_at(autumn), Some(closes));
        assert_eq!(half.opens_at(closes), again);
        assert_eq!(half.closes_at(again), Some(again + HOUR_MS / 2));
    }

    /// Zones, each with the moments at which its clocks are set, to within a day, and any others.
    fn moments() -> impl Strategy<Value = (&'static str, i64)> {
        let set = prop::sample::select(vec![
            ("Europe/Berlin", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "2026-10-25T01:00:00Z"),
            ("America/New_York", "2026-03-08T07:00:00Z"),
            ("America/New_York", "2026-11-01T06:00:00Z"),
            // By half an hour.
            ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
            ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
            // Once, by a quarter.
            ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
            // By 44 minutes and 30 seconds.
            ("Africa/Monrovia", "1972-01-07T00:44:30Z"),
            // It left a whole day out.
            ("Pacific/Apia", "2011-12-30T10:00:00Z"),
            ("UTC", "2026-06-30T23:59:59Z"),
        ]);
        let near =
            (set.clone(), -DAY_MS..DAY_MS).prop_map(|((zone, set), by)| (zone, at(set) + by));
        let any = at("1970-01-01T00:00:00Z")..at("2090-01-01T00:00:00Z");
        prop_oneof![
            3 => near,
            1 => (set, any).prop_map(|((zone, _), now_ms)| (zone, now_ms)),
        ]
    }

    /// Of the day; most clocks are set before four.
    fn minutes() -> impl Strategy<Value = i64> {
        prop_oneof![0..1440i64, 0..240i64]
    }

    fn is_inside(at_ms: i64, (from, to): (i64, i64), zone: &TimeZone) -> bool {
        let local = timestamp(at_ms).to_zoned_datetime(zone.clone()).datetime();
        let time = local.time();
        let minute = i64::from(time.hour()) * 60 + i64::from(time.minute());
        if from < to {
            from <= minute && minute < to
        } else {
            minute >= from || minute < to
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        /// Half a minute at a time, through what jiff says of the local time of each. Offsets that are
        /// no whole half minutes are older than the moments here.
        #[test]
        fn it_opens_and_closes_when_the_clocks_of_its_zone_say(
            (zone, now_ms) in moments(), from in minutes(), to in minutes(),
        ) {
            const STEP_MS: i64 = MINUTE_MS / 2;
            prop_assume!(from != to);
            let of = |minute| format!("{:02}:{:02}", minute / 60, minute % 60);
            let window = window(&format!("{}-{}", of(from), of(to)), zone);
            let tz = TimeZone::get(zone).unwrap();
            let was_open = is_inside(now_ms, (from, to), &tz);
            let first = now_ms.div_euclid(STEP_MS) * STEP_MS;
            let mut steps = (1..).map(|step| first + step * STEP_MS);
            let changes = steps.find(|at_ms| is_inside(*at_ms, (from, to), &tz) != was_open).unwrap();
            if was_open {
                prop_assert_eq!(window.closes_at(now_ms), Some(changes));
                prop_assert_eq!(window.opens_at(now_ms), now_ms);
            } else {
                prop_assert_eq!(window.closes_at(now_ms), None);
                prop_assert_eq!(window.opens_at(now_ms), changes);
            }
        }
    }
}
