//! How long an order will take, before it has begun, for people.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use super::file::Starts;
use super::schedule::{Limits, Planned, Schedule, Start, Takes};
use crate::event::Taken;
use crate::job::{ImageId, ServiceId};
use crate::progress::start_order;
use crate::run::{Durations, Options};
use crate::time::{self, Zone};

/// What a rebuild is taken to need where none was ever seen.
const ASSUMED: Duration = Duration::from_mins(5);

/// The expected end of an order.
#[derive(Debug)]
pub struct Forecast {
    limits: Limits,
    /// `None`: something never fits into the window.
    schedule: Option<Schedule>,
    /// When each of those that are sent starts.
    starts: HashMap<ServiceId, Start>,
    /// When it would begin, as Unix time.
    begins_ms: i64,
    /// How long it would take if the window were always open.
    without_window: Option<Duration>,
    /// The rule without which it would end much earlier, and how long it would take then.
    costs_most: Option<(Rule, Duration)>,
    each: Each,
    order: Option<Taken>,
}

/// How long its instances take.
#[derive(Debug, Default)]
struct Each {
    /// The shortest and the longest that was seen.
    seen: Option<(Duration, Duration)>,
    /// Of some none was seen.
    is_assumed: bool,
}

/// What keeps instances from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Workers,
    Budget,
    Rate,
    Canary,
    Groups,
    Window,
}

impl Rule {
    const ALL: [Self; 6] = [
        Self::Workers,
        Self::Budget,
        Self::Rate,
        Self::Canary,
        Self::Groups,
        Self::Window,
    ];

    fn option(self) -> &'static str {
        match self {
            Self::Workers => "--workers",
            Self::Budget => "--max-failures",
            Self::Rate => "--rate",
            Self::Canary => "--canary",
            Self::Groups => "--max-per-group",
            Self::Window => "--window",
        }
    }

    /// All of `limits` but this one.
    fn without(self, limits: &Limits) -> Limits {
        let mut limits = limits.clone();
        match self {
            Self::Workers => limits.workers = usize::MAX,
            Self::Budget => limits.budget = usize::MAX,
            Self::Rate => limits.rate_per_s = 0.0,
            Self::Canary => limits.canary = None,
            Self::Groups => limits.max_per_group = usize::MAX,
            Self::Window => limits.window = None,
        }
        limits
    }
}

impl Forecast {
    /// Of `planned`, whose images stand in `images` by their numbers, begun at `begins_ms`.
    pub fn new(
        planned: &[Planned],
        images: &[Option<ImageId>],
        durations: &Durations,
        options: &Options,
        begins_ms: i64,
    ) -> Self {
        let rollout = &options.rollout;
        // Even if all of what is in flight goes wrong, the budget holds.
        let budget = options.tolerances.failures.of(planned.len() as u64);
        let limits = Limits {
            workers: options.workers,
            budget: budget.map_or(usize::MAX, |jobs| {
                usize::try_from(jobs).unwrap_or(usize::MAX)
            }),
            rate_per_s: options.rate_per_s,
            canary: rollout.canary,
            max_per_group: rollout.max_per_group.get() as usize,
            window: rollout.window.clone(),
        };
        let mut each = Each::default();
        let takes = |image: &Option<ImageId>| {
            let seen = durations.median(*image);
            match (seen, &mut each.seen) {
                (None, _) => each.is_assumed = true,
                (Some(took), None) => each.seen = Some((took, took)),
                (Some(took), Some((least, most))) => {
                    (*least, *most) = (took.min(*least), took.max(*most));
                }
            }
            let at_most = durations.p95(*image);
            Takes {
                usual: seen.unwrap_or(ASSUMED),
                at_most: at_most.unwrap_or(options.rules.rebuild_timeout),
            }
        };
        let takes: Vec<Takes> = images.iter().map(takes).collect();
        let mut schedule = Schedule::new(planned, &takes, &limits, begins_ms);
        let starts = schedule
            .as_mut()
            .map(|schedule| mem::take(&mut schedule.starts));
        let services = planned.iter().map(|one| one.service);
        let starts = services.zip(starts.unwrap_or_default()).collect();
        let without = |rule: Rule| {
            let schedule = Schedule::new(planned, &takes, &rule.without(&limits), begins_ms)?;
            Some((rule, schedule.whole))
        };
        let all: Vec<(Rule, Duration)> = Rule::ALL.into_iter().filter_map(without).collect();
        let of_window = all.iter().find(|(rule, _)| *rule == Rule::Window);
        let without_window = of_window.map(|(_, whole)| *whole);
        let costs_most = all.into_iter().min_by_key(|(_, whole)| *whole);
        // A tenth is not worth a word.
        let much = schedule
            .as_ref()
            .map(|schedule| schedule.whole.mul_f64(0.9));
        let is_much = |without: Duration| much.is_some_and(|much| without < much);
        Self {
            limits,
            schedule,
            starts,
            begins_ms,
            without_window,
            costs_most: costs_most.filter(|(_, whole)| is_much(*whole)),
            each,
            order: None,
        }
    }

