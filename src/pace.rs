//! How far a batch is, how quickly it moves, and when that ends: the one place in which this is worked out,
//! for the display, `status`, the report and the events alike.
//!
//! The one fact to know: while too little is known to tell, nothing is told.

use std::collections::VecDeque;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use crate::time;

/// How far back the rate looks. Jobs take minutes, so a shorter time would show their waves and not their
/// pace.
pub const RATE_WINDOW: Duration = Duration::from_mins(10);

/// Below these a rate is a guess.
const ENDED_MIN: u64 = 2;
const SPAN_MIN: Duration = Duration::from_secs(3);

/// Completions below which a duration is a guess.
pub const COMPLETED_MIN: u64 = 2;

/// How far it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pace {
    /// Jobs for which nothing is left to do.
    pub ended: u64,
    /// All jobs.
    pub total: u64,
    /// So many ended a minute, lately.
    pub per_minute: Option<f64>,
    /// The time until all have.
    pub eta: Option<Duration>,
}

impl Pace {
    /// Of a hundred jobs so many have ended, rounded down.
    pub fn percent(&self) -> u64 {
        self.ended * 100 / self.total.max(1)
    }

    /// `7.4/min`
    pub fn rate_in_words(&self) -> String {
        match self.per_minute {
            Some(rate) if rate >= 9.95 => format!("{rate:.0}/min"),
            Some(rate) => format!("{rate:.1}/min"),
            None => "–/min".to_owned(),
        }
    }

    /// `25m 10s`
    pub fn eta_in_words(&self) -> String {
        self.eta.map_or_else(|| "–".to_owned(), time::short)
    }
}

impl Serialize for Pace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Pace", 5)?;
        fields.serialize_field("ended", &self.ended)?;
        fields.serialize_field("total", &self.total)?;
        fields.serialize_field("percent", &self.percent())?;
        let rounded = self.per_minute.map(|rate| (rate * 100.0).round() / 100.0);
        fields.serialize_field("per_minute", &rounded)?;
        fields.serialize_field("eta_s", &self.eta.map(|eta| eta.as_secs()))?;
        fields.end()
    }
}

/// So many end a minute of which `ended` did within `span`; `None`: they are too few to tell.
pub fn per_minute(ended: u64, span: Duration) -> Option<f64> {
    let is_known = ended >= ENDED_MIN && span >= SPAN_MIN;
    is_known.then(|| as_f64(ended) / span.as_secs_f64() * 60.0)
}

/// The time until `left` more have ended at that rate.
pub fn at_rate(left: u64, per_minute: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(as_f64(left) / per_minute * 60.0).ok()
}

/// Starts of which the pattern is looked at, at least: fewer tell of an accident.
const STARTS_MIN: usize = 8;

/// When jobs started lately, the oldest first: the call rate may keep them further apart than the workers do.
#[derive(Debug, Clone, Default)]
pub struct Starts(VecDeque<Duration>);

impl Starts {
    /// One more. `at_once`: so many are in flight at once.
    pub fn push(&mut self, at: Duration, at_once: u64) {
        self.0.push_back(at);
        let kept = usize::try_from(at_once).unwrap_or(usize::MAX);
        while self.0.len() > kept.saturating_add(STARTS_MIN) {
            self.0.pop_front();
        }
    }

    /// What was before says nothing of what comes: a pause is over, or other limits count.
    pub fn forget(&mut self) {
        self.0.clear();
    }

    /// When the last of `queued` jobs starts, if it goes on as it went lately; `None`: too little is known.
    ///
    /// Workers that are free at the same time start the next jobs in waves, so what repeats itself is not
    /// the time between two starts but that of whole rounds of all workers.
    pub fn last_of(&self, queued: u64, at_once: u64) -> Option<Duration> {
        let at_once = usize::try_from(at_once.max(1)).ok()?;
        let newest = self.0.len().checked_sub(1)?;
        let rounds = STARTS_MIN.div_ceil(at_once).min(newest / at_once);
        let period = Some(rounds * at_once).filter(|period| *period > 0)?;
        let took = self.0[newest].saturating_sub(self.0[newest - period]);
        let queued = usize::try_from(queued).ok()?;
        let periods = queued.div_ceil(period);
        // The one that will be repeated as the last of all.
        let alike = self.0[newest + queued - periods * period];
        Some(alike.saturating_add(took.saturating_mul(u32::try_from(periods).ok()?)))
    }
}

/// What is left of a batch.
#[derive(Debug, Clone, Default)]
pub struct Left {
    pub queued: u64,
    /// For how long each one in flight has been.
    pub in_flight: Vec<Duration>,
    /// So many are in flight at once, as far as that was seen.
    pub at_once: u64,
    /// The time until the last of the queued ones starts, by the pace of lately ([`Starts`]).
    pub last_starts: Option<Duration>,
}

