//! How long to wait before the next try.
//!
//! The `backoff` crate is the project's choice and no longer maintained, so it serves as a policy
//! only, here alone: its intervals grow, this module draws the jitter and clamps the result.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Exponential delays with full jitter: each is drawn evenly between zero and a bound that doubles
/// from `initial` to `max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Bound of the first delay.
    pub initial: Duration,
    /// No delay is longer.
    pub max: Duration,
}

impl Backoff {
    /// The bound of the delay before try number `nth` (counted from 1) after a failure.
    pub fn bound(&self, nth: u32) -> Duration {
        let mut policy = ExponentialBackoff {
            current_interval: self.initial,
            initial_interval: self.initial,
            randomization_factor: 0.0,
            multiplier: 2.0,
            max_interval: self.max,
            // The crate's default gives up after 15 minutes; when to give up is not decided here.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        // 2⁶⁴ times any initial delay is beyond every maximum: no need to count further.
        let bound = (1..=nth.clamp(1, 64)).fold(self.initial, |bound, _| {
            policy.next_backoff().unwrap_or(bound)
        });
        bound.min(self.max)
    }

    /// The delay before try number `nth` (counted from 1), drawn from `random`.
    pub fn delay(&self, nth: u32, random: &mut fastrand::Rng) -> Duration {
        let bound = self.bound(nth);
        bound.mul_f64(random.f64()).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETRY: Backoff = Backoff {
        initial: Duration::from_secs(1),
        max: Duration::from_mins(1),
    };

    #[test]
    fn the_bound_doubles_up_to_the_maximum_and_stays_there() {
        let seconds: Vec<u64> = (1..=9).map(|nth| RETRY.bound(nth).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(RETRY.bound(u32::MAX), RETRY.max);
    }

    proptest! {
        #[test]
        fn no_delay_is_ever_longer_than_its_bound(
            nth in 0..u32::MAX, seed: u64, initial_ms in 0..100_000u64, max_ms in 0..100_000u64
        ) {
            let retry = Backoff {
                initial: Duration::from_millis(initial_ms),
                max: Duration::from_millis(max_ms),
            };
            let delay = retry.delay(nth, &mut fastrand::Rng::with_seed(seed));
            prop_assert!(delay <= retry.bound(nth) && delay <= retry.max);
        }
    }
}