    /// Its jobs start in this order.
    pub fn in_order(self, order: Taken) -> Self {
        Self {
            order: Some(order),
            ..self
        }
    }

    /// When the instance starts, if all goes as usual; `None`: it does not, or nobody can tell.
    pub fn starts(&self, service: ServiceId) -> Option<Starts> {
        let start = self.starts.get(&service)?;
        Some(Starts {
            about: time::rfc3339(self.at(start.after)),
            held_by: start.held.map(|(rule, _)| rule),
            held_until: start.held.map(|(_, until)| time::rfc3339(self.at(until))),
        })
    }

    /// When each starts, and what it waits for until then, for people; nothing where no rule makes any of
    /// them wait.
    pub fn words(&self) -> HashMap<ServiceId, String> {
        if self.starts.values().all(|start| start.held.is_none()) {
            return HashMap::new();
        }
        let (zone, starts) = (self.zone(), self.starts.iter());
        starts
            .map(|(service, start)| (*service, self.start_in_words(&zone, start)))
            .collect()
    }

    fn start_in_words(&self, zone: &Zone, start: &Start) -> String {
        let [begins, starts] = [self.begins_ms, self.at(start.after)].map(|at| zone.local(at));
        // Of the day on which it all begins, the time says enough.
        let starts = match (begins.rsplit_once(' '), starts.rsplit_once(' ')) {
            (Some((begins, _)), Some((day, time))) if begins == day => time,
            _ => &starts,
        };
        match start.held {
            None => starts.to_owned(),
            Some((rule, _)) => format!("{starts}, {}", rule.words()),
        }
    }

    /// When that is, as Unix time.
    fn at(&self, after: Duration) -> i64 {
        let after_ms = i64::try_from(after.as_millis()).unwrap_or(i64::MAX);
        self.begins_ms.saturating_add(after_ms)
    }

    fn zone(&self) -> Zone {
        match &self.limits.window {
            Some(window) => window.zone.clone(),
            None => Zone::system().unwrap_or_else(|_| Zone::utc()),
        }
    }

    /// For people.
    pub fn sentence(&self) -> String {
        let how = format!(
            "{} at once, {}, {}",
            self.limits.at_once(),
            self.rate(),
            self.each
        );
        let Some(Schedule { whole, windows, .. }) = &self.schedule else {
            return format!("When it ends, nobody can tell: {how}.");
        };
        let (zone, ends) = (self.zone(), self.at(*whole));
        let ends = zone.local(ends);
        let mut sentences = vec![format!(
            "It will take about {}, until {ends} ({zone}): {how}.",
            time::short(*whole)
        )];
        let nights = self.limits.window.as_ref().filter(|_| *windows > 1);
        if let Some((window, needs)) = nights.zip(self.without_window) {
            let (length, needs) = (time::short(window.length()), time::short(needs));
            sentences.push(format!(
                "That is {windows} nights: the window is open for {length}, and the order needs {needs}."
            ));
        }
        let is_said = |rule| rule == Rule::Window && nights.is_some();
        if let Some((rule, without)) = self.costs_most.filter(|(rule, _)| !is_said(*rule)) {
            let (option, without) = (rule.option(), time::short(without));
            sentences.push(format!(
                "What it waits for is {option}: without that it would take {without}."
            ));
        }
        if let Some(order) = self.order.filter(|order| order.list_after.is_some()) {
            sentences.push(format!("Start order: {}.", start_order(&order)));
        }
        sentences.join(" ")
    }

