//! When instances are expected back, and so which page of the account's list is worth a reading.
//!
//! How long the rebuilds of an image take is learned from those that were seen to end, in this run and
//! before it. Of a page it follows how long the instances on it have been back, all together, without
//! anybody knowing: as far as can be expected, and as long as nobody reads it. The page with the most
//! of that is read first: so least of it is left, and of the slots that wait for it.
//!
//! It decides no job's fate. An instance that is back earlier than all before it is noticed a little
//! late, once, and is what is expected from then on.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::job::ImageId;
use crate::run::Durations;
use crate::run::evidence::Rules;

/// Rebuilds that were seen to end before anything is concluded from them.
const SEEN_MIN: usize = 3;

/// So many of the latest ones count: who has become slower is to be known for that.
const SEEN_MAX: usize = 64;

/// For so many poll intervals a page rests at least on which nothing is expected yet.
const INTERVALS_MAX: u32 = 6;

/// How a job that is watched stands, as far as readings are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Accepted, and not yet seen at work. Who was seen at work needs one reading to be known to be
    /// back, and anybody else two.
    Unseen(Underway),
    /// Seen at work.
    Seen(Underway),
    /// Seen back; a reading that is requested from then on completes it.
    Back(Instant),
    /// In doubt: each reading may tell, and a long gap between two of them makes it blind.
    Doubt,
    /// Not yet ready to start.
    Busy,
    /// In a doubt that only another rebuild can end, which is read for its own sake.
    Patient,
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Underway {
    /// When it was sent.
    pub sent_at: Instant,
    /// The image; `None`: what gives none.
    pub image: Option<ImageId>,
}

/// When a page was read.
#[derive(Debug, Clone, Copy)]
pub struct PageRead {
    /// When the latest reading that brought something was requested.
    pub requested_at: Instant,
    /// When the latest one ended, whatever it brought.
    pub ended_at: Instant,
}

/// Why a page is to be read, and how much that is worth. Of several jobs on it, the sum.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Worth {
    /// Seconds for which instances on it have been back, all together, as far as is to be expected.
    pub back_s: f64,
    /// The longest of these.
    pub longest_back_s: f64,
    /// Seconds for which jobs on it have been due for a look, all together.
    pub due_s: f64,
    /// A job on it is due for a look.
    pub is_due: bool,
    /// What a reading would show is lost if it is put off: it is worth more than a submission.
    pub is_urgent: bool,
    /// When any of this may change.
    pub next_at: Option<Instant>,
}

/// How long rebuilds take, as far as it is known.
#[derive(Debug, Clone, Default)]
pub struct PollSchedule {
    of_image: HashMap<Option<ImageId>, Took>,
}

/// How long those of one image took.
#[derive(Debug, Clone, Default)]
struct Took {
    /// Between which two times each of the latest ones was back.
    seen: VecDeque<(Duration, Duration)>,
    /// What is expected from that, in seconds, the shortest first.
    sorted_s: Vec<f64>,
    /// The sum of all from that place to the end.
    sums_s: Vec<f64>,
}

impl Took {
    fn expect(&mut self, mut took_s: Vec<f64>) {
        took_s.sort_unstable_by(f64::total_cmp);
        let mut sum_s = 0.0;
        let from_the_end = took_s.iter().rev().map(|one_s| {
            sum_s += one_s;
            sum_s
        });
        self.sums_s = from_the_end.collect();
        self.sums_s.reverse();
        self.sorted_s = took_s;
    }

    /// The ends that were seen from close by say most; of the others it is only known that they lie
    /// somewhere between two readings.
    fn learn(&mut self, after: Duration, until: Duration) {
        if self.seen.len() == SEEN_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back((after, until));
        if self.seen.len() < SEEN_MIN {
            return;
        }
        let mut closest: Vec<_> = self.seen.iter().copied().collect();
        closest.sort_by_key(|(after, until)| until.saturating_sub(*after));
        closest.truncate(SEEN_MIN.max(closest.len() / 2));
        let middle = |(after, until): (Duration, Duration)| (after + until).as_secs_f64() / 2.0;
        self.expect(closest.into_iter().map(middle).collect());
    }

