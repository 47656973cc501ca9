//! The counts against the manifest: where each of its rows is.

use maud::{Markup, html};

use super::super::summary::Summary;
use super::answers::{bar, shown};
use super::figures::{foreign, number};
use super::words::{badge, sign};
use crate::job::{SheetRows, State};

pub fn section(summary: &Summary) -> Markup {
    let SheetRows {
        all,
        already_done,
        held_elsewhere,
        not_due,
    } = summary.subject.rows;
    let left_out = [
        (
            "/rows/already_done",
            already_done,
            "left out: they had this image already",
        ),
        ("/rows/not_due", not_due, "left out: not due yet"),
        (
            "/rows/held_elsewhere",
            held_elsewhere,
            "left out: an earlier batch holds them in doubt",
        ),
    ];
    html! {
        section #sheet aria-labelledby="sheet-title" {
            h2 #sheet-title { "The rows of the sheet" }
            (bar(summary))
            table.sums {
                caption.aside { "Each row of " (foreign(&summary.subject.manifest)) " stands in one of these." }
                tbody {
                    @for state in shown(summary) {
                        tr {
                            th scope="row" { (badge(sign(state, false))) (held(summary, state)) }
                            td { (number(&format!("/counts/{state}"), summary.counts.of(state))) }
                        }
                    }
                    @for (at, count, why) in left_out {
                        @if count > 0 { tr { th scope="row" { (why) } td { (number(at, count)) } } }
                    }
                    @if summary.rows_unaccounted > 0 {
                        tr.urgent {
                            th scope="row" { "not accounted for" }
                            td { (number("/rows_unaccounted", summary.rows_unaccounted)) }
                        }
                    }
                }
                tfoot { tr { th scope="row" { "rows of the sheet" } td { (number("/rows/all", all)) } } }
            }
        }
    }
}

/// How many of the doubts only somebody's word can settle.
fn held(summary: &Summary, state: State) -> Markup {
    let held = summary.counts.held;
    html! {
        @if state == State::InDoubt && held > 0 {
            ", " (number("/counts/held", held)) " of them held for you"
        }
    }
}
