//! When jobs were submitted and completed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::job::{Happened, ResultRow, State};
use crate::time::Stamp;

/// So many stretches of time at most.
const BUCKETS_MAX: i64 = 120;
const SECOND_MS: i64 = 1000;
const DAY_MS: i64 = 86_400 * SECOND_MS;
/// How long a stretch may be. Each is a multiple of the one before it, so that stretches can be joined.
const WIDTHS_S: [i64; 13] = [
    1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400,
];

/// How many jobs were submitted and ended in each stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Timeline {
    /// When the first stretch begins; `None`: nothing has happened.
    pub from: Option<Stamp>,
    pub bucket_ms: u64,
    pub submitted: Vec<u64>,
    pub done: Vec<u64>,
    pub failed: Vec<u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    submitted: u64,
    done: u64,
    failed: u64,
}

impl Bucket {
    fn add(&mut self, other: Self) {
        self.submitted += other.submitted;
        self.done += other.done;
        self.failed += other.failed;
    }
}

/// A timeline whose stretches grow while rows go by.
#[derive(Debug)]
pub struct Buckets {
    width_ms: i64,
    /// By their number since 1970.
    buckets: BTreeMap<i64, Bucket>,
}

impl Default for Buckets {
    fn default() -> Self {
        Self {
            width_ms: SECOND_MS,
            buckets: BTreeMap::new(),
        }
    }
}

impl Buckets {
    pub fn row(&mut self, row: &ResultRow) {
        if let Some(submitted_ms) = row.submitted_ms {
            self.happened(Happened::Submitted, submitted_ms);
        }
        // An operator's word days later is no part of the night.
        if row.by_word {
            return;
        }
        let Some(completed_ms) = row.completed_ms else {
            return;
        };
        match row.state {
            State::Done => self.happened(Happened::Done, completed_ms),
            State::Failed => self.happened(Happened::Failed, completed_ms),
            State::Queued
            | State::Submitting
            | State::InProgress
            | State::InDoubt
            | State::Cancelled => {}
        }
    }

    pub fn happened(&mut self, what: Happened, at_ms: i64) {
        let mut bucket = Bucket::default();
        match what {
            Happened::Submitted => bucket.submitted = 1,
            Happened::Done => bucket.done = 1,
            Happened::Failed => bucket.failed = 1,
        }
        self.add(at_ms, bucket);
    }

    fn add(&mut self, at_ms: i64, bucket: Bucket) {
        let place = at_ms.div_euclid(self.width_ms);
        self.buckets.entry(place).or_default().add(bucket);
        while self.length() > BUCKETS_MAX {
            self.widen();
        }
    }

    /// Stretches from the first to the last.
    fn length(&self) -> i64 {
        let first = self.buckets.first_key_value();
        let ends = first.zip(self.buckets.last_key_value());
        ends.map_or(0, |((first, _), (last, _))| last - first + 1)
    }

    fn widen(&mut self) {
        let wider = WIDTHS_S.map(|width| width * SECOND_MS).into_iter();
        let wider = wider.filter(|width| *width > self.width_ms).min();
        let wider_ms = wider.unwrap_or(self.width_ms * 2);
        let factor = wider_ms / self.width_ms;
        self.width_ms = wider_ms;
        for (place, bucket) in std::mem::take(&mut self.buckets) {
            let place = place.div_euclid(factor);
            self.buckets.entry(place).or_default().add(bucket);
        }
    }

    pub fn finish(self) -> Timeline {
        let Some((first, _)) = self.buckets.first_key_value() else {
            return Timeline::default();
        };
        let places = *first..*first + self.length();
        let buckets = places.map(|place| self.buckets.get(&place).copied().unwrap_or_default());
        let buckets: Vec<Bucket> = buckets.collect();
        Timeline {
            from: Some(Stamp(first.saturating_mul(self.width_ms))),
            bucket_ms: self.width_ms.unsigned_abs(),
            submitted: buckets.iter().map(|bucket| bucket.submitted).collect(),
            done: buckets.iter().map(|bucket| bucket.done).collect(),
            failed: buckets.iter().map(|bucket| bucket.failed).collect(),
        }
    }
}

const _: () = assert!(WIDTHS_S[WIDTHS_S.len() - 1] * SECOND_MS == DAY_MS);

#[cfg(test)]
mod tests {
    use super::*;

    fn done() -> Bucket {
        Bucket {
            done: 1,
            ..Bucket::default()
        }
    }

    #[test]
    fn stretches_grow_until_they_are_few_and_lose_nothing() {
        for span_s in [0, 1, 119, 120, 7000, 40_000, 5_000_000] {
            let mut buckets = Buckets::default();
            for step in (0..1000).rev() {
                buckets.add(1_795_399_200_000 + span_s * step, done());
            }
            let timeline = buckets.finish();
            assert!(timeline.done.len() <= 120, "{span_s}");
            assert_eq!(timeline.done.iter().sum::<u64>(), 1000, "{span_s}");
            let from_ms = timeline.from.unwrap().0;
            assert!(from_ms <= 1_795_399_200_000, "{span_s}");
            assert!(from_ms + i64::try_from(timeline.bucket_ms).unwrap() > 1_795_399_200_000);
        }
    }

    #[test]
    fn each_width_can_be_joined_to_the_next() {
        for pair in WIDTHS_S.windows(2) {
            assert_eq!(pair[1] % pair[0], 0, "{pair:?}");
        }
    }

    #[test]
    fn dates_of_a_broken_clock_end() {
        let mut buckets = Buckets::default();
        for at_ms in [i64::MIN, -1, i64::MAX] {
            buckets.add(at_ms / 4, done());
        }
        let timeline = buckets.finish();
        assert_eq!(timeline.done.iter().sum::<u64>(), 3);
    }
}
