//! Text fitted into a terminal: width in columns, colours.

use console::{Color, measure_text_width, style};

/// What stands before a command that can be copied.
pub const COMMAND_INDENT: &str = "    ";

/// Colours, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint(pub(super) bool);

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Bad,
    Uncertain,
    Faint,
}

impl Paint {
    pub fn apply(self, tone: Tone, text: &str) -> String {
        let colour = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => Some(Color::Green),
            Tone::Bad => Some(Color::Red),
            Tone::Uncertain => Some(Color::Yellow),
            Tone::Faint => None,
        };
        if !self.0 || text.is_empty() {
            return text.to_owned();
        }
        let styled = style(text).force_styling(true);
        match colour {
            Some(colour) => styled.fg(colour).to_string(),
            None => styled.dim().to_string(),
        }
    }
}

/// `text` in lines of at most `width` columns, broken between words, those after the first indented.
/// A word that is longer than a line stays whole, so that a path or a command can still be copied.
pub fn wrap(text: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let columns = measure_text_width(word);
        let gap = usize::from(!line.trim_start().is_empty());
        if gap == 1 && used + gap + columns > width {
            lines.push(std::mem::take(&mut line));
            line.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if gap == 1 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += columns;
    }
    lines.push(line);
    lines
}

/// [`wrap`] for a line that may be indented: what is wrapped stands two columns further in.
pub fn fold(line: &str, width: usize) -> Vec<String> {
    let text = line.trim_start_matches(' ');
    let indent = line.len() - text.len();
    wrap(text, width.saturating_sub(indent), 2)
        .into_iter()
        .map(|text| format!("{:indent$}{text}", ""))
        .collect()
}

/// Pieces joined by two spaces into as many lines of at most `width` columns as it takes.
pub fn flow(pieces: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for piece in pieces {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 2 + measure_text_width(piece) <= width => {
                line.push_str("  ");
                line.push_str(piece);
            }
            _ => lines.push(fit(piece, width)),
        }
    }
    lines
}

/// `text`, cut to `width` columns.
pub fn fit(text: &str, width: usize) -> String {
    if width == 0 {
        return String::new();
    }
    console::truncate_str(text, width, "…").into_owned()
}

/// `left` and, where there is room, `right` at the other edge.
pub fn edges(left: &str, right: &str, width: usize) -> String {
    let taken = measure_text_width(right) + 2;
    if taken + width / 2 > width {
        return fit(left, width);
    }
    let left = fit(left, width - taken);
    let gap = width - measure_text_width(&left) - measure_text_width(right);
    format!("{left}{}{right}", " ".repeat(gap))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_break_between_words_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three", 80, 4), ["one two three"]);
        assert_eq!(wrap("one two three", 7, 2), ["one two", "  three"]);
        assert_eq!(
            wrap("in /var/lib/refleet.db now", 10, 2),
            ["in", "  /var/lib/refleet.db", "  now"]
        );
        assert_eq!(wrap("", 10, 2), [""]);
        assert_eq!(fold("  one two three", 9), ["  one two", "    three"]);
        assert_eq!(fold("", 9), [""]);
    }

    #[test]
    fn colours_can_be_switched_off() {
        assert_eq!(Paint(false).apply(Tone::Bad, "failed"), "failed");
        assert_eq!(
            Paint(true).apply(Tone::Bad, "failed"),
            "\u{1b}[31mfailed\u{1b}[0m"
        );
        assert_eq!(Paint(true).apply(Tone::Plain, "failed"), "failed");
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_the_terminal(text in "[a-zé漢 ]{0,80}", right in "[a-z0-9 ]{0,12}", width in 1_usize..100) {
            prop_assert!(measure_text_width(&fit(&text, width)) <= width);
            prop_assert!(measure_text_width(&edges(&text, &right, width)) <= width);
            for line in flow(&[text.clone(), right, text.clone()], width) {
                prop_assert!(measure_text_width(&line) <= width);
            }
            let longest = text.split(' ').map(measure_text_width).max().unwrap_or(0);
            for line in wrap(&text, width, 0) {
                prop_assert!(measure_text_width(&line) <= width.max(longest));
            }
        }
    }
}
