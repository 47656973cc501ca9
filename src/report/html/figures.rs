//! Numbers, moments and foreign texts as the page shows them.

use maud::{Markup, html};

use crate::text;
use crate::time::{self, Stamp};

/// A number, and where the summary has it (a JSON pointer).
pub fn number(at: &str, value: u64) -> Markup {
    html! { data value=(value) data-of=(at) { (grouped(value)) } }
}

/// A duration likewise, for people; `None`: nobody knows.
pub fn took(at: &str, took_ms: Option<u64>) -> Markup {
    let Some(took_ms) = took_ms else {
        return html! { "–" };
    };
    html! { data value=(took_ms) data-of=(at) { (span(took_ms)) } }
}

/// `4m 10s`.
pub fn span(ms: u64) -> String {
    time::short(std::time::Duration::from_millis(ms))
}

/// A moment in UTC, which the script writes as the reader's clocks do.
pub fn moment(at: Stamp) -> Markup {
    html! { time datetime=(at) { (time::human(at.0)) } }
}

/// The same, and the script leaves UTC beside it.
pub fn moment_and_utc(at: Stamp) -> Markup {
    html! { time datetime=(at) data-utc { (time::human(at.0)) } }
}

/// Whose clocks the moments beside it are told by: UTC's, and as the script writes them the reader's.
pub fn zone() -> Markup {
    html! { span data-zone { "UTC" } }
}

/// `10,000`.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A foreign text, with nothing in it that hides what it says.
pub fn foreign(text: &str) -> Markup {
    html! { (text::printable(text)) }
}

/// A command to type, which one click marks whole. Each word stands for itself, so that no line ends
/// within an option.
pub fn command(command: &str) -> Markup {
    let command = text::printable(command);
    html! {
        code.command {
            @for (place, word) in command.split(' ').enumerate() {
                @if place > 0 { " " }
                span { (word) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (value, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (123_456, "123,456"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(grouped(value), text);
        }
    }
}
