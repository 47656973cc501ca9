//! How the order compares with the one before it.

use maud::{Markup, html};

use super::super::summary::{Comparison, Summary};
use super::figures::{moment, number, took};
use crate::job::{Counts, State};

pub fn section(summary: &Summary) -> Markup {
    html! {
        section #earlier aria-labelledby="earlier-title" {
            h2 #earlier-title { "Then and now" }
            @match &summary.earlier {
                None => p { "No earlier order of this manifest is in the queue." },
                Some(then) => {
                    p {
                        "The order before this one was batch " (number("/earlier/batch", then.batch.0.unsigned_abs()))
                        ", made " (moment(then.created_at)) ". "
                        (number("/earlier/troubled_both", then.troubled_both))
                        " failed or are in doubt in both, "
                        (number("/earlier/troubled_now_only", then.troubled_now_only))
                        " only now, and "
                        (number("/earlier/recovered", then.recovered))
                        " failed or were in doubt then and are done now."
                    }
                    (side_by_side(summary, then))
                }
            }
        }
    }
}

fn side_by_side(summary: &Summary, then: &Comparison) -> Markup {
    let states = [State::Done, State::Failed, State::InDoubt];
    let counted = |at: &str, counts: &Counts, state: State| {
        number(&format!("{at}/{state}"), counts.of(state))
    };
    let durations = [
        (
            "half of them took at most",
            "median_ms",
            then.took.median_ms,
            summary.took.median_ms,
        ),
        (
            "19 of 20 took at most",
            "p95_ms",
            then.took.p95_ms,
            summary.took.p95_ms,
        ),
        (
            "the slowest took",
            "slowest_ms",
            then.took.slowest_ms,
            summary.took.slowest_ms,
        ),
    ];
    html! {
        table.sums {
            thead { tr { td {} th scope="col" { "then" } th scope="col" { "now" } } }
            tbody {
                tr {
                    th scope="row" { "jobs" }
                    td { (number("/earlier/total", then.total)) }
                    td { (number("/total", summary.total)) }
                }
                @for state in states {
                    tr {
                        th scope="row" { (state.as_str().replace('_', " ")) }
                        td { (counted("/earlier/counts", &then.counts, state)) }
                        td { (counted("/counts", &summary.counts, state)) }
                    }
                }
                @for (what, field, then_ms, now_ms) in durations {
                    tr {
                        th scope="row" { (what) }
                        td { (took(&format!("/earlier/{field}"), then_ms)) }
                        td { (took(&format!("/took/{field}"), now_ms)) }
                    }
                }
                tr {
                    th scope="row" { "from the first to the last" }
                    td { (took("/earlier/elapsed_ms", then.elapsed_ms)) }
                    td { (took("/elapsed_ms", summary.elapsed_ms)) }
                }
            }
        }
    }
}
