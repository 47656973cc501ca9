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
const COMPLETED_MIN: u64 = 2;

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

/// Starts of which the rate is taken, at least, and more than are in flight at once: fewer tell of a wave.
const STARTS_MIN: usize = 8;

/// Where starts take this share of the calls, calls are what is scarce.
const MOST_CALLS: f64 = 0.75;

/// When jobs started lately, the oldest first.
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

    /// What the call rate lets start; 0: it has no limit.
    pub fn calls(&self, rate_per_s: f64) -> Calls {
        let calls = Calls {
            starts_per_s: (rate_per_s > 0.0).then_some(rate_per_s),
            are_scarce: false,
        };
        let Some((first, last)) = self.0.front().zip(self.0.back()) else {
            return calls;
        };
        let later = self.0.len() - 1;
        let per_s = as_f64(later as u64) / last.saturating_sub(*first).as_secs_f64();
        let is_seen = later >= STARTS_MIN && per_s.is_finite();
        if is_seen
            && calls
                .starts_per_s
                .is_some_and(|rate| per_s >= rate * MOST_CALLS)
        {
            return Calls {
                starts_per_s: Some(per_s),
                are_scarce: true,
            };
        }
        calls
    }
}

/// What the call rate lets start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Calls {
    /// No more than that a second.
    starts_per_s: Option<f64>,
    /// They are what keeps jobs from starting, and what is back from being seen.
    are_scarce: bool,
}

/// Completions of which the duration counts: what has become slower is to be known for that.
const TOOK_MAX: usize = 1000;

/// How long the latest jobs of a kind took.
#[derive(Debug, Clone, Default)]
pub struct Took {
    latest: VecDeque<Duration>,
    sum: Duration,
}

impl Took {
    /// One more has completed.
    pub fn push(&mut self, took: Duration) {
        if self.latest.len() == TOOK_MAX
            && let Some(oldest) = self.latest.pop_front()
        {
            self.sum -= oldest;
        }
        self.latest.push_back(took);
        self.sum += took;
    }

    fn count(&self) -> u32 {
        u32::try_from(self.latest.len()).unwrap_or(u32::MAX)
    }

    /// For how long one of them is in flight: until it is seen to be back. `None`: too few were.
    fn mean(&self) -> Option<Duration> {
        let is_known = u64::from(self.count()) >= COMPLETED_MIN;
        is_known.then(|| self.sum / self.count())
    }

    /// What nine of ten exceeded.
    fn quickest(&self) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.latest.iter().copied().collect();
        let tenth = sorted.len().checked_sub(1)? / 10;
        let (_, tenth, _) = sorted.select_nth_unstable(tenth);
        Some(*tenth)
    }
}

impl FromIterator<Duration> for Took {
    /// The one that completed first comes first.
    fn from_iter<I: IntoIterator<Item = Duration>>(seen: I) -> Self {
        let mut took = Self::default();
        seen.into_iter().for_each(|one| took.push(one));
        took
    }
}

/// What is left of the jobs that take equally long: those of one image.
#[derive(Debug, Clone, Default)]
pub struct Kind {
    pub queued: u64,
    /// For how long each one in flight has been.
    pub in_flight: Vec<Duration>,
    /// What is known of those that have completed.
    pub took: Took,
}

/// What is left of a batch.
#[derive(Debug, Clone, Default)]
pub struct Left {
    pub kinds: Vec<Kind>,
    /// So many may be in flight at once.
    pub at_once: u64,
    /// What the call rate lets start ([`Starts::calls`]).
    pub calls: Calls,
}

/// What one job of a kind takes.
#[derive(Debug, Clone, Copy)]
struct Each {
    /// For so long it keeps a worker.
    slot: Duration,
    /// So long the last ones take: where calls are scarce others are seen late, and once nothing starts any
    /// more calls are not scarce.
    last: Duration,
}

/// Of this share of what is left nobody need know how long it takes.
const UNKNOWN_MAX: f64 = 0.1;

