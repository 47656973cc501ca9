//! The options that say what happens to an instance after its success.

use std::time::Duration;

use clap::Args;
use serde_json::Value;

use super::global::Configured;
use super::headings::AFTERWARDS;
use super::options::parse_positive;
use super::recorded::hooks_of;
use crate::hook::Settings;

const WORKERS: u32 = 4;
const TIMEOUT: Duration = Duration::from_mins(10);
const RETRIES: u32 = 2;

/// What follows each success. What is not said here was perhaps said for the order.
#[derive(Debug, Clone, Default, Args)]
pub struct HookArgs {
    /// Let a shell carry this out for each instance that was rebuilt: what is known of it is JSON on its stdin, and `REFLEET_PASSWORD_FD` names the descriptor of the password; '' for nothing
    #[arg(long, help_heading = AFTERWARDS, value_name = "CMD")]
    pub on_done: Option<String>,

    /// Commands of --on-done at once; they take no slots of --workers [default: 4]
    #[arg(long, help_heading = AFTERWARDS, hide_short_help = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub hook_workers: Option<u32>,

    /// How long each may take before it is killed [default: 10m]
    #[arg(long, help_heading = AFTERWARDS, hide_short_help = true, value_name = "DURATION", value_parser = parse_positive)]
    pub hook_timeout: Option<Duration>,

    /// How often one that has failed is tried again [default: 2]
    #[arg(long, help_heading = AFTERWARDS, hide_short_help = true, value_name = "N")]
    pub hook_retries: Option<u32>,
}

impl HookArgs {
    /// What follows the successes of a batch that was worked on with the options `recorded`; `None`: nothing.
    /// Of what was said for it, only what was typed now takes the place.
    pub fn settings(&self, configured: &Configured, recorded: Option<&Value>) -> Option<Settings> {
        let recorded = recorded.and_then(hooks_of);
        macro_rules! counts {
            ($name:literal, $given:expr, $recorded:ident) => {{
                let recorded = recorded.as_ref().map(|hooks| hooks.$recorded.clone());
                if configured.is_typed($name) {
                    $given.or(recorded)
                } else {
                    recorded.or($given)
                }
            }};
        }
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let command = counts!("on-done", self.on_done.clone(), command)?;
        (!command.trim().is_empty()).then_some(Settings {
            command,
            workers: counts!("hook-workers", self.hook_workers.map(count), workers)
                .unwrap_or(count(WORKERS)),
            timeout_ms: counts!("hook-timeout", self.hook_timeout.map(ms), timeout_ms)
                .unwrap_or(ms(TIMEOUT)),
            retries: counts!("hook-retries", self.hook_retries, retries).unwrap_or(RETRIES),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::global::Typed;

    fn settings(args: &HookArgs, typed: &[&str], recorded: &Value) -> Option<Settings> {
        let typed = typed.iter().map(|name| Typed {
            name: (*name).to_owned(),
            values: Vec::new(),
        });
        let configured = Configured {
            typed: typed.collect(),
            ..Configured::default()
        };
        args.settings(&configured, Some(recorded))
    }

    #[test]
    fn what_was_said_for_the_order_counts_unless_something_else_is_typed() {
        let recorded =
            json!({"hooks": {"command": "a", "workers": 9, "timeout_ms": 5, "retries": 0}});
        let given = HookArgs {
            on_done: Some("b".to_owned()),
            hook_retries: Some(7),
            ..HookArgs::default()
        };
        let of_order = settings(&given, &[], &recorded).unwrap();
        assert_eq!((of_order.command.as_str(), of_order.retries), ("a", 0));
        let typed = settings(&given, &["on-done"], &recorded).unwrap();
        assert_eq!(
            (typed.command.as_str(), typed.workers, typed.retries),
            ("b", 9, 0)
        );
        let configured = settings(&given, &[], &json!({"hooks": null})).unwrap();
        assert_eq!((configured.command.as_str(), configured.workers), ("b", 4));
        let off = HookArgs {
            on_done: Some(String::new()),
            ..HookArgs::default()
        };
        assert_eq!(settings(&off, &["on-done"], &recorded), None);
        assert_eq!(settings(&HookArgs::default(), &[], &json!({})), None);
    }
}
