//! An outage is the run's, not the jobs': when nothing gets through any more, the run pauses and
//! probes with one call at a time.

use std::time::{Duration, Instant};

/// Failures in a row, without any answer between them, that make an outage. One lost connection
/// among many is none.
const FAILURES_MIN: u32 = 3;

/// What the calls of a run say about the way to the API.
#[derive(Debug, Clone, Default)]
pub struct Outage {
    /// Since when nothing got through.
    since: Option<Instant>,
    failures: u32,
}

impl Outage {
    /// A call was answered, whatever the answer was.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// A call did not get through.
    pub fn failed(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
    }

    /// Starts are suspended, and one call at a time asks whether it is over.
    pub fn is_on(&self) -> bool {
        self.failures >= FAILURES_MIN
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// How long nothing got through.
    pub fn lasts(&self, now: Instant) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    /// It lasts longer than `timeout`. A failure or two, and then nothing to be asked for a while,
    /// is none.
    pub fn is_over_limit(&self, timeout: Duration, now: Instant) -> bool {
        self.is_on() && self.lasts(now) >= timeout
    }

    /// When it will last longer than `timeout`.
    pub fn limit_at(&self, timeout: Duration) -> Option<Instant> {
        self.since
            .filter(|_| self.is_on())
            .map(|since| since + timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_answer_ends_it_and_single_failures_make_none() {
        let start = Instant::now();
        let mut outage = Outage::default();
        outage.failed(start);
        outage.failed(start + Duration::from_secs(1));
        assert!(!outage.is_on());
        outage.failed(start + Duration::from_secs(2));
        assert!(outage.is_on());
        assert_eq!(
            outage.lasts(start + Duration::from_secs(5)),
            Duration::from_secs(5)
        );
        assert!(outage.is_over_limit(Duration::from_secs(5), start + Duration::from_secs(5)));
        outage.answered();
        assert!(!outage.is_on());
        assert!(!outage.is_over_limit(Duration::ZERO, start));
    }
}
