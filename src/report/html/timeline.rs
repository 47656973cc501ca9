//! When jobs were submitted, and when they ended.

use maud::{Markup, html};

use super::super::summary::{Summary, Timeline};
use super::charts::columns;
use super::figures::{grouped, moment, span, zone};
use crate::time::Stamp;

pub fn section(summary: &Summary) -> Markup {
    html! {
        section #timeline aria-labelledby="timeline-title" {
            h2 #timeline-title { "When it happened" }
            @match summary.timeline.from {
                None => p { "Nothing has happened yet." },
                Some(from) => (chart(&summary.timeline, from)),
            }
        }
    }
}

fn chart(timeline: &Timeline, from: Stamp) -> Markup {
    let Timeline {
        from: _,
        bucket_ms,
        submitted,
        done,
        failed,
    } = timeline;
    let ended: Vec<u64> = done
        .iter()
        .zip(failed)
        .map(|(done, failed)| done + failed)
        .collect();
    let most = |values: &[u64]| values.iter().copied().max().unwrap_or(0);
    let highest = most(submitted).max(most(&ended));
    let width = width(*bucket_ms);
    let said = |what: &str, values: &[u64]| {
        let all = grouped(values.iter().sum());
        format!(
            "{what}: {all}, at most {} within {width}",
            grouped(most(values))
        )
    };
    // From the beginning to the end, evenly.
    let marks = (0..5u64).map(|quarter| {
        let offset = bucket_ms.saturating_mul(done.len() as u64) / 4 * quarter;
        Stamp(from.0.saturating_add_unsigned(offset))
    });
    html! {
        figure.timeline {
            figcaption { span.key.submitted { "submitted" } " · one column is " (width) " · times are " (zone()) }
            (columns(&[("submitted", submitted)], highest, &said("submitted", submitted)))
            figcaption { span.key.done { "✓ done" } " " span.key.failed { "✕ failed" } }
            (columns(&[("done", done), ("failed", failed)], highest, &said("ended", &ended)))
            div.axis { @for mark in marks { span { (moment(mark)) } } }
        }
    }
}

/// `10m`, where a duration that was measured would be `10m 0s`.
fn width(bucket_ms: u64) -> String {
    let span = span(bucket_ms);
    let round = span.split_once(" 0").map(|(round, _)| round.to_owned());
    round.unwrap_or(span)
}