    /// Of an instance that was sent `age` ago and was not back yet when it was `known` old: for how many
    /// seconds it has been back, and when more is to be expected of it.
    fn back(&self, known: Duration, age: Duration, patience: Duration) -> (f64, Duration) {
        let (known_s, age_s) = (known.as_secs_f64(), age.as_secs_f64());
        let from = self.sorted_s.partition_point(|took_s| *took_s <= known_s);
        let Some(next_s) = self.sorted_s.get(from) else {
            // It takes longer than all others: the longer that goes on, the less there is to expect.
            let beyond_s = known_s - self.sorted_s.last().copied().unwrap_or_default();
            let next_s = known_s + patience.as_secs_f64().max(beyond_s / 2.0);
            return ((age_s - next_s).max(0.0), Duration::from_secs_f64(next_s));
        };
        let until = self.sorted_s.partition_point(|took_s| *took_s <= age_s);
        let sum_s = self.sums_s[from] - self.sums_s.get(until).copied().unwrap_or_default();
        let (back, left) = (few(until - from), few(self.sorted_s.len() - from));
        (
            (back * age_s - sum_s) / left,
            Duration::from_secs_f64(*next_s),
        )
    }

    fn shortest(&self) -> Option<Duration> {
        (self.sorted_s.first()).map(|took_s| Duration::from_secs_f64(*took_s))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a few dozen at most")]
fn few(count: usize) -> f64 {
    count as f64
}

impl PollSchedule {
    /// Earlier rebuilds took so long.
    pub fn new(durations: &Durations) -> Self {
        let of_image = durations.latest(SEEN_MAX).filter_map(|(image, took)| {
            let took_s: Vec<f64> = took.map(|took| took.as_secs_f64()).collect();
            let mut of_image = Took::default();
            (took_s.len() >= SEEN_MIN).then(|| {
                of_image.expect(took_s);
                (image, of_image)
            })
        });
        Self {
            of_image: of_image.collect(),
        }
    }

    /// A rebuild was seen at work until so long after it had been sent, and back when it was `until` old.
    pub fn learn(&mut self, image: Option<ImageId>, after: Duration, until: Duration) {
        let of_image = self.of_image.entry(image).or_default();
        of_image.learn(after.min(until), until);
    }

    /// What a reading of its page is worth for a job at `stage`; `read`: the latest one.
    pub fn worth(&self, stage: Stage, read: PageRead, rules: &Rules, now: Instant) -> Worth {
        let beat = rules.poll_interval;
        let next = read.ended_at + beat;
        match stage {
            Stage::Patient => Worth::due(read.ended_at + beat * INTERVALS_MAX, now),
            Stage::Busy => Worth::due(next, now),
            Stage::Doubt => Worth {
                is_urgent: now >= next.max(read.requested_at + rules.settle / 2),
                ..Worth::due(next, now)
            },
            Stage::Back(from) => {
                let back_s = now.saturating_duration_since(from).as_secs_f64();
                Worth::back(back_s.min(since_s(read, now)), from)
            }
            Stage::Unseen(underway) => {
                let Some(took) = self.known(underway) else {
                    return Worth {
                        is_urgent: now >= next.max(underway.sent_at + rules.settle * 3 / 4),
                        ..Worth::due(next, now)
                    };
                };
                let shortest = took.shortest().unwrap_or_default();
                // In good time before it may be back.
                let look_at = underway.sent_at + (shortest / 2).min(rules.settle / 3);
                let lost_at = underway.sent_at + shortest.mul_f64(0.85).min(rules.settle);
                let look = Worth {
                    is_urgent: now >= next.max(lost_at),
                    ..Worth::due(next.max(look_at), now)
                };
                look.and(returns(took, underway, read, rules, now))
            }
            Stage::Seen(underway) => match self.known(underway) {
                Some(took) => {
                    let rests = (took.shortest().unwrap_or_default() / 2).max(beat * INTERVALS_MAX);
                    let look = Worth::due(read.ended_at + rests, now);
                    look.and(returns(took, underway, read, rules, now))
                }
                None => Worth::due(next, now),
            },
        }
    }

    fn known(&self, underway: Underway) -> Option<&Took> {
        let took = self.of_image.get(&underway.image)?;
        (!took.sorted_s.is_empty()).then_some(took)
    }
}

/// Seconds since somebody last tried to read the page: who could not has to wait for its turn again.
fn since_s(read: PageRead, now: Instant) -> f64 {
    now.saturating_duration_since(read.ended_at).as_secs_f64()
}

/// How long an instance that was seen at work may have been back.
fn returns(took: &Took, underway: Underway, read: PageRead, rules: &Rules, now: Instant) -> Worth {
    let known = read
        .requested_at
        .saturating_duration_since(underway.sent_at);
    let age = now.saturating_duration_since(underway.sent_at);
    let (back_s, next) = took.back(known, age, rules.poll_interval);
    Worth::back(back_s.min(since_s(read, now)), underway.sent_at + next)
}

impl Worth {
    fn due(at: Instant, now: Instant) -> Self {
        Self {
            due_s: now.saturating_duration_since(at).as_secs_f64(),
            is_due: at <= now,
            next_at: Some(at),
            ..Self::default()
        }
    }

    fn back(back_s: f64, next_at: Instant) -> Self {
        Self {
            back_s,
            longest_back_s: back_s,
            next_at: Some(next_at),
            ..Self::default()
        }
    }

    /// How much that is, to compare pages by.
    pub fn sum_s(&self) -> f64 {
        self.back_s + self.due_s
    }

    /// What both of two jobs on a page make it worth.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            back_s: self.back_s + other.back_s,
            longest_back_s: self.longest_back_s.max(other.longest_back_s),
            due_s: self.due_s + other.due_s,
            is_due: self.is_due || other.is_due,
            is_urgent: self.is_urgent || other.is_urgent,
            next_at: match (self.next_at, other.next_at) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: Rules = Rules {
        settle: Duration::from_mins(5),
        poll_interval: Duration::from_secs(10),
        unseen_after: Duration::from_mins(10),
        rebuild_timeout: Duration::from_hours(1),
        silence_counts: true,
        hooks: false,
        retries: 5,
        request_timeout: Duration::from_mins(1),
    };

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Who was seen back after so many seconds, not longer than two after the reading before.
    fn learned(took_s: &[u64]) -> PollSchedule {
        let mut poll_schedule = PollSchedule::default();
        for &took_s in took_s {
            poll_schedule.learn(None, s(took_s.saturating_sub(1)), s(took_s + 1));
        }
        poll_schedule
    }

    /// What a reading is worth `now_s` after the job was sent, if the latest one was after `read_s`.
    fn worth(poll_schedule: &PollSchedule, seen: bool, read_s: u64, now_s: u64) -> Worth {
        let sent_at = Instant::now();
        let underway = Underway {
            sent_at,
            image: None,
        };
        let stage = if seen {
            Stage::Seen(underway)
        } else {
            Stage::Unseen(underway)
        };
        let read = PageRead {
            requested_at: sent_at + s(read_s),
            ended_at: sent_at + s(read_s),
        };
        poll_schedule.worth(stage, read, &RULES, sent_at + s(now_s))
    }

    #[test]
    fn before_enough_is_known_each_interval_has_its_look() {
        for few in [&[][..], &[300, 300]] {
            let poll_schedule = learned(few);
            assert!(!worth(&poll_schedule, true, 100, 109).is_due);
            assert!(worth(&poll_schedule, true, 100, 110).is_due);
            assert!(worth(&poll_schedule, false, 100, 110).is_due);
        }
    }

    #[test]
    fn an_instance_is_worth_as_much_as_it_may_have_been_back() {
        let poll_schedule = learned(&[290, 300, 310]);
        let back_s = |read_s, now_s| worth(&poll_schedule, true, read_s, now_s).back_s;
        assert!(back_s(200, 289) < 0.001);
        assert!((back_s(200, 310) - 10.0).abs() < 0.001, "(20 + 10 + 0) / 3");
        assert!(
            (back_s(295, 310) - 5.0).abs() < 0.001,
            "of two that are left: (10 + 0) / 2"
        );
        let next_at = worth(&poll_schedule, true, 200, 250).next_at;
        assert!(next_at.is_some());
    }

    #[test]
    fn who_takes_longer_than_all_others_is_looked_for_less_and_less_often() {
        let poll_schedule = learned(&[300; 5]);
        let back_s = |read_s, now_s| worth(&poll_schedule, true, read_s, now_s).back_s;
        assert!(back_s(301, 320) > 8.0);
        assert!(back_s(1000, 1019) < 0.001);
        assert!(back_s(1000, 1400) > 40.0);
    }

    #[test]
    fn ends_that_were_seen_from_close_by_count_for_more() {
        let mut poll_schedule = learned(&[300, 301, 302]);
        for _ in 0..3 {
            poll_schedule.learn(None, s(10), s(310));
        }
        let back_s = worth(&poll_schedule, true, 100, 290).back_s;
        assert!(back_s < 0.001, "{back_s}");
    }

    #[test]
    fn what_was_learned_in_earlier_runs_counts_until_this_one_knows_better() {
        let mut durations = Durations::default();
        durations.extend([(None, s(100)); 4]);
        let mut poll_schedule = PollSchedule::new(&durations);
        assert!(worth(&poll_schedule, true, 50, 120).back_s > 19.0);
        for _ in 0..SEEN_MIN {
            poll_schedule.learn(None, s(299), s(301));
        }
        assert!(worth(&poll_schedule, true, 50, 120).back_s < 0.001);
    }

    #[test]
    fn who_may_be_back_before_anybody_has_seen_it_at_work_is_urgent() {
        let poll_schedule = learned(&[300; 5]);
        assert!(!worth(&poll_schedule, false, 0, 99).is_due);
        assert!(worth(&poll_schedule, false, 0, 100).is_due);
        assert!(!worth(&poll_schedule, false, 0, 254).is_urgent);
        assert!(worth(&poll_schedule, false, 0, 256).is_urgent);
        assert!(!worth(&poll_schedule, true, 0, 256).is_urgent);
    }

    proptest! {
        /// Whatever was learned: what is only due for a look is due no earlier than an interval after the last
        /// one, a doubt at each interval, and the longer nobody looks, the more it is worth.
        #[test]
        fn a_rest_is_bounded_and_worth_only_grows(
            took_s in prop::collection::vec(1..2000u64, 0..12),
            seen in any::<bool>(), read_s in 0..3000u64, rest_s in 0..3000u64, more_s in 0..3000u64,
        ) {
            let poll_schedule = learned(&took_s);
            let early = worth(&poll_schedule, seen, read_s, read_s + rest_s);
            let late = worth(&poll_schedule, seen, read_s, read_s + rest_s + more_s);
            prop_assert!(!(early.is_due || early.is_urgent) || rest_s >= 10);
            prop_assert!(late.back_s + 0.001 >= early.back_s && early.back_s >= -0.001);
            prop_assert!(late.due_s >= early.due_s);
            prop_assert!(late.is_due || !early.is_due);
            prop_assert!(late.is_urgent || !early.is_urgent);
            let sent_at = Instant::now();
            let read = PageRead { requested_at: sent_at, ended_at: sent_at };
            let doubt = poll_schedule.worth(Stage::Doubt, read, &RULES, sent_at + s(rest_s));
            prop_assert_eq!(doubt.is_due, rest_s >= 10);
            prop_assert_eq!(doubt.is_urgent, rest_s >= 150);
        }
    }
}
