//! How fast jobs end, and when the last one will have ended.

use std::time::Duration;

use crate::pace::{self, RATE_WINDOW};

const BUCKETS: usize = 60;
const BUCKET_S: u64 = RATE_WINDOW.as_secs() / BUCKETS as u64;

/// Completions of this run over the last [`RATE_WINDOW`]; time counts from the start of the display.
#[derive(Debug)]
pub struct Rate {
    buckets: [u64; BUCKETS],
    newest: u64,
    began: Option<Duration>,
}

impl Rate {
    pub fn new() -> Self {
        Self {
            buckets: [0; BUCKETS],
            newest: 0,
            began: None,
        }
    }

    /// Work began: the first call counts. Logging in and reading the list are no work.
    pub fn begin(&mut self, now: Duration) {
        self.began.get_or_insert(now);
    }

    /// A job ended.
    pub fn completed(&mut self, now: Duration) {
        self.begin(now);
        self.advance(now);
        *self.bucket(self.newest) += 1;
    }

    /// Completions a minute; `None` while there are too few to tell.
    pub fn per_minute(&mut self, now: Duration) -> Option<f64> {
        self.advance(now);
        let oldest = Duration::from_secs(self.newest.saturating_sub(BUCKETS as u64 - 1) * BUCKET_S);
        let span = now.saturating_sub(self.began?.max(oldest));
        let completions: u64 = self.buckets.iter().sum();
        pace::per_minute(completions, span)
    }

    /// The time until `remaining` more jobs have ended.
    pub fn eta(&mut self, remaining: u64, now: Duration) -> Option<Duration> {
        pace::at_rate(remaining, self.per_minute(now)?)
    }

    fn advance(&mut self, now: Duration) {
        let current = now.as_secs() / BUCKET_S;
        let stale = current.saturating_sub(self.newest).min(BUCKETS as u64);
        for back in 0..stale {
            *self.bucket(current - back) = 0;
        }
        self.newest = self.newest.max(current);
    }

    fn bucket(&mut self, number: u64) -> &mut u64 {
        let index = usize::try_from(number % BUCKETS as u64).expect("a remainder of 60 fits");
        &mut self.buckets[index]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn nothing_is_known_before_jobs_have_ended() {
        let mut rate = Rate::new();
        rate.begin(s(1));
        assert_eq!(rate.per_minute(s(60)), None);
        rate.completed(s(61));
        assert_eq!(rate.per_minute(s(62)), None, "one is no rate");
        rate.completed(s(121));
        assert_eq!(rate.per_minute(s(121)), Some(1.0));
        assert_eq!(rate.eta(30, s(121)), Some(s(1800)));
    }

    #[test]
    fn time_before_the_first_step_does_not_count() {
        let mut rate = Rate::new();
        rate.begin(s(1200));
        rate.begin(s(1210));
        for second in 1201..=1260 {
            rate.completed(s(second));
        }
        assert_eq!(rate.per_minute(s(1260)), Some(60.0));
    }

    #[test]
    fn a_steady_pace_is_shown_as_it_is_after_hours() {
        let mut rate = Rate::new();
        rate.begin(s(0));
        for minute in 1..=600 {
            rate.completed(s(minute * 60));
            rate.completed(s(minute * 60));
        }
        let shown = rate.per_minute(s(36_000)).unwrap();
        assert!((1.9..2.3).contains(&shown), "{shown}");
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut rate = Rate::new();
        for _ in 0..1000 {
            rate.completed(s(5));
        }
        assert!(rate.per_minute(s(590)).is_some());
        assert_eq!(rate.per_minute(s(606)), None);
        assert_eq!(rate.eta(1, s(100_000)), None);
    }
}
