//! What is recorded of how a run works, and what of that the next run of its batch has to be told again.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::Serialize;

use super::error::CliError;
use super::global::{Configured, Typed};
use super::options::{PaceArgs, REBUILD_TIMEOUT, REQUEST_TIMEOUT, SETTLE};
use crate::hook::Settings;
use crate::job::Limits;
use crate::run::hosts::Waits;
use crate::run::{Options, Rollout};
use crate::time::{Window, exact};

/// The options of [`PaceArgs`] that the next run of the same batch needs as well, in the order in which a
/// hint repeats them: all but `--no-wait`, after which a run has to wait.
const REPEATED: [&str; 22] = [
    "canary",
    "max-per-group",
    "window",
    "timezone",
    "order",
    "workers",
    "rate",
    "max-failures",
    "max-mismatch",
    "no-requeue",
    "history",
    "no-witness",
    "ssh-port",
    "rebuild-timeout",
    "poll-interval",
    "settle",
    "unseen-after",
    "retries",
    "backoff-initial",
    "backoff-max",
    "timeout",
    "outage-timeout",
];

/// Those of [`REPEATED`] that a plan holds, so that a run by it needs none of them.
const IN_PLAN: [&str; 10] = [
    "canary",
    "max-per-group",
    "window",
    "timezone",
    "workers",
    "max-failures",
    "max-mismatch",
    "no-requeue",
    "rebuild-timeout",
    "order",
];

/// Those that say how the manifest is read: needed by whoever names it again.
const OF_SHEET: [&str; 4] = ["ignore-column", "sheet", "header-row", "include-hidden"];

/// Those that are given without a value.
const FLAGS: [&str; 3] = ["no-requeue", "no-witness", "include-hidden"];

/// What was typed for a run and the next one of the same batch needs as well, as words of a command line.
/// A default is none of it, and neither is what the configuration says: both count then, too.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Repeated {
    /// Where the manifest is named.
    pub sheet: Vec<String>,
    pub options: Vec<String>,
}

impl Repeated {
    pub fn of(typed: &[Typed], options: &Options) -> Self {
        let mut words = words(typed, &REPEATED);
        let is_there = |option: &str| words.iter().any(|word| word == option);
        if let Some(window) = &options.rollout.window
            && is_there("--window")
            && !is_there("--timezone")
        {
            // By the clocks of this machine, wherever the hint is typed.
            words.extend(["--timezone".to_owned(), window.zone.to_string()]);
        }
        Self {
            sheet: sheet_words(typed),
            options: words,
        }
    }
}

/// How the manifest was said to be read, as words of a command line.
pub fn sheet_words(typed: &[Typed]) -> Vec<String> {
    words(typed, &OF_SHEET)
}

/// What a run by the plan that was made with these needs as well, as words of a command line.
pub fn beside_plan(typed: &[Typed]) -> Vec<String> {
    let beside = REPEATED.into_iter().filter(|name| !IN_PLAN.contains(name));
    words(typed, &beside.collect::<Vec<_>>())
}

fn words(typed: &[Typed], names: &[&str]) -> Vec<String> {
    let mut words = Vec::new();
    for name in names {
        let typed = typed.iter().find(|typed| typed.name == *name);
        for value in typed.into_iter().flat_map(|typed| &typed.values) {
            if FLAGS.contains(name) {
                words.push(format!("--{name}"));
            } else if value.starts_with('-') {
                // Apart it would be taken for another option.
                words.push(format!("--{name}={value}"));
            } else {
                words.extend([format!("--{name}"), value.clone()]);
            }
        }
    }
    words
}

/// The options for the records of a run.
pub fn as_json(
    options: &Options,
    repeated: &Repeated,
    hooks: Option<&Settings>,
) -> serde_json::Value {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    serde_json::json!({
        "workers": options.workers,
        "rate_per_s": options.rate_per_s,
        "retries": options.rules.retries,
        "backoff_initial_ms": ms(options.backoff.initial),
        "backoff_max_ms": ms(options.backoff.max),
        "outage_timeout_ms": ms(options.outage_timeout),
        "poll_interval_ms": ms(options.rules.poll_interval),
        "settle_ms": ms(options.rules.settle),
        "timeout_ms": ms(options.rules.request_timeout),
        "unseen_after_ms": ms(options.rules.unseen_after),
        "rebuild_timeout_ms": ms(options.rules.rebuild_timeout),
        "max_failures": options.tolerances.failures.to_string(),
        "max_mismatch": options.tolerances.mismatches.to_string(),
        "canary": options.rollout.canary,
        "max_per_group": options.rollout.max_per_group,
        "order": options.rollout.order,
        "no_requeue": !options.rules.silence_counts,
        "history": options.witnesses.history.as_ref().map(ToString::to_string),
        "ssh_port": options.witnesses.ssh_port,
        "window": options.rollout.window.as_ref().map(|window| window.hours.to_string()),
        "timezone": options.rollout.window.as_ref().map(|window| window.zone.to_string()),
        "no_wait": options.no_wait,
        "stale": options.stale,
        "repeated": repeated,
        "hooks": hooks,
    })
}

