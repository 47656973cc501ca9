//! In which order jobs start: the manifest's, or that of the account's list.
//!
//! The list is read in pages. What is in flight together and stands all over the list takes many pages to
//! be watched, and a slot stands empty until the poller has come round to its page. Where that would make
//! the night longer by more than [`WORTH`], the list's order is taken instead, after the first wave of
//! workers: people put those first that are to be first.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::Taken;

/// The share of the night that the manifest's order has to cost before another one is taken.
const WORTH: f64 = 0.05;

/// A job starts on a reading of its page that is not older.
pub const BASELINE_AGE_MAX: Duration = Duration::from_mins(5);

/// What a rebuild takes, as long as nobody knows.
const USUAL: Duration = Duration::from_mins(5);

/// What is asked for: `--order`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StartOrder {
    /// The manifest's, unless it costs too much.
    #[default]
    Auto,
    /// The manifest's, whatever it costs.
    Manifest,
    /// The list's, from the first job on.
    List,
}

impl fmt::Display for StartOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Manifest => "manifest",
            Self::List => "list",
        })
    }
}

impl FromStr for StartOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "manifest" => Ok(Self::Manifest),
            "list" => Ok(Self::List),
            _ => Err("expected `auto`, `manifest` or `list`".to_owned()),
        }
    }
}

/// What a night rests on.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Jobs in flight at once.
    pub workers: usize,
    /// API calls per second; 0: no limit.
    pub rate_per_s: f64,
    /// What a rebuild takes; `None`: nobody knows.
    pub rebuild: Option<Duration>,
    /// Jobs of the first wave that have started already.
    pub launched: usize,
}

/// How far the jobs of an order stand apart in the list, as they are told one after the other.
#[derive(Debug, Clone)]
pub struct Spread {
    workers: usize,
    /// The pages of the latest wave of workers, and how many of these jobs stand on each.
    wave: VecDeque<u32>,
    on_page: HashMap<u32, usize>,
    /// Pages of each wave, all together, and how many waves these are.
    pages: u64,
    waves: u64,
    jobs: u64,
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn number(count: u64) -> f64 {
    count as f64
}

impl Spread {
    /// Of jobs that `workers` at once work on.
    pub fn new(workers: usize) -> Self {
        Self {
            workers: workers.max(1),
            wave: VecDeque::new(),
            on_page: HashMap::new(),
            pages: 0,
            waves: 0,
            jobs: 0,
        }
    }

    /// The next job of the manifest stands on this page.
    pub fn next(&mut self, page: u32) {
        self.jobs += 1;
        if self.wave.len() == self.workers
            && let Some(left) = self.wave.pop_front()
            && let Some(there) = self.on_page.get_mut(&left)
        {
            *there -= 1;
            if *there == 0 {
                self.on_page.remove(&left);
            }
        }
        self.wave.push_back(page);
        *self.on_page.entry(page).or_default() += 1;
        if self.wave.len() == self.workers {
            self.pages += self.on_page.len() as u64;
            self.waves += 1;
        }
    }

    /// Which order is taken. `pages`: on which the jobs stand, all together.
    pub fn take(&self, asked: StartOrder, pages: usize, pace: &Pace) -> Taken {
        let of_first_wave = self.workers.saturating_sub(pace.launched) as u64;
        let later = self.jobs.saturating_sub(of_first_wave);
        let per_job = |order| self.per_job(order, pages, pace).as_secs_f64();
        let (manifest_s, list_s) = (per_job(StartOrder::Manifest), per_job(StartOrder::List));
        let is_worth_it = later > 0 && manifest_s > list_s * (1.0 + WORTH);
        let saves =
            |jobs: u64| Duration::from_secs_f64((manifest_s - list_s).max(0.0) * number(jobs));
        match asked {
            StartOrder::List => Taken {
                list_after: Some(0),
                saves: saves(self.jobs),
            },
            StartOrder::Auto if is_worth_it => Taken {
                list_after: Some(self.workers),
                saves: saves(later),
            },
            StartOrder::Auto | StartOrder::Manifest => Taken {
                list_after: None,
                saves: Duration::ZERO,
            },
        }
    }