impl Left {
    /// The time until everything has ended, if each takes as long as others of its kind did. `None`: nobody can
    /// tell, or it should have by now.
    pub fn until_ended(&self) -> Option<Duration> {
        let each = self.each()?;
        let kinds = || self.kinds.iter().zip(&each);
        let mut until = Duration::ZERO;
        // When each worker is free.
        let mut free = Vec::new();
        for (kind, each) in kinds() {
            for age in &kind.in_flight {
                free.push(each.slot.saturating_sub(*age));
                until = until.max(each.last.saturating_sub(*age));
            }
        }
        let queued: u64 = self.kinds.iter().map(|kind| kind.queued).sum();
        if queued > 0 {
            free.extend((free.len() as u64..self.at_once.max(1)).map(|_| Duration::ZERO));
            free.sort_unstable();
            let all_s = kinds().map(|(kind, each)| as_f64(kind.queued) * each.slot.as_secs_f64());
            let mean = Duration::from_secs_f64(all_s.sum::<f64>() / as_f64(queued));
            let last_starts = self.last_starts(&free, queued, mean)?;
            for (kind, each) in kinds().filter(|(kind, _)| kind.queued > 0) {
                // A kind of which there are few has none among the last that start.
                let later = as_f64(queued) / as_f64(kind.queued) - 1.0;
                let before = last_starts.mul_f64((later / as_f64(queued)).min(1.0));
                until = until.max(last_starts.saturating_sub(before) + each.last);
            }
        }
        (!until.is_zero()).then_some(until)
    }

    /// When the last of those that are queued starts. `free`: when each worker is, in order.
    fn last_starts(&self, free: &[Duration], queued: u64, mean: Duration) -> Option<Duration> {
        // They go round the workers; who is free first gets one of the last round.
        let before_last = queued - 1;
        let workers = free.len() as u64;
        let last = free.get(usize::try_from(before_last % workers).ok()?)?;
        let rounds = u32::try_from(before_last / workers).unwrap_or(u32::MAX);
        let by_workers = last.saturating_add(mean.saturating_mul(rounds));
        // A worker that is free does not start anything as long as the call rate keeps it from that.
        let by_calls = match self.calls.starts_per_s {
            Some(per_s) => Duration::try_from_secs_f64(as_f64(queued) / per_s).ok()?,
            None => Duration::ZERO,
        };
        Some(by_workers.max(by_calls))
    }

