//! When the last job will have ended, as far as that can be known.
//!
//! The one fact to know: no estimate rests on fewer than two finished jobs, of this run or of earlier ones, and
//! the one that is shown counts down. It grows only when the run has really become slower. When what is in
//! flight is overdue, nothing is shown.

use std::collections::HashMap;
use std::time::Duration;

use crate::event::OfImage;
use crate::job::{Counts, ImageId, Limits, ServiceId};
use crate::pace::{Kind, Left, Starts, Took};

/// An estimate that is later by less than this, or by less than a third, is taken for noise.
const LATER_MIN: Duration = Duration::from_secs(30);

/// What is known of the time that jobs take. Moments are durations since the display started.
#[derive(Debug, Default)]
pub struct Forecast {
    /// Which image each instance in flight gets, and when this run sent it.
    sent: HashMap<ServiceId, (Option<ImageId>, Duration)>,
    of_image: HashMap<Option<ImageId>, OneImage>,
    limits: Limits,
    /// So many in flight the failure budget allows.
    budget: Option<u64>,
    /// When the last ones were sent.
    starts: Starts,
    /// The end that was shown last, and when it was.
    shown: Option<(Duration, Duration)>,
}

/// The jobs that get one image.
#[derive(Debug, Default)]
struct OneImage {
    queued: u64,
    took: Took,
}

impl Forecast {
    /// What is to be done, and how long that took before.
    pub fn expect(&mut self, images: &[OfImage]) {
        for known in images {
            let of_image = self.of_image.entry(known.image).or_default();
            of_image.queued = known.queued;
            // A summary of many counts for as little as can be, so that this run's own soon count for more.
            of_image.took = known.usual.into_iter().cycle().take(2).collect();
        }
    }

    /// These limits count from now on.
    pub fn limit(&mut self, limits: &Limits) {
        self.limits.workers = limits.workers.or(self.limits.workers);
        self.limits.rate_per_s = limits.rate_per_s.or(self.limits.rate_per_s);
        self.budget = None;
        self.begins_anew();
    }

    /// The failure budget allows so many in flight.
    pub fn budget(&mut self, in_flight_max: usize) {
        self.budget = u64::try_from(in_flight_max).ok();
    }

    /// A job is queued again.
    pub fn queued(&mut self, image: Option<ImageId>) {
        self.of_image.entry(image).or_default().queued += 1;
    }

    /// A job is not queued any more.
    pub fn left_queue(&mut self, image: Option<ImageId>) {
        let of_image = self.of_image.entry(image).or_default();
        of_image.queued = of_image.queued.saturating_sub(1);
    }

    /// A submission left.
    pub fn sent(&mut self, service: ServiceId, image: Option<ImageId>, now: Duration) {
        self.sent.insert(service, (image, now));
        self.starts.push(now, self.sent.len() as u64);
    }

    /// Something kept jobs from starting, or other limits count from now on.
    pub fn begins_anew(&mut self) {
        self.starts.forget();
    }

    /// The instance is not in flight any more. `took`: for how long it was, if its job is done.
    pub fn ended(&mut self, service: ServiceId, image: Option<ImageId>, took: Option<Duration>) {
        self.sent.remove(&service);
        if let Some(took) = took {
            self.of_image.entry(image).or_default().took.push(took);
        }
    }

    /// The time until everything queued and in flight has ended.
    pub fn by_completions(&self, counts: &Counts, now: Duration) -> Option<Duration> {
        let mut kinds: HashMap<Option<ImageId>, Kind> = self
            .of_image
            .iter()
            .map(|(image, known)| {
                let kind = Kind {
                    queued: known.queued,
                    in_flight: Vec::new(),
                    took: known.took.clone(),
                };
                (*image, kind)
            })
            .collect();
        for (image, since) in self.sent.values() {
            let kind = kinds.entry(*image).or_default();
            kind.in_flight.push(now.saturating_sub(*since));
        }
        let in_flight = counts.submitting + counts.in_progress;
        let mut kinds: Vec<Kind> = kinds.into_values().collect();
        // What another process sent, or has taken out of the queue, is taken for one of the most frequent kind.
        let inherited = in_flight.saturating_sub(self.sent.len() as u64);
        let queued: u64 = kinds.iter().map(|kind| kind.queued).sum();
        let most = (kinds.iter_mut()).max_by_key(|kind| kind.queued + kind.in_flight.len() as u64);
        if let Some(most) = most {
            // At least as old as this display.
            most.in_flight.extend((0..inherited).map(|_| now));
            let others = queued - most.queued;
            most.queued = counts.queued.saturating_sub(others);
        }
        let workers = self.limits.workers.map(|workers| workers as u64);
        let at_once = workers.into_iter().chain(self.budget).min();
        let left = Left {
            kinds,
            at_once: at_once.unwrap_or(in_flight),
            calls: (self.starts).calls(self.limits.rate_per_s.unwrap_or(0.0)),
        };
        left.until_ended()
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

    fn of(workers: usize, rate_per_s: Option<f64>) -> Forecast {
        let mut forecast = Forecast::default();
        forecast.limit(&Limits {
            workers: Some(workers),
            rate_per_s,
            ..Limits::default()
        });
        forecast
    }

    /// A run over `jobs`, `at_once`, which take what `took_s` says; one may start each `every_s`. It is looked
    /// at each second. Gives back the moments (seconds) at which an ETA was shown, and the ETA, and the end.
    fn run(
        jobs: u64,
        (at_once, every_s): (usize, u32),
        took_s: impl Fn(u64) -> u64,
    ) -> (Vec<(u64, u64)>, u64) {
        let mut forecast = of(at_once, Some(1.0 / f64::from(every_s)));
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
                forecast.ended(service(*number + 1), None, Some(took));
                false
            });
            if in_flight.len() < at_once && next < jobs && second % u64::from(every_s) == 0 {
                counts.queued -= 1;
                counts.in_progress += 1;
                in_flight.push((next, second + took_s(next)));
                forecast.sent(service(next + 1), None, now);
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
        let mut forecast = of(1, None);
        let counts = Counts {
            queued: 5,
            in_progress: 1,
            ..Counts::default()
        };
        let s = Duration::from_secs;
        forecast.sent(service(1), None, s(0));
        assert_eq!(forecast.by_completions(&counts, s(9)), None);
        forecast.ended(service(1), None, Some(s(10)));
        forecast.sent(service(2), None, s(10));
        assert_eq!(
            forecast.by_completions(&counts, s(11)),
            None,
            "one is a guess"
        );
        forecast.ended(service(2), None, Some(s(10)));
        forecast.sent(service(3), None, s(20));
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
