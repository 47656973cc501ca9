//! What a person is told on stderr, as text or, with `--log-format json`, as one JSON object a line:
//!
//! ```json
//! {"ts":"2026-11-23T02:00:00.000Z","level":"warn","event":"warning","message":"the list lacks 3 of them"}
//! ```
//!
//! The one fact to know: which of both it is, is known before anything is told, and each line is written
//! whole and at once, so that lines of several threads never mix.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{text, time};

/// stderr is one, and so is what is said about it.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// From now on stderr gets JSON, or text.
pub fn set_json(is_json: bool) {
    IS_JSON.store(is_json, Ordering::Relaxed);
}

/// stderr gets JSON.
pub fn is_json() -> bool {
    IS_JSON.load(Ordering::Relaxed)
}

/// How urgent a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Tells a person something on stderr; where nobody listens, nothing is lost.
pub fn tell(text: &str) {
    if is_json() {
        write(&lines_of(time::now_ms(), text, &Map::new()));
    } else {
        write(text);
    }
}

/// Tells one thing on a stderr that gets JSON.
pub fn tell_line(level: Level, event: &str, message: &str) {
    write(&line(time::now_ms(), level, event, message, Map::new()));
}

/// Writes to stderr, as it is.
pub fn write(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// One line, with a line feed. Of `fields` those are left out that every line has.
pub fn line(
    at_ms: i64,
    level: Level,
    event: &str,
    message: &str,
    mut fields: Map<String, Value>,
) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        ts: &'a str,
        level: Level,
        event: &'a str,
        message: &'a str,
        #[serde(flatten)]
        fields: Map<String, Value>,
    }
    for name in ["ts", "level", "event", "message"] {
        fields.remove(name);
    }
    let line = Line {
        ts: &time::rfc3339(at_ms),
        level,
        event,
        message,
        fields,
    };
    let json = serde_json::to_string(&line).expect("texts and numbers, and names that are texts");
    harmless(&json) + "\n"
}

/// What `text` says to a person, a line for each thing that it says. What goes on, indented or below an error
/// or a warning, belongs to what it goes on from. `of_errors`: the fields of each error.
pub fn lines_of(at_ms: i64, text: &str, of_errors: &Map<String, Value>) -> String {
    let mut said: Vec<(Level, &str, String)> = Vec::new();
    for text in text.lines().filter(|line| !line.trim().is_empty()) {
        let begins = [
            ("error: ", Level::Error, "error"),
            ("warning: ", Level::Warn, "warning"),
            ("hint: ", Level::Info, "hint"),
        ];
        let begun = begins.into_iter().find_map(|(prefix, level, event)| {
            let message = text.strip_prefix(prefix)?;
            Some((level, event, message.to_owned()))
        });
        match (begun, said.last_mut()) {
            (Some(begun), _) => said.push(begun),
            (None, Some((level, _, message))) if text.starts_with(' ') || *level > Level::Info => {
                message.push('\n');
                message.push_str(text);
            }
            (None, _) => said.push((Level::Info, "note", text.trim_start().to_owned())),
        }
    }
    said.into_iter()
        .fold(String::new(), |all, (level, event, message)| {
            let fields = match level {
                Level::Error => of_errors.clone(),
                Level::Trace | Level::Debug | Level::Info | Level::Warn => Map::new(),
            };
            all + &line(at_ms, level, event, &message, fields)
        })
}

/// JSON in which nothing can steer a terminal, and that says the same: what could stands within texts.
fn harmless(json: &str) -> String {
    if !json.chars().any(text::is_unsafe) {
        return json.to_owned();
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if !text::is_unsafe(character) {
            safe.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{unit:04x}");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(lines: &str) -> Vec<(String, String, String)> {
        let one = |line: &str| {
            let value: Value = serde_json::from_str(line).unwrap();
            let word = |name: &str| value[name].as_str().unwrap().to_owned();
            (word("level"), word("event"), word("message"))
        };
        lines.lines().map(one).collect()
    }

    #[test]
    fn each_thing_that_is_said_is_a_line() {
        let text = "\nerror: two batches are unfinished:\n  batch 1: a.csv\nand that is that\n\
                    hint: name one\n\nwarning: it is late\nhint: so hurry\nread 3 of 5\n  rows\nread 5\n";
        let lines = lines_of(0, text, &Map::new());
        let expected = [
            (
                "error",
                "error",
                "two batches are unfinished:\n  batch 1: a.csv\nand that is that",
            ),
            ("info", "hint", "name one"),
            ("warn", "warning", "it is late"),
            ("info", "hint", "so hurry"),
            ("info", "note", "read 3 of 5\n  rows"),
            ("info", "note", "read 5"),
        ];
        let expected = expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(parsed(&lines), expected);
        assert_eq!(lines_of(0, "\n \n", &Map::new()), "");
    }

    #[test]
    fn a_line_begins_with_what_every_line_has_and_only_errors_have_a_code() {
        let mut fields = Map::new();
        fields.insert("exit_code".to_owned(), 2.into());
        fields.insert("message".to_owned(), "another".into());
        assert_eq!(
            lines_of(1_795_399_200_007, "error: no\nhint: try\n", &fields),
            "{\"ts\":\"2026-11-23T02:00:00.007Z\",\"level\":\"error\",\"event\":\"error\",\"message\":\"no\",\"exit_code\":2}\n\
             {\"ts\":\"2026-11-23T02:00:00.007Z\",\"level\":\"info\",\"event\":\"hint\",\"message\":\"try\"}\n"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_said_is_one_line_that_steers_no_terminal_and_loses_nothing(
            message in "[\\x00-\\x7f\u{80}-\u{9f}é\u{202e}\u{200b}\u{e0041}漢]{0,24}"
        ) {
            let line = line(0, Level::Info, "note", &message, Map::new());
            let body = line.strip_suffix('\n').unwrap();
            prop_assert!(!body.chars().any(text::is_unsafe), "{body:?}");
            let value: Value = serde_json::from_str(body).unwrap();
            prop_assert_eq!(value["message"].as_str(), Some(message.as_str()));
        }
    }
}
