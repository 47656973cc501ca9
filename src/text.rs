//! Foreign text (API messages, manifest cells) made safe to print.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

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

/// `path` as one word of a shell's command line that no command takes for an option.
pub fn shell_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    // A lone dash is stdin.
    if text.starts_with('-') && text != "-" {
        return shell_word(&format!("./{text}")).into_owned();
    }
    shell_word(&text).into_owned()
}

/// Would a spreadsheet run a cell that holds this? They run what begins with one of `= + - @` or
/// their full-width forms (OWASP, "CSV Injection"), some also after blanks or quotes.
pub fn begins_formula(cell: &str) -> bool {
    cell.trim_start_matches(|character: char| {
        character.is_whitespace() || matches!(character, '"' | '\'')
    })
    .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠'])
}

/// `text` with a `'` before everything that a spreadsheet would run, in such a way that
/// [`unguarded`] gives back exactly `text`. A semicolon begins a new cell where the spreadsheet's
/// locale separates by it, whatever was quoted.
pub fn guarded(text: &str) -> Cow<'_, str> {
    let guard = |cell: &str| if begins_formula(cell) { "'" } else { "" };
    each_cell(text, |cell, out| {
        out.push_str(guard(cell));
        out.push_str(cell);
    })
}

/// The text of which [`guarded`] made this cell. A cell that nobody guarded stays as it is.
pub fn unguarded(cell: &str) -> Cow<'_, str> {
    each_cell(cell, |cell, out| {
        let bare = cell.strip_prefix('\'').filter(|bare| begins_formula(bare));
        out.push_str(bare.unwrap_or(cell));
    })
}

/// `text` with `write` done to what a semicolon separates, if anything in it could be a formula.
fn each_cell(text: &str, write: impl Fn(&str, &mut String)) -> Cow<'_, str> {
    if !text.split(';').any(begins_formula) {
        return Cow::Borrowed(text);
    }
    let mut cells = String::with_capacity(text.len() + 2);
    for (place, cell) in text.split(';').enumerate() {
        if place > 0 {
            cells.push(';');
        }
        write(cell, &mut cells);
    }
    Cow::Owned(cells)
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
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_guarded_cell_runs_nowhere() {
        for (text, cell) in [
            ("", ""),
            ("a-b=c", "a-b=c"),
            ("=1+1", "'=1+1"),
            ("'=1+1", "''=1+1"),
            (" \"＠x", "' \"＠x"),
            ("rack 4;=HYPERLINK(1)", "rack 4;'=HYPERLINK(1)"),
            ("-5;a; +b", "'-5;a;' +b"),
            ("O'Brien", "O'Brien"),
        ] {
            assert_eq!(guarded(text), cell, "{text:?}");
            assert_eq!(unguarded(cell), text);
        }
        // Typed by a person, or saved by a spreadsheet that has taken the guard away.
        for cell in ["=1+1", "'x", "a;=b"] {
            assert_eq!(unguarded(cell), cell);
        }
    }

    proptest! {
        #[test]
        fn a_guard_is_taken_away_exactly(text in r#"[=+@'"; \-a＝é\n\t]{0,12}"#) {
            let cell = guarded(&text);
            prop_assert_eq!(unguarded(&cell), &*text);
            for part in cell.split(';') {
                prop_assert!(!begins_formula(part) || part.starts_with('\''));
            }
        }
    }

    #[test]
    fn a_path_becomes_one_word_of_a_command() {
        assert_eq!(shell_word("/srv/fleet-2.db"), "/srv/fleet-2.db");
        assert_eq!(shell_word("my fleet's.csv"), r"'my fleet'\''s.csv'");
        assert_eq!(shell_word("$(x)"), "'$(x)'");
        assert_eq!(shell_word(""), "''");
        let path = |path: &str| shell_path(Path::new(path));
        assert_eq!(path("-x.db"), "./-x.db");
        assert_eq!(path("-my fleet.db"), "'./-my fleet.db'");
        assert_eq!(path("a b/$HOME"), "'a b/$HOME'");
        assert_eq!(path("-"), "-");
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
