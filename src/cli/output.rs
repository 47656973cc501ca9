//! Writing to stdout. A reader that has gone away is no error: it has seen what it wanted.

use serde::Serialize;

use super::error::CliError;
use crate::exit::Exit;
use crate::log;
use crate::progress::{Surroundings, fold};
use crate::time;
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
    if io::stderr().is_terminal() && !log::is_json() {
        tell(&folded(text, &console::Term::stderr()));
    } else {
        tell(text);
    }
}

/// Tells a person something on stderr, as it is; where nobody listens, nothing is lost.
pub fn tell(text: &str) {
    log::tell(text);
}

/// Tells what went wrong, and with which exit code the process ends for it.
pub fn tell_failure(text: &str, exit: Exit) {
    if !log::is_json() {
        tell_prose(text);
        return;
    }
    let fields = [("exit_code".to_owned(), exit.code().into())];
    let lines = log::lines_of(time::now_ms(), text, &fields.into_iter().collect());
    log::write(&lines);
}

/// Somebody sits at a terminal, and can be asked. A question is no line of JSON.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal() && !log::is_json()
}

/// What was written to stderr last can be written over.
pub fn can_write_over() -> bool {
    Surroundings::of_this_process().terminal && !log::is_json()
}