    fn rate(&self) -> String {
        match self.limits.rate_per_s {
            0.0 => "as many calls as go".to_owned(),
            1.0 => "at most 1 call a second".to_owned(),
            rate => format!("at most {rate} calls a second"),
        }
    }
}

impl std::fmt::Display for Each {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let assumed = time::short(ASSUMED);
        let Some((least, most)) = self.seen else {
            return write!(f, "{assumed} each, which is assumed");
        };
        let [least, most] = [least, most].map(time::short);
        if least == most {
            write!(f, "{least} each, as they took before")?;
        } else {
            write!(f, "{least} to {most} each, as they took before")?;
        }
        if self.is_assumed {
            write!(f, " (where none was seen, {assumed} is assumed)")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Rollout, Tolerance, Tolerances, Witnesses};

    fn options(workers: usize, rollout: Rollout) -> Options {
        use crate::run::{backoff::Backoff, evidence::Rules};
        Options {
            workers,
            rate_per_s: 1.0,
            backoff: Backoff {
                initial: Duration::from_secs(1),
                max: Duration::from_mins(1),
            },
            outage_timeout: Duration::from_mins(30),
            rules: Rules {
                settle: Duration::from_mins(5),
                poll_interval: Duration::from_secs(10),
                unseen_after: Duration::from_mins(10),
                rebuild_timeout: Duration::from_hours(1),
                request_timeout: Duration::from_mins(1),
                silence_counts: true,
                hooks: false,
                retries: 5,
            },
            tolerances: Tolerances {
                failures: Tolerance::Percent(100),
                mismatches: Tolerance::Percent(2),
            },
            rollout,
            witnesses: Witnesses::default(),
            no_wait: false,
            stale: false,
        }
    }

    #[test]
    fn the_sentence_says_the_end_and_what_it_waits_for() {
        const MIDNIGHT_MS: i64 = 1_795_392_000_000;
        let planned = vec![
            Planned {
                service: ServiceId::new(1).unwrap(),
                image: 0,
                group: None
            };
            100
        ];
        let window = Rollout {
            window: Some(time::Window {
                hours: "01:00-05:00".parse().unwrap(),
                zone: "UTC".parse().unwrap(),
            }),
            ..Rollout::default()
        };
        let mut durations = Durations::default();
        let forecast = |durations: &Durations, workers, rollout: &Rollout| {
            let options = options(workers, rollout.clone());
            Forecast::new(&planned, &[None], durations, &options, MIDNIGHT_MS).sentence()
        };
        // In the whole hour that a rebuild may take before the end, nothing starts.
        let assumed = forecast(&durations, 1, &window);
        assert_eq!(
            assumed,
            "It will take about 2d 3h, until Wed 2026-11-25 03:10 (UTC): 1 at once, at most 1 call a second, 5m 0s each, which is assumed. That is 3 nights: the window is open for 4h 0m, and the order needs 8h 20m. What it waits for is --workers: without that it would take 1h 6m."
        );
        durations.extend(vec![(None, Duration::from_mins(6)); 5]);
        let seen = forecast(&durations, 1, &Rollout::default());
        assert!(
            seen.starts_with("It will take about 10h 0m, until "),
            "{seen}"
        );
        assert!(
            seen.ends_with(": 1 at once, at most 1 call a second, 6m 0s each, as they took before. What it waits for is --workers: without that it would take 7m 39s."),
            "{seen}"
        );
        let open_now = Rollout {
            window: Some(time::Window {
                hours: "00:00-23:59".parse().unwrap(),
                zone: "UTC".parse().unwrap(),
            }),
            ..Rollout::default()
        };
        let in_one = forecast(&durations, 8, &open_now);
        assert!(!in_one.contains("nights"), "{in_one}");
        let mut careful = options(8, Rollout::default());
        careful.tolerances.failures = Tolerance::Percent(1);
        let careful =
            Forecast::new(&planned, &[None], &durations, &careful, MIDNIGHT_MS).sentence();
        assert!(careful.contains(": 1 at once"), "{careful}");
        assert!(
            careful.contains("What it waits for is --max-failures"),
            "{careful}"
        );
        let one_after_the_other = forecast(&durations, 100, &Rollout::default());
        assert!(
            one_after_the_other
                .ends_with("What it waits for is --rate: without that it would take 6m 0s.")
        );
    }
}