    /// What one of each kind takes. Of a kind of which too few have completed, as long as the others; if some in
    /// flight have taken longer than that already, nobody can tell.
    fn each(&self) -> Option<Vec<Each>> {
        let (count, sum) = self
            .kinds
            .iter()
            .fold((0, Duration::ZERO), |(count, sum), kind| {
                (count + kind.took.count(), sum + kind.took.sum)
            });
        if u64::from(count) < COMPLETED_MIN {
            return None;
        }
        let others = sum / count;
        let (mut left, mut unknown) = (0, 0);
        let mut each = Vec::with_capacity(self.kinds.len());
        for kind in &self.kinds {
            let jobs = kind.queued + kind.in_flight.len() as u64;
            left += jobs;
            let slot = kind.took.mean();
            if slot.is_none() && kind.in_flight.iter().any(|age| *age > others) {
                unknown += jobs;
            }
            let slot = slot.unwrap_or(others);
            let quickest = kind.took.quickest().filter(|_| self.calls.are_scarce);
            let last = quickest.unwrap_or(slot);
            each.push(Each { slot, last });
        }
        (as_f64(unknown) <= as_f64(left) * UNKNOWN_MAX).then_some(each)
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

    fn took(took_s: &[u64]) -> Took {
        took_s
            .iter()
            .map(|took| Duration::from_secs(*took))
            .collect()
    }

    fn kind(queued: u64, ages_s: &[u64], took_s: &[u64]) -> Kind {
        Kind {
            queued,
            in_flight: ages_s.iter().map(|age| Duration::from_secs(*age)).collect(),
            took: took(took_s),
        }
    }

    fn left(at_once: u64, kinds: &[Kind]) -> Left {
        Left {
            kinds: kinds.to_vec(),
            at_once,
            calls: Calls::default(),
        }
    }

    #[test]
    fn those_that_are_queued_go_round_the_workers() {
        let s = Duration::from_secs;
        let left = |queued, ages_s: &[u64], at_once| {
            left(at_once, &[kind(queued, ages_s, &[9, 11])]).until_ended()
        };
        assert_eq!(left(5, &[0], 1), Some(s(60)));
        assert_eq!(left(0, &[5], 1), Some(s(5)));
        // Overdue: it could take any time.
        assert_eq!(left(0, &[10], 1), None);
        // The first of two is free after 2 s and takes the third.
        assert_eq!(left(1, &[8, 4], 2), Some(s(12)));
        assert_eq!(left(4, &[], 4), Some(s(10)));
    }

    #[test]
    fn each_takes_as_long_as_others_of_its_kind() {
        let s = Duration::from_secs;
        let (short, long) = (kind(10, &[], &[100; 2]), kind(10, &[], &[500; 2]));
        // Ten rounds of two workers, of 300 s each; the last one of the long ones starts a little earlier than
        // the last of all.
        let both = left(2, &[short.clone(), long.clone()]);
        assert_eq!(both.until_ended(), Some(s(2700 - 135 + 500)));
        // Of a kind that nobody has seen, one takes as long as the others.
        let unseen = |queued, ages_s: &[u64]| kind(queued, ages_s, &[]);
        let until = left(2, &[unseen(1, &[]), short.clone()]).until_ended();
        assert_eq!(until.map(|until| until.as_secs()), Some(595));
        // They have taken longer already: of many that says that nobody can tell, and of few nothing.
        assert_eq!(left(2, &[unseen(9, &[101]), short]).until_ended(), None);
        let one_of_many = left(2, &[unseen(0, &[501]), long]);
        assert_eq!(one_of_many.until_ended(), Some(s(2500)));
    }

    fn starts(at_s: impl IntoIterator<Item = u64>, at_once: u64) -> Starts {
        let mut starts = Starts::default();
        for at in at_s {
            starts.push(Duration::from_secs(at), at_once);
        }
        starts
    }

    #[test]
    fn calls_are_scarce_where_starts_take_most_of_them() {
        let scarce = |starts: &Starts, rate_per_s| {
            let calls = starts.calls(rate_per_s);
            (calls.are_scarce, calls.starts_per_s)
        };
        let every_third = starts((0..20).map(|nth| nth * 3), 4);
        assert_eq!(scarce(&every_third, 0.4), (true, Some(1.0 / 3.0)));
        // Workers are what is scarce, or there is no limit.
        assert_eq!(scarce(&every_third, 1.0), (false, Some(1.0)));
        assert_eq!(scarce(&every_third, 0.0), (false, None));
        // A wave of workers that are free at the same time says nothing.
        let wave = |from: u64| (0..4).map(move |nth| from + nth);
        let waves = wave(0).chain(wave(100)).chain(wave(200));
        for starts in [starts(waves, 4), starts(wave(0), 4), Starts::default()] {
            assert_eq!(scarce(&starts, 1.0), (false, Some(1.0)));
        }
    }

    #[test]
    fn the_call_rate_keeps_free_workers_from_starting() {
        let s = Duration::from_secs;
        // One each three seconds. Nine of ten were seen late, and of the last ones none is.
        let mut seen = [40; 20];
        seen[3..5].fill(10);
        let mut scarce = left(50, &[kind(100, &[0, 3, 6, 9], &seen)]);
        scarce.calls = Calls {
            starts_per_s: Some(1.0 / 3.0),
            are_scarce: true,
        };
        assert_eq!(scarce.until_ended(), Some(s(310)));
        // Nothing is left that could be kept from starting.
        scarce.kinds[0].queued = 0;
        assert_eq!(scarce.until_ended(), Some(s(10)));
    }

    #[test]
    fn the_latest_thousand_count() {
        let mut took: Took = vec![Duration::from_secs(1); TOOK_MAX].into_iter().collect();
        for _ in 0..TOOK_MAX {
            took.push(Duration::from_secs(3));
        }
        assert_eq!(took.mean(), Some(Duration::from_secs(3)));
        assert_eq!(took.count() as usize, TOOK_MAX);
    }
}
