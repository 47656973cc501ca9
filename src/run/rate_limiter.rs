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
    next: Instant,
    next_poll: Instant,
}

impl RateLimiter {
    /// `per_s` calls per second; 0: no limit.
    pub fn new(per_s: f64, now: Instant) -> Self {
        let interval = if per_s > 0.0 {
            Duration::from_secs_f64(1.0 / per_s)
        } else {
            Duration::ZERO
        };
        Self {
            interval,
            next: now,
            next_poll: now,
        }
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
        match purpose {
            Purpose::Session | Purpose::Submission => self.next,
            Purpose::Poll => self.next.max(self.next_poll),
        }
    }

    /// Takes a slot now, if there is one.
    pub fn take(&mut self, purpose: Purpose, now: Instant) -> bool {
        if now < self.free_at(purpose) {
            return false;
        }
        // From now, not from the slot's due time: unused slots are not saved up for a burst.
        self.next = now + self.interval;
        if purpose == Purpose::Poll {
            self.next_poll = now + self.interval * 2;
        }
        true
    }

    /// No call of any kind before `until`: the API asked for it.
    pub fn hold(&mut self, until: Instant) {
        self.next = self.next.max(until);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
        /// However the calls ask: never two within an interval, never two polls within two.
        #[test]
        fn calls_are_never_closer_than_the_rate_allows(
            steps_ms in prop::collection::vec((0..900u64, 0..3u8), 1..200)
        ) {
            let start = Instant::now();
            let mut rate = RateLimiter::new(2.0, start);
            let mut now = start;
            let mut last: Option<Instant> = None;
            let mut last_poll: Option<Instant> = None;
            for (step_ms, purpose) in steps_ms {
                now += Duration::from_millis(step_ms);
                let purpose = [Purpose::Session, Purpose::Submission, Purpose::Poll][usize::from(purpose)];
                if rate.take(purpose, now) {
                    prop_assert!(last.is_none_or(|last| now - last >= Duration::from_millis(500)));
                    last = Some(now);
                    if purpose == Purpose::Poll {
                        prop_assert!(last_poll.is_none_or(|last| now - last >= Duration::from_secs(1)));
                        last_poll = Some(now);
                    }
                } else {
                    prop_assert!(now < rate.free_at(purpose));
                }
            }
        }
    }
}
