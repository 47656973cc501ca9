//! How many jobs stand where, in words.

use super::layout::Tone;
use crate::job::{Counter, Counts};

/// `done 312, failed 2, in doubt 1 (held 1), in progress 8, queued 177`.
pub fn record(counts: &Counts) -> String {
    let pieces: Vec<String> = counters(counts).into_iter().map(|(text, _)| text).collect();
    pieces.join(", ")
}

/// The counters that are always shown, then those that are shown when they count something.
pub fn counters(counts: &Counts) -> Vec<(String, Tone)> {
    Counter::ALL
        .into_iter()
        .filter(|counter| *counter != Counter::Cancelled || counts.cancelled > 0)
        .map(|counter| {
            let count = counter.of(counts);
            let held = if counter == Counter::InDoubt && counts.held > 0 {
                format!(" (held {})", counts.held)
            } else {
                String::new()
            };
            let tone = if count > 0 {
                tone(counter)
            } else {
                Tone::Plain
            };
            (format!("{} {count}{held}", counter.words()), tone)
        })
        .collect()
}

fn tone(counter: Counter) -> Tone {
    match counter {
        Counter::Done => Tone::Good,
        Counter::Failed => Tone::Bad,
        Counter::InDoubt => Tone::Uncertain,
        Counter::InProgress | Counter::Queued | Counter::Cancelled => Tone::Plain,
    }
}

pub fn instances(count: u64) -> String {
    if count == 1 {
        "1 instance".to_owned()
    } else {
        format!("{count} instances")
    }
}
