//! What the report is about, and when it was made by what.

use maud::{Markup, html};

use super::super::summary::Summary;
use super::figures::{foreign, moment_and_utc, number};
use crate::time::Stamp;

pub fn footer(summary: &Summary) -> Markup {
    let subject = &summary.subject;
    html! {
        footer {
            h2 { "About this report" }
            dl {
                dt { "account" }
                dd { @match &subject.account { Some(account) => (foreign(&account.to_string())), None => "not known" } }
                dt { "API" } dd { (foreign(&subject.api_url)) }
                dt { "manifest" }
                dd { (foreign(&subject.manifest)) ", ordered for the " (ordinal(subject.order)) " time" }
                dt { "batch" } dd { (subject.batch) ", of " (moment_and_utc(subject.created_at)) }
                @if let Some(plan) = &subject.plan { dt { "plan" } dd { code { (foreign(plan)) } } }
                @if let Some(run) = &subject.last_run {
                    dt { "last run" }
                    dd {
                        "from " (moment_and_utc(run.started_at))
                        @if let Some(ended) = run.ended_at { " to " (moment_and_utc(ended)) }
                        @if let Some(code) = run.exit_code {
                            ", exit code " (number("/last_run/exit_code", u64::from(code)))
                        }
                    }
                }
                dt { "queue" } dd { code { (foreign(&subject.database)) } }
                dt { "made" }
                dd { (moment_and_utc(Stamp(subject.made_ms))) ", by refleet " (env!("CARGO_PKG_VERSION")) }
            }
        }
    }
}

/// `1st`, `22nd`.
fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (1, rest) if rest != 11 => "st",
        (2, rest) if rest != 12 => "nd",
        (3, rest) if rest != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}
