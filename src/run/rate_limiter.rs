//! One rate limit for every call of a run, evenly spaced.

use std::time::{Duration, Instant};

/// What a call is for. The order is the priority: who asks first gets the next slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Login, keepalive, probes.
    Session,
    /// Rebuild submissions and what they need first (previews).
    Submission,
    /// Readings of the list: at most every second slot.
    Poll,
}

/// Hands out slots for calls.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    /// Time between two calls; zero: no limit.
    interval: Duration,
    /// When the last call, and the last poll, took its slot.
    last: Option<Instant>,
    last_poll: Option<Instant>,
    /// No call before: the run begins then, or the API asked for it.
    held_until: Instant,
}

impl RateLimiter {
    /// `per_s` calls per second; 0: no limit.
    pub fn new(per_s: f64, now: Instant) -> Self {
        Self {
            interval: interval(per_s),
            last: None,
            last_poll: None,
            held_until: now,
        }
    }

    /// From now on it is `per_s` calls per second, counted from the last call; 0: no limit.
    pub fn set(&mut self, per_s: f64) {
        self.interval = interval(per_s);
    }

    /// There is no limit.
    pub fn is_unlimited(&self) -> bool {
        self.interval.is_zero()
    }

    /// Time between two calls; zero: no limit.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// The moment from which a call for `purpose` may start.
    pub fn free_at(&self, purpose: Purpose) -> Instant {
        let after = |last: Option<Instant>, time: Duration| {
            last.map_or(self.held_until, |last| (last + time).max(self.held_until))
        };
        let next = after(self.last, self.interval);
        match purpose {
            Purpose::Session | Purpose::Submission => next,
            Purpose::Poll => next.max(after(self.last_poll, self.interval * 2)),
        }
    }

    /// Takes a slot now, if there is one.
    pub fn take(&mut self, purpose: Purpose, now: Instant) -> bool {
        if now < self.free_at(purpose) {
            return false;
        }
        // From now, not from the slot's due time: unused slots are not saved up for a burst.
        self.last = Some(now);
        if purpose == Purpose::Poll {
            self.last_poll = Some(now);
        }
        true
    }

    /// No call of any kind before `until`: the API asked for it.
    pub fn hold(&mut self, until: Instant) {
        self.held_until = self.held_until.max(until);
    }
}

fn interval(per_s: f64) -> Duration {
    if per_s > 0.0 {
        Duration::from_secs_f64(1.0 / per_s)
    } else {
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is lost where a rate is turned into a time.
    const SLACK: Duration = Duration::from_micros(1);

    #[test]
    fn a_rate_that_is_set_counts_at_once_from_the_last_call() {
        let start = Instant::now();
        let mut rate = RateLimiter::new(0.1, start);
        assert!(rate.take(Purpose::Submission, start));
        rate.set(1.0);
        assert_eq!(
            rate.free_at(Purpose::Submission),
            start + Duration::from_secs(1)
        );
        rate.set(0.5);
        assert_eq!(
            rate.free_at(Purpose::Submission),
            start + Duration::from_secs(2)
        );
        // What the API has asked for counts whatever the rate is.
        rate.hold(start + Duration::from_mins(1));
        rate.set(0.0);
        assert_eq!(
            rate.free_at(Purpose::Session),
            start + Duration::from_mins(1)
        );
    }

    #[test]
    fn without_a_limit_everything_may_go_until_the_api_asks_for_a_pause() {
        let start = Instant::now();
        let mut rate = RateLimiter::new(0.0, start);
        assert!((0..1000).all(|_| rate.take(Purpose::Submission, start)));
        rate.hold(start + Duration::from_secs(3));
        assert!(!rate.take(Purpose::Session, start + Duration::from_secs(2)));
        assert!(rate.take(Purpose::Session, start + Duration::from_secs(3)));
    }

    proptest! {
        /// However the calls ask, and whatever the rate is set to meanwhile: never two within an interval,
        /// never two polls within two.
        #[test]
        fn calls_are_never_closer_than_the_rate_allows(
            steps_ms in prop::collection::vec((0..900u64, 0..3u8, 0..20u64), 1..200)
        ) {
            let start = Instant::now();
            let mut rate = RateLimiter::new(2.0, start);
            let mut now = start;
            let mut last: Option<Instant> = None;
            let mut last_poll: Option<Instant> = None;
            let mut interval = Duration::from_millis(500);
            for (step_ms, purpose, set) in steps_ms {
                now += Duration::from_millis(step_ms);
                if (1..=5).contains(&set) {
                    interval = Duration::from_millis(set * 200);
                    rate.set(1.0 / interval.as_secs_f64());
                }
                let purpose = [Purpose::Session, Purpose::Submission, Purpose::Poll][usize::from(purpose)];
                if rate.take(purpose, now) {
                    prop_assert!(last.is_none_or(|last| now - last + SLACK >= interval));
                    last = Some(now);
                    if purpose == Purpose::Poll {
                        prop_assert!(last_poll.is_none_or(|last| now - last + SLACK >= interval * 2));
                        last_poll = Some(now);
                    }
                } else {
                    prop_assert!(now < rate.free_at(purpose));
                }
            }
        }
    }
}
