//! Lists, or pages of them, that go on showing one moment.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::time::parse_duration;

/// When a list becomes a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeAt {
    /// So long after the start.
    After(Duration),
    /// When a reading first shows an instance `rebuilding`.
    Rebuilding,
    /// When a reading first shows an image's name that was not there from the start.
    Renamed,
}

impl FreezeAt {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "rebuilding" => Some(Self::Rebuilding),
            "renamed" => Some(Self::Renamed),
            _ => parse_duration(text).ok().map(Self::After),
        }
    }
}

/// A list that goes on showing one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// Which moment.
    pub at: FreezeAt,
    /// Each page freezes by itself: at its own event; after the nth multiple of the time.
    pub by_page: bool,
    /// How long it lasts; `None`: for ever.
    pub thaw_after: Option<Duration>,
}

/// Which pages show which moment instead of now.
#[derive(Debug, Default)]
pub(super) struct Frozen(HashMap<usize, Instant>);

impl Frozen {
    /// The moment that page `number` shows at `now`, if it is frozen then. `event` says whether
    /// this reading of the page shows what the freeze waits for.
    pub(super) fn moment(
        &mut self,
        freeze: Freeze,
        number: usize,
        started: Instant,
        now: Instant,
        event: impl FnOnce(FreezeAt) -> bool,
    ) -> Option<Instant> {
        let page = if freeze.by_page { number } else { 0 };
        let begins = match freeze.at {
            FreezeAt::After(after) => {
                let pages = u32::try_from(page.max(1)).unwrap_or(u32::MAX);
                Some(started + after.saturating_mul(pages)).filter(|begins| *begins <= now)
            }
            FreezeAt::Rebuilding | FreezeAt::Renamed => {
                if !self.0.contains_key(&page) && event(freeze.at) {
                    self.0.insert(page, now);
                }
                self.0.get(&page).copied()
            }
        }?;
        let thaws = freeze.thaw_after.map(|thaw_after| begins + thaw_after);
        thaws.is_none_or(|thaws| now < thaws).then_some(begins)
    }
}