/// What an order was said to be worked on with, beyond its bounds (`Bounds`), counts for whoever works on it,
/// unless `called` has typed it: sets `options` to it, and returns it as words of a command line. What was
/// recorded is how it was resolved, and a default says nothing: the configuration of this host counts then.
pub fn keep_to(
    recorded: &serde_json::Value,
    called: &Configured,
    options: &mut Options,
) -> Result<Vec<String>, CliError> {
    let (defaults, _) = PaceArgs::default().resolve(false)?;
    let mut words = Vec::new();
    macro_rules! keep {
        ($name:literal, $recorded:expr, $shown:expr, $($field:ident).+) => {
            if let Some(value) = $recorded
                && !called.is_typed($name)
                && $shown(value) != $shown(defaults.$($field).+)
                && $shown(value) != $shown(options.$($field).+)
            {
                options.$($field).+ = value;
                words.extend([concat!("--", $name).to_owned(), $shown(value)]);
            }
        };
    }
    let duration = |name: &str| recorded[name].as_u64().map(Duration::from_millis);
    let retries = recorded["retries"]
        .as_u64()
        .and_then(|it| u32::try_from(it).ok());
    keep!(
        "rate",
        recorded["rate_per_s"].as_f64(),
        |it: f64| it.to_string(),
        rate_per_s
    );
    let history = recorded["history"].as_str().and_then(|it| it.parse().ok());
    if let Some(history) = history.filter(|it| options.witnesses.history.as_ref() != Some(it))
        && !called.is_typed("history")
    {
        words.extend(["--history".to_owned(), history.to_string()]);
        options.witnesses.history = Some(history);
    }
    words.extend(keep_witness(recorded, called, options));
    keep!(
        "poll-interval",
        duration("poll_interval_ms"),
        exact,
        rules.poll_interval
    );
    keep!("settle", duration("settle_ms"), exact, rules.settle);
    keep!(
        "unseen-after",
        duration("unseen_after_ms"),
        exact,
        rules.unseen_after
    );
    keep!("retries", retries, |it: u32| it.to_string(), rules.retries);
    keep!(
        "backoff-initial",
        duration("backoff_initial_ms"),
        exact,
        backoff.initial
    );
    keep!(
        "backoff-max",
        duration("backoff_max_ms"),
        exact,
        backoff.max
    );
    keep!(
        "timeout",
        duration("timeout_ms"),
        exact,
        rules.request_timeout
    );
    keep!(
        "outage-timeout",
        duration("outage_timeout_ms"),
        exact,
        outage_timeout
    );
    Ok(words)
}

/// [`keep_to`] for the look at the instances' host keys.
fn keep_witness(
    recorded: &serde_json::Value,
    called: &Configured,
    options: &mut Options,
) -> Vec<String> {
    let is_typed = called.is_typed("no-witness") || called.is_typed("ssh-port");
    // A run that does not wait looks at none, which is no rule of the order; neither is what an earlier
    // version has not recorded.
    let is_off = options.no_wait || no_wait_of(recorded);
    let Some(port) = recorded.get("ssh_port").filter(|_| !is_typed && !is_off) else {
        return Vec::new();
    };
    if *port == serde_json::Value::from(options.witnesses.ssh_port) {
        return Vec::new();
    }
    match port {
        serde_json::Value::Null => {
            options.witnesses.ssh_port = None;
            vec!["--no-witness".to_owned()]
        }
        port => match port.as_u64().and_then(|port| u16::try_from(port).ok()) {
            Some(port) if port != 22 => {
                options.witnesses.ssh_port = Some(port);
                vec!["--ssh-port".to_owned(), port.to_string()]
            }
            Some(_) | None => Vec::new(),
        },
    }
}

/// For how long what a run had sent may still take effect, by its options as they are recorded.
pub fn waits_of(options: &serde_json::Value) -> Waits {
    let of = |name: &str, usual| {
        let ms = options[name].as_u64();
        ms.map_or(usual, Duration::from_millis)
    };
    Waits {
        request: of("timeout_ms", REQUEST_TIMEOUT),
        settle: of("settle_ms", SETTLE),
    }
}

/// Who goes first, who never goes down together, and when, by the options of a run as they are recorded.
pub fn rollout_of(options: &serde_json::Value) -> Rollout {
    let number = |name: &str| {
        let number = options[name].as_u64()?;
        NonZeroU32::new(u32::try_from(number).ok()?)
    };
    let window = || {
        Some(Window {
            hours: options["window"].as_str()?.parse().ok()?,
            zone: options["timezone"].as_str()?.parse().ok()?,
        })
    };
    Rollout {
        canary: number("canary"),
        max_per_group: number("max_per_group").unwrap_or(NonZeroU32::MIN),
        window: window(),
        order: options["order"]
            .as_str()
            .and_then(|order| order.parse().ok())
            .unwrap_or_default(),
    }
}

/// What follows each success, by the options of a run as they are recorded.
pub fn hooks_of(options: &serde_json::Value) -> Option<Settings> {
    serde_json::from_value(options["hooks"].clone()).ok()
}

