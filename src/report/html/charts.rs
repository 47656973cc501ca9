//! Charts as SVG: rectangles, coloured by class. What they show stands beside them in words.

use maud::{Markup, html};

/// Parts of a whole, side by side. `parts`: the class of each, and how many.
pub fn shares(parts: &[(&str, u64)], label: &str) -> Markup {
    const WIDTH: f64 = 1000.0;
    const GAP: f64 = 3.0;
    /// What is there is seen.
    const LEAST: f64 = 6.0;
    let parts: Vec<_> = parts.iter().filter(|(_, count)| *count > 0).collect();
    let all: u64 = parts.iter().map(|(_, count)| *count).sum();
    let room = WIDTH - GAP * as_f64(parts.len().saturating_sub(1) as u64);
    let natural = |count: u64| (as_f64(count) / as_f64(all.max(1)) * room).max(LEAST);
    let scale = room
        / parts
            .iter()
            .map(|(_, count)| natural(*count))
            .sum::<f64>()
            .max(1.0);
    let mut end = -GAP;
    let bars = parts.iter().map(|(class, count)| {
        let left = end + GAP;
        let width = natural(*count) * scale;
        end = left + width;
        (class, left, width)
    });
    html! {
        svg.shares viewBox="0 0 1000 14" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (class, left, width) in bars {
                rect class={ "fill " (class) } x=(short(left)) y="0" width=(short(width)) height="14" {}
            }
        }
    }
}

/// One of several durations on the same scale: up to what nineteen of twenty took, with a mark where half
/// of them were done, and one at the slowest.
pub fn strip(median_ms: u64, p95_ms: u64, slowest_ms: u64, scale_ms: u64) -> Markup {
    let place = |ms: u64| as_f64(ms) / as_f64(scale_ms.max(1)) * 990.0;
    html! {
        svg.strip viewBox="0 0 1000 16" preserveAspectRatio="none" aria-hidden="true" {
            rect.rail x="0" y="7" width=(short(place(slowest_ms))) height="2" {}
            rect.fill.most x="0" y="4" width=(short(place(p95_ms).max(2.0))) height="8" {}
            rect.fill.half x=(short(place(median_ms))) y="1" width="6" height="14" {}
            rect.fill.end x=(short(place(slowest_ms))) y="4" width="4" height="8" {}
        }
    }
}

/// Columns over time. `series`: the class of each, and its values, stacked from below.
pub fn columns(series: &[(&str, &[u64])], highest: u64, label: &str) -> Markup {
    const HEIGHT: f64 = 60.0;
    let lengths = series.iter().map(|(_, values)| values.len());
    let length = lengths.max().unwrap_or(0);
    let step = 1000.0 / as_f64(length.max(1) as u64);
    let mut bars = Vec::new();
    let mut tops = vec![HEIGHT; length];
    for (class, values) in series {
        for ((place, value), top) in (0..).zip(*values).zip(&mut tops) {
            if *value == 0 {
                continue;
            }
            let height = (as_f64(*value) / as_f64(highest.max(1)) * HEIGHT).max(1.5);
            *top -= height;
            bars.push((class, step * as_f64(place), *top, height));
        }
    }
    html! {
        svg.columns viewBox="0 0 1000 60" preserveAspectRatio="none" role="img" aria-label=(label) {
            @for (class, left, top, height) in bars {
                rect class={ "fill " (class) } x=(short(left)) y=(short(top))
                    width=(short(step * 0.86)) height=(short(height)) {}
            }
        }
    }
}

/// A place in a picture needs no more digits.
fn short(value: f64) -> String {
    format!("{value:.1}")
}

#[expect(clippy::cast_precision_loss, reason = "places in a picture")]
fn as_f64(value: u64) -> f64 {
    value as f64
}
