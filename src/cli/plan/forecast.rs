//! How long an order will take, before it has begun.

use std::time::Duration;

use crate::time;

/// What a rebuild is taken to need where none was ever seen.
const ASSUMED: Duration = Duration::from_mins(5);

/// The expected duration of an order.
#[derive(Debug, Clone, Copy)]
pub struct Forecast {
    /// Of all of it.
    pub whole: Duration,
    /// Of one of its instances.
    pub each: Duration,
    /// That was seen, and not assumed.
    pub is_seen: bool,
    pub workers: u32,
    pub rate_per_s: f64,
}

impl Forecast {
    /// Of `instances`, of which earlier ones `took` this long.
    pub fn new(instances: u64, workers: u32, rate_per_s: f64, took: &mut [Duration]) -> Self {
        took.sort_unstable();
        let seen = took.get(took.len() / 2).copied();
        let each = seen.unwrap_or(ASSUMED);
        // So many at once, each submitted after the one before it, as the rate allows; the last one
        // that is submitted takes its own time.
        let count = f64::from(u32::try_from(instances).unwrap_or(u32::MAX));
        let between = if rate_per_s > 0.0 {
            1.0 / rate_per_s
        } else {
            0.0
        };
        let by_workers = (count / f64::from(workers)).ceil() * each.as_secs_f64();
        let by_rate = count * between + each.as_secs_f64();
        Self {
            whole: Duration::from_secs_f64(by_workers.max(by_rate).min(1e9)),
            each,
            is_seen: seen.is_some(),
            workers,
            rate_per_s,
        }
    }

    /// For people, as one sentence.
    pub fn sentence(&self) -> String {
        let rate = if self.rate_per_s > 0.0 {
            match self.rate_per_s {
                1.0 => "at most 1 call a second".to_owned(),
                rate => format!("at most {rate} calls a second"),
            }
        } else {
            "as many calls as go".to_owned()
        };
        let each = if self.is_seen {
            format!("{} each, as they took before", time::short(self.each))
        } else {
            format!("{} each, which is assumed", time::short(self.each))
        };
        format!(
            "It will take about {}: {} at once, {rate}, {each}.",
            time::short(self.whole),
            self.workers
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_or_the_rate_decide() {
        let minutes = |minutes| Duration::from_mins(minutes);
        let forecast = Forecast::new(500, 50, 1.0, &mut []);
        assert_eq!((forecast.whole, forecast.is_seen), (minutes(50), false));
        let mut took = [minutes(1), minutes(9), minutes(2)];
        let forecast = Forecast::new(600, 600, 1.0, &mut took);
        assert_eq!((forecast.whole, forecast.each), (minutes(12), minutes(2)));
        let forecast = Forecast::new(8, 8, 0.0, &mut took);
        assert_eq!(forecast.whole, minutes(2));
    }
}
