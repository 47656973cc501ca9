//! How long rebuilds took, by image.

use std::collections::HashMap;

use serde::Serialize;

use super::slowest::Slow;
use crate::job::{ImageId, ResultRow, State};
use crate::time::{quantile, whole_ms};

/// How long so many of them took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Took {
    /// How many were seen to complete. The others are in none of the numbers below.
    pub seen: u64,
    pub median_ms: Option<u64>,
    pub p95_ms: Option<u64>,
    pub slowest_ms: Option<u64>,
}

impl Took {
    /// Of `took_ms`, in any order.
    pub fn of(mut took_ms: Vec<u32>) -> Self {
        took_ms.sort_unstable();
        let of_hundred = |percent| quantile(&took_ms, percent).map(u64::from);
        Self {
            seen: took_ms.len() as u64,
            median_ms: of_hundred(50),
            p95_ms: of_hundred(95),
            slowest_ms: of_hundred(100),
        }
    }
}

/// What a duration is kept as: 49 days are enough, and a million of them are many.
pub fn kept_ms(row: &ResultRow) -> Option<u32> {
    let ms = whole_ms(row.took()?);
    Some(u32::try_from(ms).unwrap_or(u32::MAX))
}

/// The jobs that order an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfImage {
    pub image: Option<ImageId>,
    pub image_name: Option<String>,
    pub jobs: u64,
    /// Of those: the failed ones.
    pub failed: u64,
    #[serde(flatten)]
    pub took: Took,
    pub slowest: Option<Slow>,
}

#[derive(Debug, Default)]
pub struct Durations {
    of_image: HashMap<Option<ImageId>, Gathered>,
}

#[derive(Debug, Default)]
struct Gathered {
    name: Option<String>,
    jobs: u64,
    failed: u64,
    took_ms: Vec<u32>,
    slowest: Option<Slow>,
}

impl Durations {
    pub fn row(&mut self, row: &ResultRow) {
        let of_image = self.of_image.entry(row.image).or_default();
        of_image.jobs += 1;
        of_image.failed += u64::from(row.state == State::Failed);
        if of_image.name.is_none() {
            of_image.name.clone_from(&row.image_name);
        }
        let Some(ms) = kept_ms(row) else { return };
        of_image.took_ms.push(ms);
        let longest = of_image.slowest.as_ref().map(|slow| slow.took_ms);
        if longest.is_none_or(|longest| u64::from(ms) > longest) {
            of_image.slowest = Slow::of(row);
        }
    }

    /// All of them together, and those of each image, the one that usually takes longest first.
    pub fn finish(self) -> (Took, Vec<OfImage>) {
        let all = self.of_image.values().flat_map(|of| of.took_ms.iter());
        let all = Took::of(all.copied().collect());
        let images = self.of_image.into_iter().map(|(image, of)| OfImage {
            image,
            image_name: of.name,
            jobs: of.jobs,
            failed: of.failed,
            took: Took::of(of.took_ms),
            slowest: of.slowest,
        });
        let mut images: Vec<OfImage> = images.collect();
        images.sort_by_key(|of| (std::cmp::Reverse(of.took.median_ms), of.image));
        (all, images)
    }
}
