//! What the list shows of an instance, at any moment of the past and of the planned future.

use std::sync::Arc;

use tokio::time::Instant;

/// Changes of the past that are kept, for lists that lag: beyond them the oldest one counts.
const CHANGES_MAX: usize = 64;

/// What the list shows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct View {
    pub(super) status: Arc<str>,
    pub(super) image: Arc<str>,
}

/// What the list shows, from which moment on. Never empty, ascending, may reach into the future.
#[derive(Debug)]
pub(super) struct Timeline(Vec<(Instant, View)>);

impl Timeline {
    pub(super) fn new(from: Instant, view: View) -> Self {
        Self(vec![(from, view)])
    }

    pub(super) fn at(&self, moment: Instant) -> &View {
        let later = self.0.partition_point(|(from, _)| *from <= moment);
        &self.0[later.saturating_sub(1)].1
    }

    /// Drops what was to come after `now`.
    pub(super) fn forget_future(&mut self, now: Instant) {
        self.0.retain(|(from, _)| *from <= now);
        let surplus = self.0.len().saturating_sub(CHANGES_MAX);
        self.0.drain(..surplus);
    }

    pub(super) fn push(&mut self, from: Instant, view: View) {
        debug_assert!(self.0.last().is_none_or(|(last, _)| *last <= from));
        self.0.push((from, view));
    }
}
