//! What failed or is in doubt, by cause.

use maud::{Markup, html};

use super::super::summary::{Cause, Summary, VARIOUS};
use super::figures::{foreign, number};
use super::needs::named;
use super::words::{badge, sign};

/// Causes that are told; a batch with more has a fault of its own.
const TOLD: usize = 40;

pub fn section(summary: &Summary) -> Markup {
    let causes = &summary.causes;
    html! {
        section #failures aria-labelledby="failures-title" {
            h2 #failures-title { "What failed, by cause" }
            @if causes.is_empty() { p.all-well { "None." } }
            @else {
                ol.causes {
                    @for (place, cause) in causes.iter().take(TOLD).enumerate() { (one(place, cause, summary)) }
                }
            }
            @if causes.len() > TOLD {
                p { (causes.len() - TOLD) " rarer causes are in the table." }
            }
        }
    }
}

fn one(place: usize, cause: &Cause, summary: &Summary) -> Markup {
    let at = |field: &str| format!("/causes/{place}/{field}");
    let touched = summary.subject.action.terms().touched;
    let kind = cause.error_kind.as_str();
    let rest = cause.count - cause.instances.len() as u64;
    html! {
        li.cause {
            p.sum {
                span.many { (number(&at("count"), cause.count)) }
                " " (badge(sign(cause.state, false))) " " b { (foreign(kind)) }
                @if cause.touched > 0 {
                    " · " (number(&at("touched"), cause.touched)) " " (touched) " or perhaps " (touched)
                }
            }
            p.message {
                @match &cause.error {
                    Some(error) => (foreign(error)),
                    None => (VARIOUS),
                }
            }
            details {
                summary { "Which ones" }
                ul.named {
                    @for instance in &cause.instances { li { (named(instance)) } }
                }
                @if rest > 0 { p { "and " (rest) " more, in the table below" } }
            }
            button.quiet.scripted type="button" data-cause=(place + 1) {
                "Show all in the table"
            }
        }
    }
}
