//! When the last job will have ended, as far as that can be known.
//!
//! The one fact to know: no estimate rests on fewer than two finished jobs, and the one that is
//! shown counts down. It grows only when the run has really become slower. When what is in flight is
//! overdue, nothing is shown.

use std::collections::HashMap;
use std::time::Duration;

use crate::job::{Counts, ServiceId};
use crate::pace::{COMPLETED_MIN, Left, Starts};

/// An estimate that is later by less than this, or by less than a third, is taken for noise.
const LATER_MIN: Duration = Duration::from_secs(30);

/// What is known of the time that jobs take. Moments are durations since the display started.
#[derive(Debug, Default)]
pub struct Forecast {
    /// When each instance in flight was sent by this run.
    sent: HashMap<ServiceId, Duration>,
    took: Duration,
    completed: u32,
    /// The most that were in flight at once.
    at_once: u64,
    /// When the last ones were sent.
    starts: Starts,
    /// The end that was shown last, and when it was.
    shown: Option<(Duration, Duration)>,
}

impl Forecast {
    /// A submission left; `in_flight` with it.
    pub fn sent(&mut self, service: ServiceId, in_flight: u64, now: Duration) {
        self.sent.insert(service, now);
        self.at_once = self.at_once.max(in_flight);
        self.starts.push(now, self.at_once);
    }

    /// Something kept jobs from starting, or other limits count from now on.
    pub fn begins_anew(&mut self) {
        self.starts.forget();
    }

    /// The instance is not in flight any more. `took`: for how long it was, if its job is done.
    pub fn ended(&mut self, service: ServiceId, took: Option<Duration>) {
        self.sent.remove(&service);
        if let Some(took) = took {
            self.took += took;
            self.completed += 1;
        }
    }

    /// The time until everything queued and in flight has ended, if each takes the mean of those that
    /// have.
    pub fn by_completions(&self, counts: &Counts, now: Duration) -> Option<Duration> {
        if u64::from(self.completed) < COMPLETED_MIN {
            return None;
        }
        let in_flight = counts.submitting + counts.in_progress;
        let mut ages: Vec<Duration> = self
            .sent
            .values()
            .map(|since| now.saturating_sub(*since))
            .collect();
        // What another process sent is at least as old as this display.
        let inherited = in_flight.saturating_sub(ages.len() as u64);
        ages.extend((0..inherited).map(|_| now));
        let at_once = self.at_once.max(in_flight);
        let last_starts = self.starts.last_of(counts.queued, at_once);
        let left = Left {
            queued: counts.queued,
            in_flight: ages,
            at_once,
            last_starts: last_starts.map(|at| at.saturating_sub(now)),
        };
        left.until_ended(self.took / self.completed)
    }

