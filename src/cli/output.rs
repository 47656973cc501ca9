//! Writing to stdout. A reader that has gone away is no error: it has seen what it wanted.

use serde::Serialize;

use super::error::CliError;
use crate::progress::fold;
use std::io::{self, IsTerminal as _, Write};

/// Runs `write` on a buffered stdout.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    printed(write(&mut out).and_then(|()| out.flush()))
}

/// What became of writing to stdout.
pub fn printed(written: io::Result<()>) -> Result<(), CliError> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(source) => Err(CliError::Output {
            what: "to stdout".to_owned(),
            source,
        }),
        Ok(()) => Ok(()),
    }
}

/// Prints `text` as it is.
pub fn print_text(text: &str) -> Result<(), CliError> {
    print(|out| out.write_all(text.as_bytes()))
}

/// Prints prose: on a terminal no word is broken at its edge.
pub fn print_prose(text: &str) -> Result<(), CliError> {
    if !io::stdout().is_terminal() {
        return print_text(text);
    }
    print_text(&folded(text, &console::Term::stdout()))
}

fn folded(text: &str, terminal: &console::Term) -> String {
    let width = usize::from(terminal.size().1);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                for line in fold(line, width) {
                    out.push_str(&line);
                    out.push('\n');
                }
            }
            // What is not ended is a question, or a line to be overwritten.
            None => out.push_str(line),
        }
    }
    out
}

/// Prints one JSON value, indented.
pub fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// [`tell`] for prose: on a terminal no word is broken at its edge.
pub fn tell_prose(text: &str) {
    if io::stderr().is_terminal() {
        tell(&folded(text, &console::Term::stderr()));
    } else {
        tell(text);
    }
}

/// Tells a person something on stderr, as it is; where nobody listens, nothing is lost.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
