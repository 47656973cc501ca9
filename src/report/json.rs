//! JSON for scripts: `{"version":1,"account":…,"results":[…],"summary":{…}}`, one result a line.
//!
//! The fields are those of [`ResultFields`] and [`Summary`](super::summary::Summary); characters that
//! could steer a terminal are written as `\u` escapes. `version` grows when a field changes its meaning or
//! goes away.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::fields::ResultFields;
use super::summary::{Earlier, Gathering, Subject};
use crate::job::{Happened, ResultRow};
use crate::text::is_unsafe;

const VERSION: u8 = 1;
const BUFFER_BYTES: usize = 1 << 16;

#[derive(Debug)]
pub struct Json<W: Write> {
    out: BufWriter<W>,
    empty: bool,
    gathering: Gathering,
}

impl<W: Write> Json<W> {
    /// Of the rows of `subject`. `earlier`: the order before it, all of whose rows have gone by.
    pub fn new(out: W, subject: Subject, earlier: Option<Earlier>) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
        write!(out, "{{\"version\":{VERSION},\"account\":")?;
        write_safely(&mut out, &subject.account)?;
        out.write_all(b",\"results\":[")?;
        Ok(Self {
            out,
            empty: true,
            gathering: Gathering::new(subject, earlier),
        })
    }

    pub fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        self.gathering.row(row);
        let separator: &[u8] = if self.empty { b"\n" } else { b",\n" };
        self.out.write_all(separator)?;
        self.empty = false;
        write_safely(&mut self.out, &ResultFields::from(row))
    }

    pub fn overtaken(&mut self, what: Happened, at_ms: i64) {
        self.gathering.overtaken(what, at_ms);
    }

    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n],\n\"summary\":")?;
        write_safely(&mut self.out, &self.gathering.finish())?;
        self.out.write_all(b"}\n")?;
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}

fn write_safely(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(out, Printable);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Compact, with every character escaped that could steer a terminal.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // Nearly all texts are plain; looking at each character doubles the time of a report.
        if fragment.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return out.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some((at, character)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}