/// Whether a run waits for no completion, by its options as they are recorded.
pub fn no_wait_of(options: &serde_json::Value) -> bool {
    options["no_wait"].as_bool().unwrap_or(false)
}

/// Under which limits a run works, by its options as they are recorded and what was `set` for it since.
pub fn limits_of(options: &serde_json::Value, set: &Limits) -> Limits {
    let workers = options["workers"].as_u64();
    let max_failures = options["max_failures"].as_str();
    Limits {
        workers: set
            .workers
            .or(workers.and_then(|it| usize::try_from(it).ok())),
        rate_per_s: set.rate_per_s.or(options["rate_per_s"].as_f64()),
        max_failures: set
            .max_failures
            .or(max_failures.and_then(|it| it.parse().ok())),
    }
}

/// How long a rebuild may take, by the options of a run as they are recorded.
pub fn rebuild_timeout_of(options: &serde_json::Value) -> Duration {
    let ms = options["rebuild_timeout_ms"].as_u64();
    ms.map_or(REBUILD_TIMEOUT, Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    /// Who adds an option decides here whether a hint repeats it.
    #[test]
    fn each_option_is_repeated_but_for_the_one_that_is_for_one_run() {
        let command = PaceArgs::augment_args(clap::Command::new("run"));
        let all = command.get_arguments().filter_map(clap::Arg::get_long);
        let mut all: Vec<&str> = all.filter(|name| *name != "no-wait").collect();
        let mut repeated = REPEATED.to_vec();
        all.sort_unstable();
        repeated.sort_unstable();
        assert_eq!(repeated, all);
    }

    #[test]
    fn who_was_told_not_to_look_at_instances_does_not_and_the_usual_port_says_nothing() {
        let kept = |ordered: PaceArgs, own: PaceArgs| {
            let resolved = |args: PaceArgs| args.resolve(false).unwrap().0;
            let recorded = as_json(&resolved(ordered), &Repeated::default(), None);
            let mut options = resolved(own);
            let words = keep_to(&recorded, &Configured::default(), &mut options).unwrap();
            (options.witnesses.ssh_port, words.join(" "))
        };
        let blind = || PaceArgs {
            no_witness: true,
            ..PaceArgs::default()
        };
        let usual = PaceArgs::default;
        assert_eq!(kept(blind(), usual()), (None, "--no-witness".to_owned()));
        assert_eq!(kept(usual(), blind()), (None, String::new()));
        assert_eq!(kept(usual(), usual()), (Some(22), String::new()));
    }

    /// And whether a service goes by it, or its bounds have it.
    #[test]
    fn whoever_works_on_an_order_keeps_to_all_that_was_said_for_it() {
        let ordered = PaceArgs {
            history: Some("service.history,rebuild=reinstall".parse().unwrap()),
            ssh_port: Some(2222),
            rate: Some(2.0),
            retries: Some(7),
            backoff_initial: Some(Duration::from_secs(3)),
            backoff_max: Some(Duration::from_secs(9)),
            timeout: Some(Duration::from_secs(20)),
            outage_timeout: Some(Duration::from_mins(11)),
            poll_interval: Some(Duration::from_secs(4)),
            settle: Some(Duration::from_mins(9)),
            unseen_after: Some(Duration::from_mins(7)),
            ..PaceArgs::default()
        };
        let (ordered, _) = ordered.resolve(false).unwrap();
        let recorded = as_json(&ordered, &Repeated::default(), None);
        let given = PaceArgs {
            settle: Some(Duration::from_mins(1)),
            ..PaceArgs::default()
        };
        let (given, _) = given.resolve(false).unwrap();
        let kept = |typed: &[&str]| {
            let typed = typed.iter().map(|name| Typed {
                name: (*name).to_owned(),
                values: Vec::new(),
            });
            let called = Configured {
                typed: typed.collect(),
                ..Configured::default()
            };
            let mut options = given.clone();
            let words = keep_to(&recorded, &called, &mut options).unwrap();
            (options, words)
        };
        let (options, words) = kept(&[]);
        assert_eq!(as_json(&options, &Repeated::default(), None), recorded);
        let names = words.iter().filter_map(|word| word.strip_prefix("--"));
        let names: Vec<&str> = names.collect();
        // The port is one of those that are looked at.
        let is_left = |name: &&str| !IN_PLAN.contains(name) && *name != "no-witness";
        let left = REPEATED.iter().copied().filter(is_left);
        assert_eq!(names, left.collect::<Vec<_>>());
        assert_eq!(words[9], "9m");
        let (options, _) = kept(&["settle"]);
        assert_eq!(options.rules.settle, Duration::from_mins(1));
        // What nobody has said for the order, the configuration of this host may say.
        let usual = PaceArgs::default().resolve(false).unwrap().0;
        let mut options = given.clone();
        let recorded = as_json(&usual, &Repeated::default(), None);
        let words = keep_to(&recorded, &Configured::default(), &mut options).unwrap();
        assert_eq!(words, Vec::<String>::new());
        assert_eq!(options.rules.settle, Duration::from_mins(1));
    }
}
