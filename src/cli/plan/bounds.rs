//! The options that bound the damage of a run: what a plan holds, and an order keeps.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cli::error::PlanFault;
use crate::cli::global::Configured;
use crate::cli::recorded::rebuild_timeout_of;
use crate::run::{Options, StartOrder, Tolerance};
use crate::time::{self, Window};

/// The options that bound the damage of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// `--workers`
    pub workers: u32,
    /// `--max-failures`
    pub max_failures: String,
    /// `--max-mismatch`
    pub max_mismatch: String,
    /// `--window`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
    /// `--timezone`, of the window
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// `--no-requeue`
    #[serde(default)]
    pub no_requeue: bool,
    /// `--canary`
    pub canary: Option<NonZeroU32>,
    /// `--max-per-group`
    pub max_per_group: NonZeroU32,
    /// `--rebuild-timeout`: with a window it decides what starts.
    pub rebuild_timeout: String,
    /// `--order`
    #[serde(default)]
    pub order: StartOrder,
}

impl Bounds {
    /// Sets `options` to these. One that was typed otherwise is refused; what the file of the
    /// configuration says is a default, and gives way.
    pub fn apply(&self, called: &Configured, options: &mut Options) -> Result<(), PlanFault> {
        let now = Self::of(options);
        let differs = |option: &'static str, planned: &dyn ToString, given: &dyn ToString| {
            let is_typed = called.is_typed(option.trim_start_matches('-'));
            let (planned, given) = (planned.to_string(), given.to_string());
            if is_typed && planned != given {
                return Err(PlanFault::OtherOption {
                    option,
                    planned,
                    given,
                });
            }
            Ok(())
        };
        differs("--workers", &self.workers, &now.workers)?;
        differs("--max-failures", &self.max_failures, &now.max_failures)?;
        differs("--max-mismatch", &self.max_mismatch, &now.max_mismatch)?;
        let word = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        differs("--window", &word(&self.window), &word(&now.window))?;
        differs("--timezone", &word(&self.timezone), &word(&now.timezone))?;
        differs("--no-requeue", &self.no_requeue, &now.no_requeue)?;
        let canary = |canary: Option<NonZeroU32>| {
            canary.map_or_else(|| "none".to_owned(), |each| each.to_string())
        };
        differs("--canary", &canary(self.canary), &canary(now.canary))?;
        differs("--max-per-group", &self.max_per_group, &now.max_per_group)?;
        differs(
            "--rebuild-timeout",
            &self.rebuild_timeout,
            &now.rebuild_timeout,
        )?;
        differs("--order", &self.order, &now.order)?;
        let tolerance = |text: &str| {
            let parsed: Result<Tolerance, _> = text.parse();
            parsed.map_err(|error| PlanFault::NoPlan(error.to_string()))
        };
        if self.workers == 0 {
            return Err(PlanFault::NoPlan("it allows no workers".to_owned()));
        }
        options.workers = self.workers as usize;
        options.tolerances.failures = tolerance(&self.max_failures)?;
        options.tolerances.mismatches = tolerance(&self.max_mismatch)?;
        options.rollout.window = self.window()?;
        options.rules.silence_counts = !self.no_requeue;
        options.rollout.canary = self.canary;
        options.rollout.max_per_group = self.max_per_group;
        options.rollout.order = self.order;
        options.rules.rebuild_timeout = time::parse_duration(&self.rebuild_timeout)
            .map_err(|error| PlanFault::NoPlan(error.to_string()))?;
        Ok(())
    }

    /// Those with which an order was made, but for what somebody has typed for this run, which `given` has.
    #[must_use]
    pub fn unless_typed(self, given: Self, called: &Configured) -> Self {
        let is_typed = |option| called.is_typed(option);
        // The clocks belong to the window.
        let (window, timezone) = if is_typed("window") {
            (given.window, given.timezone)
        } else {
            (self.window, self.timezone)
        };
        macro_rules! typed_or_own {
            ($field:ident, $option:literal) => {
                if is_typed($option) {
                    given.$field
                } else {
                    self.$field
                }
            };
        }
        Self {
            workers: typed_or_own!(workers, "workers"),
            max_failures: typed_or_own!(max_failures, "max-failures"),
            max_mismatch: typed_or_own!(max_mismatch, "max-mismatch"),
            window,
            timezone,
            no_requeue: typed_or_own!(no_requeue, "no-requeue"),
            canary: typed_or_own!(canary, "canary"),
            max_per_group: typed_or_own!(max_per_group, "max-per-group"),
            rebuild_timeout: typed_or_own!(rebuild_timeout, "rebuild-timeout"),
            order: typed_or_own!(order, "order"),
        }
    }

    fn window(&self) -> Result<Option<Window>, PlanFault> {
        let no_plan = |error: &dyn ToString| PlanFault::NoPlan(error.to_string());
        let Some((hours, zone)) = self.window.as_ref().zip(self.timezone.as_ref()) else {
            return Ok(None);
        };
        Ok(Some(Window {
            hours: hours.parse().map_err(|error| no_plan(&error))?,
            zone: zone.parse().map_err(|error| no_plan(&error))?,
        }))
    }

    /// As options of a command line, a word each.
    pub fn words(&self) -> Vec<[String; 2]> {
        let Self {
            workers,
            max_failures,
            max_mismatch,
            window,
            timezone,
            no_requeue,
            canary,
            max_per_group,
            rebuild_timeout,
            order,
        } = self;
        let option = |name: &str, value: &dyn ToString| [name.to_owned(), value.to_string()];
        let mut words = vec![
            option("--workers", workers),
            option("--max-failures", max_failures),
            option("--max-mismatch", max_mismatch),
            option("--max-per-group", max_per_group),
            option("--rebuild-timeout", rebuild_timeout),
        ];
        words.extend(canary.map(|each| option("--canary", &each)));
        words.extend(window.as_ref().map(|hours| option("--window", hours)));
        words.extend(timezone.as_ref().map(|zone| option("--timezone", zone)));
        words.extend(no_requeue.then(|| option("--no-requeue", &"")));
        words.extend((*order != StartOrder::Auto).then(|| option("--order", order)));
        words
    }

    /// As the options of a run are recorded.
    pub fn recorded(options: &Value) -> Option<Self> {
        let names = [
            "workers",
            "max_failures",
            "max_mismatch",
            "window",
            "timezone",
            "no_requeue",
            "canary",
            "max_per_group",
            "order",
        ];
        let mut bounds = Value::Null;
        for name in names {
            bounds[name] = options[name].clone();
        }
        bounds["rebuild_timeout"] = time::exact(rebuild_timeout_of(options)).into();
        serde_json::from_value(bounds).ok()
    }

    /// Those that hold something back, and that `given` has otherwise though nobody has typed it so. Those that
    /// go first stay with their batch anyway, and without `--max-per-group` fewer are down at once.
    pub fn dropped(&self, given: &Self, called: &Configured) -> Vec<String> {
        let others = given.words();
        let dropped = self.words().into_iter().filter(|option| {
            let name = option[0].trim_start_matches('-');
            let is_kept = ["canary", "max-per-group"].contains(&name);
            !is_kept && !others.contains(option) && !called.is_typed(name)
        });
        let dropped = dropped.map(|option| option.join(" ").trim_end().to_owned());
        dropped.collect()
    }

    /// Those that `other` lacks, as words of a command line.
    pub fn beside(&self, other: &Self) -> Vec<String> {
        let others = other.words();
        let own = self.words().into_iter();
        let own = own.filter(|option| !others.contains(option));
        own.flatten().filter(|word| !word.is_empty()).collect()
    }

    pub fn of(options: &Options) -> Self {
        let window = options.rollout.window.as_ref();
        Self {
            window: window.map(|window| window.hours.to_string()),
            timezone: window.map(|window| window.zone.to_string()),
            workers: u32::try_from(options.workers).unwrap_or(u32::MAX),
            max_failures: options.tolerances.failures.to_string(),
            max_mismatch: options.tolerances.mismatches.to_string(),
            no_requeue: !options.rules.silence_counts,
            canary: options.rollout.canary,
            max_per_group: options.rollout.max_per_group,
            rebuild_timeout: time::exact(options.rules.rebuild_timeout),
            order: options.rollout.order,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::global::Typed;

    #[test]
    fn of_the_rules_of_an_order_those_give_way_that_were_typed() {
        let typed = |name: &str| Typed {
            name: name.to_owned(),
            values: Vec::new(),
        };
        let called = Configured {
            typed: vec![typed("workers"), typed("window")],
            ..Configured::default()
        };
        let of_order = Bounds {
            workers: 2,
            max_failures: "3".to_owned(),
            max_mismatch: "1".to_owned(),
            window: Some("01:00-05:00".to_owned()),
            timezone: Some("Europe/Berlin".to_owned()),
            no_requeue: true,
            canary: NonZeroU32::new(4),
            max_per_group: NonZeroU32::MIN,
            rebuild_timeout: "20m".to_owned(),
            order: StartOrder::Auto,
        };
        let given = Bounds {
            workers: 9,
            max_failures: "20%".to_owned(),
            max_mismatch: "2%".to_owned(),
            window: Some("02:00-03:00".to_owned()),
            timezone: Some("UTC".to_owned()),
            no_requeue: false,
            canary: None,
            max_per_group: NonZeroU32::MAX,
            rebuild_timeout: "1h".to_owned(),
            order: StartOrder::Auto,
        };
        let expected = Bounds {
            workers: 9,
            window: given.window.clone(),
            timezone: given.timezone.clone(),
            ..of_order.clone()
        };
        assert_eq!(of_order.unless_typed(given, &called), expected);
    }
}
