//! Writing to stdout. A reader that has gone away is no error: it has seen what it wanted.

use std::io::{self, Write};

use super::error::CliError;

/// Runs `write` on a buffered stdout.
pub fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), CliError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
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

/// Prints one JSON value, indented.
pub fn print_json(value: &serde_json::Value) -> Result<(), CliError> {
    print(|out| {
        serde_json::to_writer_pretty(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

/// Tells a person something on stderr; where nobody listens, nothing is lost.
pub fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
