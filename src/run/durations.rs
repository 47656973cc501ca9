//! How long rebuilds take, learned from those that were seen to complete.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::job::ImageId;
use crate::time;

/// Fewer say nothing.
const SEEN_MIN: usize = 5;

/// So many of the latest ones count: an image that has become slower is to be known for that.
pub const SEEN_MAX: usize = 1000;

/// How long it took to rebuild with each image, of earlier runs and of this one. What gives no image is
/// under `None`: a batch has one action.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    of_image: HashMap<Option<ImageId>, Seen>,
}

#[derive(Debug, Clone, Default)]
struct Seen {
    /// In the order in which they completed.
    latest: VecDeque<Duration>,
    /// The same, the shortest first.
    sorted: Vec<Duration>,
}

impl Durations {
    /// One more has completed.
    pub fn learn(&mut self, image: Option<ImageId>, took: Duration) {
        let Seen { latest, sorted } = self.of_image.entry(image).or_default();
        if latest.len() == SEEN_MAX
            && let Some(oldest) = latest.pop_front()
        {
            sorted.remove(sorted.partition_point(|known| *known < oldest));
        }
        latest.push_back(took);
        sorted.insert(sorted.partition_point(|known| *known < took), took);
    }

    /// Of each image, how long the latest ones took: so many of them at most.
    pub fn latest(
        &self,
        max: usize,
    ) -> impl Iterator<Item = (Option<ImageId>, impl Iterator<Item = Duration>)> {
        let images = self.of_image.iter();
        images.map(move |(image, seen)| (*image, seen.latest.iter().rev().take(max).copied()))
    }

    /// What nineteen of twenty did not exceed; `None`: too few were seen.
    pub fn p95(&self, image: Option<ImageId>) -> Option<Duration> {
        self.quantile(image, 95).filter(|_| {
            let seen = self.of_image.get(&image);
            seen.is_some_and(|seen| seen.latest.len() >= SEEN_MIN)
        })
    }

    /// What half of them did not exceed; `None`: none was seen.
    pub fn median(&self, image: Option<ImageId>) -> Option<Duration> {
        self.quantile(image, 50)
    }

    /// What half of those of the image that is seen most did not exceed; `None`: none was seen.
    pub fn usual(&self) -> Option<Duration> {
        let seen = self.of_image.values();
        let most = seen.max_by_key(|seen| (seen.latest.len(), seen.sorted.last().copied()))?;
        time::quantile(&most.sorted, 50)
    }

    fn quantile(&self, image: Option<ImageId>, percent: usize) -> Option<Duration> {
        time::quantile(&self.of_image.get(&image)?.sorted, percent)
    }
}

impl Extend<(Option<ImageId>, Duration)> for Durations {
    /// Of each image, the one that completed first comes first.
    fn extend<I: IntoIterator<Item = (Option<ImageId>, Duration)>>(&mut self, seen: I) {
        for (image, took) in seen {
            self.learn(image, took);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn image(last: char) -> ImageId {
        let text = format!("18d0ee2e-4d57-4f40-9b56-03c1773b583{last}");
        text.parse().unwrap()
    }

    #[test]
    fn four_rebuilds_say_nothing_and_five_do_of_their_image_alone() {
        let mut durations = Durations::default();
        let minutes = Duration::from_mins;
        let [one, other] = ['1', '2'].map(|last| Some(image(last)));
        durations.extend((1..=4).map(|nth| (one, minutes(nth))));
        assert_eq!(durations.p95(one), None);
        assert_eq!(durations.median(one), Some(minutes(2)));
        durations.learn(one, minutes(3));
        assert_eq!(durations.p95(one), Some(minutes(4)));
        assert_eq!(durations.p95(other), None);
        assert_eq!(durations.median(other), None);
        durations.extend((1..=20).map(|nth| (None, minutes(nth))));
        assert_eq!(durations.p95(None), Some(minutes(19)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_latest_thousand_count(seen in prop::collection::vec(0..50u64, 1..2500)) {
            let mut durations = Durations::default();
            durations.extend(seen.iter().map(|took| (None, Duration::from_secs(*took))));
            let mut latest = seen[seen.len().saturating_sub(1000)..].to_vec();
            latest.sort_unstable();
            let longer = |than: u64| latest.iter().filter(|took| **took > than).count() * 20;
            if let Some(p95) = durations.p95(None) {
                prop_assert!(longer(p95.as_secs()) <= latest.len());
                prop_assert!(p95.is_zero() || longer(p95.as_secs() - 1) > latest.len());
            } else {
                prop_assert!(seen.len() < 5);
            }
        }
    }
}
