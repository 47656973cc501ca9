//! Foreign text (API messages, manifest cells) made safe to print.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The longest foreign message that is kept or shown, in characters.
pub const MESSAGE_CHARS_MAX: usize = 300;

/// `text` without anything that could steer a terminal or hide what it says: control characters,
/// escapes and invisible or direction-changing marks are written out as `\u{…}`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// `text` as one word of a shell's command line, quoted where it has to be.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let plain = |character: char| character.is_alphanumeric() || "-_./:=@%+,".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
}

/// [`printable`], trimmed, on one line, and at most `chars_max` characters long.
pub fn brief(text: &str, chars_max: usize) -> String {
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if words.len() > chars_max.saturating_mul(4) {
            break;
        }
    }
    let safe = printable(&words);
    if safe.chars().count() <= chars_max {
        return safe.into_owned();
    }
    let mut short: String = safe.chars().take(chars_max.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Control characters, and the invisible marks that make a text look like another one.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_one_word_of_a_command() {
        assert_eq!(shell_word("/srv/fleet-2.db"), "/srv/fleet-2.db");
        assert_eq!(shell_word("my fleet's.csv"), r"'my fleet'\''s.csv'");
        assert_eq!(shell_word("$(x)"), "'$(x)'");
        assert_eq!(shell_word(""), "''");
    }

    #[test]
    fn nothing_that_steers_a_terminal_survives() {
        assert_eq!(printable("plain ä 漢"), "plain ä 漢");
        assert_eq!(
            printable("\x1b[2J\u{202e}x\r\n\0"),
            "\\u{1b}[2J\\u{202e}x\\u{d}\\u{a}\\u{0}"
        );
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
    }

    #[test]
    fn brief_text_is_one_trimmed_line_of_bounded_length() {
        assert_eq!(
            brief(" Invalid  username\n or password ", 300),
            "Invalid username or password"
        );
        assert_eq!(brief("abcdef", 4), "abc…");
        assert_eq!(brief(&"x".repeat(10_000_000), 10).chars().count(), 10);
    }
}
