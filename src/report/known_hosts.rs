//! The host keys of what was rebuilt, as OpenSSH's `known_hosts`.

use std::io::{self, BufWriter, Write};

use crate::job::{ResultRow, State};

#[derive(Debug)]
pub struct KnownHosts<W: Write> {
    out: BufWriter<W>,
}

impl<W: Write> KnownHosts<W> {
    pub fn new(out: W) -> Self {
        Self {
            out: BufWriter::with_capacity(1 << 16, out),
        }
    }

    /// Those that are done, and have shown a key since they were submitted.
    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        match &row.host_key {
            Some(shown) if row.state == State::Done => {
                writeln!(self.out, "{}", shown.known_hosts_line())
            }
            Some(_) | None => Ok(()),
        }
    }

    pub fn finish(self) -> io::Result<W> {
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}