    /// What to show for an estimate of `until` at `now`; nothing is known: nothing is shown.
    pub fn show(&mut self, until: Option<Duration>, now: Duration) -> Option<Duration> {
        let Some(until) = until else {
            self.shown = None;
            return None;
        };
        let at = now + until;
        let at = match self.shown {
            Some((before, shown))
                if at > shown && at.saturating_sub(shown) < (until / 3).max(LATER_MIN) =>
            {
                // Somewhat later: it counts down more slowly until that is made up for.
                at.min(shown + now.saturating_sub(before) / 10 * 9)
            }
            Some(_) | None => at,
        };
        self.shown = Some((now, at));
        Some(at.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(number: u64) -> ServiceId {
        ServiceId::new(i64::try_from(number).unwrap()).unwrap()
    }

    /// A run over `jobs`, `at_once`, which take what `took_s` says; one may start each `every_s`. It is looked
    /// at each second. Gives back the moments (seconds) at which an ETA was shown, and the ETA, and the end.
    fn run(
        jobs: u64,
        (at_once, every_s): (usize, u64),
        took_s: impl Fn(u64) -> u64,
    ) -> (Vec<(u64, u64)>, u64) {
        let mut forecast = Forecast::default();
        let mut counts = Counts {
            queued: jobs,
            ..Counts::default()
        };
        let mut in_flight: Vec<(u64, u64)> = Vec::new();
        let mut shown = Vec::new();
        let mut next = 0;
        for second in 0.. {
            let now = Duration::from_secs(second);
            in_flight.retain(|(number, ends)| {
                if *ends > second {
                    return true;
                }
                counts.in_progress -= 1;
                counts.done += 1;
                let took = Duration::from_secs(took_s(*number));
                forecast.ended(service(*number + 1), Some(took));
                false
            });
            if in_flight.len() < at_once && next < jobs && second % every_s == 0 {
                counts.queued -= 1;
                counts.in_progress += 1;
                in_flight.push((next, second + took_s(next)));
                forecast.sent(service(next + 1), in_flight.len() as u64, now);
                next += 1;
            }
            if counts.done == jobs {
                return (shown, second);
            }
            let until = forecast.by_completions(&counts, now);
            if let Some(eta) = forecast.show(until, now) {
                shown.push((second, eta.as_secs()));
            }
        }
        unreachable!("it ends")
    }

    // Field case E4.
    #[test]
    fn in_the_usual_case_the_eta_only_falls_and_comes_true() {
        let jitter = |number: u64| 285 + number * 7919 % 31;
        for (jobs, at_once, took_s) in [
            (60, 8, &(|_| 300_u64) as &dyn Fn(u64) -> u64),
            (60, 8, &jitter),
            (500, 50, &jitter),
            (9, 8, &jitter),
            (5, 1, &jitter),
        ] {
            let (shown, end) = run(jobs, (at_once, 1), took_s);
            assert!(shown.len() > 250, "{}", shown.len());
            for pair in shown.windows(2) {
                assert!(
                    pair[1].1 <= pair[0].1,
                    "it climbs: {pair:?} of {jobs}/{at_once}"
                );
            }
            for (second, eta) in &shown {
                let left = end - second;
                let off = eta.abs_diff(left);
                assert!(off <= (left / 4).max(40), "at {second} of {end}: {eta}");
            }
        }
    }

    /// No worker has anything to wait for but the next call: fifty of them end no sooner than four.
    #[test]
    fn the_eta_of_a_run_that_the_call_rate_holds_back_comes_true() {
        let jitter = |number: u64| 8 + number * 7919 % 5;
        for workers in [4, 50] {
            let (shown, end) = run(200, (workers, 3), jitter);
            assert!(shown.len() > 500, "{}", shown.len());
            for (second, eta) in shown {
                let left = end - second;
                assert!(
                    eta.abs_diff(left) <= left / 20 + 5,
                    "at {second} of {end}: {eta}"
                );
            }
        }
    }

    // Field case E4.
    #[test]
    fn nothing_is_said_while_nothing_is_known() {
        let mut forecast = Forecast::default();
        let counts = Counts {
            queued: 5,
            in_progress: 1,
            ..Counts::default()
        };
        let s = Duration::from_secs;
        forecast.sent(service(1), 1, s(0));
        assert_eq!(forecast.by_completions(&counts, s(9)), None);
        forecast.ended(service(1), Some(s(10)));
        forecast.sent(service(2), 1, s(10));
        assert_eq!(
            forecast.by_completions(&counts, s(11)),
            None,
            "one is a guess"
        );
        forecast.ended(service(2), Some(s(10)));
        forecast.sent(service(3), 1, s(20));
        assert_eq!(forecast.by_completions(&counts, s(20)), Some(s(60)));
        // The last one is overdue: it could take any time.
        let last = Counts {
            in_progress: 1,
            ..Counts::default()
        };
        assert_eq!(forecast.by_completions(&last, s(25)), Some(s(5)));
        assert_eq!(forecast.by_completions(&last, s(30)), None);
        assert_eq!(forecast.show(None, s(30)), None);
    }
}
