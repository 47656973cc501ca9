//! An outage is the run's, not the jobs': when nothing gets through any more, the run pauses and
//! probes with one call at a time.

use std::time::{Duration, Instant};

use super::Halt;

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

    /// How long it lasts counts from now on.
    pub fn restart(&mut self, now: Instant) {
        self.since = self.since.map(|_| now);
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

/// How long the API has done nothing but ask for patience (429, 503 with `Retry-After`). These are
/// answers and so no outage, and yet nothing comes of them.
#[derive(Debug, Clone, Default)]
pub struct SlowDowns {
    /// Since the last answer of another kind to any call.
    calls: Streak,
    /// Since the last answer of another kind to a submission: readings may succeed meanwhile.
    submissions: Streak,
}

#[derive(Debug, Clone, Copy, Default)]
struct Streak {
    since: Option<Instant>,
    count: u32,
}

impl Streak {
    fn asked(&mut self, now: Instant) {
        self.since.get_or_insert(now);
        self.count = self.count.saturating_add(1);
    }

    fn restart(&mut self, now: Instant) {
        self.since = self.since.map(|_| now);
    }

    /// How long it lasts, if that is longer than `timeout`. One such answer, and then nothing to be
    /// asked for a while, says little; a pause that goes on does.
    fn over_limit(&self, timeout: Duration, is_paused: bool, now: Instant) -> Option<Duration> {
        let lasts = now.saturating_duration_since(self.since?);
        let is_certain = is_paused || self.count >= FAILURES_MIN;
        (is_certain && lasts >= timeout).then_some(lasts)
    }
}

impl SlowDowns {
    /// A call was asked to slow down. Returns how many were in a row.
    pub fn asked(&mut self, is_submission: bool, now: Instant) -> u32 {
        self.calls.asked(now);
        if is_submission {
            self.submissions.asked(now);
            self.submissions.count.max(self.calls.count)
        } else {
            self.calls.count
        }
    }

    /// How long it lasts counts from now on.
    pub fn restart(&mut self, now: Instant) {
        self.calls.restart(now);
        self.submissions.restart(now);
    }

    /// A call was answered otherwise.
    pub fn answered(&mut self) {
        self.calls = Streak::default();
    }

    /// A submission was answered otherwise.
    pub fn submission_answered(&mut self) {
        self.submissions = Streak::default();
    }

    /// Why the run cannot go on, if it lasts longer than `timeout`. `is_paused`: no call may be made
    /// now, because the API has asked for it.
    pub fn over_limit(&self, timeout: Duration, is_paused: bool, now: Instant) -> Option<Halt> {
        let all = self.calls.over_limit(timeout, is_paused, now);
        let submissions = || self.submissions.over_limit(timeout, is_paused, now);
        let only_submissions = all.is_none();
        all.or_else(submissions).map(|lasted| Halt::SlowedDown {
            lasted,
            only_submissions,
        })
    }

    /// When it may last longer than `timeout`.
    pub fn limit_at(&self, timeout: Duration) -> Option<Instant> {
        let limits = [self.calls.since, self.submissions.since];
        limits
            .into_iter()
            .flatten()
            .min()
            .map(|since| since + timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Field case D1.
    #[test]
    fn readings_that_succeed_do_not_hide_that_no_submission_is_taken() {
        let start = Instant::now();
        let minute = Duration::from_mins(1);
        let mut slow_downs = SlowDowns::default();
        for nth in 0..4 {
            assert_eq!(slow_downs.asked(true, start + minute * nth), nth + 1);
            slow_downs.answered();
        }
        let over = |slow_downs: &SlowDowns, minutes| {
            slow_downs.over_limit(5 * minute, false, start + minute * minutes)
        };
        assert_eq!(over(&slow_downs, 4), None);
        let halt = Halt::SlowedDown {
            lasted: 5 * minute,
            only_submissions: true,
        };
        assert_eq!(over(&slow_downs, 5), Some(halt));
        slow_downs.submission_answered();
        assert_eq!(over(&slow_downs, 50), None);
    }

    // Field case D1.
    #[test]
    fn one_request_to_slow_down_followed_by_silence_is_no_outage() {
        let start = Instant::now();
        let minute = Duration::from_mins(1);
        let mut slow_downs = SlowDowns::default();
        slow_downs.asked(false, start);
        let later = start + 6 * minute;
        assert_eq!(slow_downs.over_limit(5 * minute, false, later), None);
        assert!(slow_downs.over_limit(5 * minute, true, later).is_some());
    }

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