impl Left {
    /// The time until everything has ended, if each takes the `mean` of those that have. `None`: it should
    /// have by now.
    pub fn until_ended(&self, mean: Duration) -> Option<Duration> {
        // When each worker is free.
        let ages = self.in_flight.iter();
        let mut free: Vec<Duration> = ages.map(|age| mean.saturating_sub(*age)).collect();
        let at_once = self.at_once.max(1);
        free.extend((free.len() as u64..at_once).map(|_| Duration::ZERO));
        free.sort_unstable();
        // The queued ones go round the workers; who is free first gets one of the last round.
        let workers = free.len() as u64;
        let last_round = usize::try_from(self.queued % workers).unwrap_or(0);
        let mut until = free.last().copied().unwrap_or_default();
        if let Some(last) = last_round.checked_sub(1).and_then(|last| free.get(last)) {
            until = until.max(*last + mean);
        }
        let rounds = u32::try_from(self.queued / workers).unwrap_or(u32::MAX);
        until = until.saturating_add(mean.saturating_mul(rounds));
        // A worker that is free does not start anything as long as the call rate keeps it from that.
        if let Some(last_starts) = self.last_starts.filter(|_| self.queued > 0) {
            until = until.max(last_starts.saturating_add(mean));
        }
        (!until.is_zero()).then_some(until)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is shown with two digits, and there are fewer jobs than 2⁵³"
)]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_too_little_is_known_nothing_is_told() {
        let s = Duration::from_secs;
        assert_eq!(per_minute(1, s(60)), None, "one is no rate");
        assert_eq!(per_minute(2, s(2)), None);
        assert_eq!(per_minute(2, s(120)), Some(1.0));
        assert_eq!(at_rate(30, 1.0), Some(s(1800)));
        let unknown = Pace {
            total: 12,
            ..Pace::default()
        };
        assert_eq!(unknown.rate_in_words(), "–/min");
        assert_eq!(unknown.eta_in_words(), "–");
        assert_eq!(
            serde_json::to_string(&unknown).unwrap(),
            r#"{"ended":0,"total":12,"percent":0,"per_minute":null,"eta_s":null}"#
        );
        assert_eq!(Pace::default().percent(), 0);
    }

    #[test]
    fn those_that_are_queued_go_round_the_workers() {
        let s = Duration::from_secs;
        let left = |queued, in_flight: &[u64], at_once| Left {
            queued,
            in_flight: in_flight.iter().map(|age| s(*age)).collect(),
            at_once,
            last_starts: None,
        };
        assert_eq!(left(5, &[0], 1).until_ended(s(10)), Some(s(60)));
        assert_eq!(left(0, &[5], 1).until_ended(s(10)), Some(s(5)));
        // Overdue: it could take any time.
        assert_eq!(left(0, &[10], 1).until_ended(s(10)), None);
        // The first of two is free after 2 s and takes the third.
        assert_eq!(left(1, &[8, 4], 2).until_ended(s(10)), Some(s(12)));
        assert_eq!(left(4, &[], 4).until_ended(s(10)), Some(s(10)));
    }
    fn starts(at_s: impl IntoIterator<Item = u64>, at_once: u64) -> Starts {
        let mut starts = Starts::default();
        for at in at_s {
            starts.push(Duration::from_secs(at), at_once);
        }
        starts
    }

    #[test]
    fn the_call_rate_keeps_free_workers_from_starting() {
        let s = Duration::from_secs;
        // One each three seconds, for ten seconds: four are in flight at most, and eight workers are free.
        let every_third = starts((0..20).map(|nth| nth * 3), 4);
        assert_eq!(every_third.last_of(100, 4), Some(s(57 + 300)));
        let left = Left {
            queued: 100,
            in_flight: vec![s(0), s(3), s(6), s(9)],
            at_once: 4,
            last_starts: Some(s(300)),
        };
        assert_eq!(left.until_ended(s(10)), Some(s(310)));
        // Nothing is left that could be kept from starting.
        let sent = Left { queued: 0, ..left };
        assert_eq!(sent.until_ended(s(10)), Some(s(10)));
    }

    #[test]
    fn waves_are_repeated_as_waves() {
        let s = Duration::from_secs;
        let wave = |from: u64| (0..4).map(move |nth| from + nth);
        let two = || wave(0).chain(wave(100));
        assert_eq!(starts(two(), 4).last_of(1, 4), Some(s(200)));
        assert_eq!(starts(two(), 4).last_of(4, 4), Some(s(203)));
        assert_eq!(starts(two(), 4).last_of(9, 4), Some(s(400)));
        // In the middle of a wave.
        let begun = starts(two().chain([200]), 4);
        assert_eq!(begun.last_of(3, 4), Some(s(203)));
        // Of the first wave nobody can tell when the next one comes.
        assert_eq!(starts(wave(0), 4).last_of(4, 4), None);
        assert_eq!(Starts::default().last_of(1, 1), None);
    }
}