    /// What one more job makes the night longer by, in `order`.
    ///
    /// Either slots are scarce: each is taken for the rebuild, and until the poller has come round to its page,
    /// with the calls that submissions and fresh readings leave. Or calls are: each job takes one, and its part
    /// of a look at its page, which at best shows all that are in flight on it.
    fn per_job(&self, order: StartOrder, pages: usize, pace: &Pace) -> Duration {
        let rebuild_s = pace.rebuild.unwrap_or(USUAL).as_secs_f64();
        let workers = number(self.workers as u64);
        if pace.rate_per_s <= 0.0 || self.waves == 0 {
            return Duration::from_secs_f64(rebuild_s / workers);
        }
        let scattered = number(self.pages) / number(self.waves);
        let (watched, kept_fresh) = match order {
            StartOrder::Auto | StartOrder::Manifest => {
                let fresh_s = BASELINE_AGE_MAX.as_secs_f64();
                // Who stands all over the list needs all of it fresh; who does not, its next page.
                let is_scattered =
                    scattered > workers * number(pages as u64) / number(self.jobs) + 2.0;
                let kept_fresh = if is_scattered {
                    number(pages as u64) / fresh_s
                } else {
                    0.0
                };
                (scattered, kept_fresh)
            }
            StartOrder::List => {
                let in_order = workers * number(pages as u64) / number(self.jobs) + 1.0;
                (scattered.min(in_order), 0.0)
            }
        };
        let rate = pace.rate_per_s;
        let to_spare = (rate - workers / rebuild_s - kept_fresh).clamp(rate / 10.0, rate / 2.0);
        let by_slots_s = (rebuild_s + watched / to_spare / 2.0) / workers;
        let by_calls_s = (1.0 + watched / workers) / rate;
        Duration::from_secs_f64(by_slots_s.max(by_calls_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACE: Pace = Pace {
        workers: 200,
        rate_per_s: 1.0,
        rebuild: Some(Duration::from_mins(5)),
        launched: 0,
    };

    /// Jobs on `pages` pages of fifty, in the list's order or all over it.
    fn taken(asked: StartOrder, pages: u32, is_scattered: bool, pace: Pace) -> Taken {
        let mut spread = Spread::new(pace.workers);
        for nth in 0..pages * 50 {
            spread.next(if is_scattered {
                nth * 7 % pages
            } else {
                nth / 50
            });
        }
        spread.take(asked, pages as usize, &pace)
    }

    #[test]
    fn an_order_all_over_the_list_is_given_up_after_the_first_wave() {
        let taken = taken(StartOrder::Auto, 100, true, PACE);
        assert_eq!(taken.list_after, Some(200));
        assert!(taken.saves > Duration::from_mins(10), "{:?}", taken.saves);
    }

    #[test]
    fn the_lists_own_order_is_the_manifests() {
        for pages in [1, 4, 40, 100] {
            let taken = taken(StartOrder::Auto, pages, false, PACE);
            assert_eq!(taken.list_after, None, "{pages}");
            assert_eq!(taken.saves, Duration::ZERO);
        }
    }

    #[test]
    fn a_small_fleet_stays_in_the_manifests_order() {
        let few = Pace { workers: 8, ..PACE };
        assert_eq!(taken(StartOrder::Auto, 2, true, few).list_after, None);
        // One wave has no later one.
        let all = Pace {
            workers: 500,
            ..PACE
        };
        assert_eq!(taken(StartOrder::Auto, 10, true, all).list_after, None);
        let unlimited = Pace {
            rate_per_s: 0.0,
            ..PACE
        };
        assert_eq!(
            taken(StartOrder::Auto, 100, true, unlimited).list_after,
            None
        );
    }

    #[test]
    fn who_insists_gets_it() {
        let taken = |asked| taken(asked, 100, true, PACE).list_after;
        assert_eq!(taken(StartOrder::Manifest), None);
        assert_eq!(taken(StartOrder::List), Some(0));
        assert_eq!("list".parse(), Ok(StartOrder::List));
        assert!("List".parse::<StartOrder>().is_err());
    }
}
