//! JSON for scripts: `{"version":1,"results":[…]}`, one result a line.
//!
//! The fields are the CSV's columns; what is not there is `null`; texts are as they were, with
//! characters that could steer a terminal as `\u` escapes. `version` grows when a field changes
//! its meaning or goes away.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::stamp;
use crate::job::{Evidence, Executed, ResultRow, ServiceId, State};
use crate::text::is_unsafe;

const VERSION: u8 = 1;
const BUFFER_BYTES: usize = 1 << 16;

#[derive(Debug)]
pub(super) struct Json<W: Write> {
    out: BufWriter<W>,
    empty: bool,
    submitted: Vec<u8>,
    completed: Vec<u8>,
}

/// A row as JSON shows it; the names and their order are [`super::COLUMNS`].
#[derive(Serialize)]
struct JsonRow<'a> {
    line: u64,
    service_id: ServiceId,
    image: &'a str,
    state: State,
    executed: Executed,
    evidence: Option<Evidence>,
    attempts: u32,
    submitted_at: Option<&'a str>,
    completed_at: Option<&'a str>,
    error_kind: Option<&'a str>,
    error: Option<&'a str>,
    note: Option<&'a str>,
}

impl<W: Write> Json<W> {
    pub(super) fn new(out: W) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, out);
        write!(out, "{{\"version\":{VERSION},\"results\":[")?;
        Ok(Self {
            out,
            empty: true,
            submitted: Vec::with_capacity(32),
            completed: Vec::with_capacity(32),
        })
    }

    pub(super) fn row(&mut self, row: &ResultRow) -> io::Result<()> {
        let separator: &[u8] = if self.empty { b"\n" } else { b",\n" };
        self.out.write_all(separator)?;
        self.empty = false;
        let image = row.image.to_string();
        let json_row = JsonRow {
            line: row.line,
            service_id: row.service,
            image: &image,
            state: row.state,
            executed: row.executed,
            evidence: row.evidence,
            attempts: row.attempts,
            submitted_at: moment(row.submitted_ms, &mut self.submitted),
            completed_at: moment(row.completed_ms, &mut self.completed),
            error_kind: row.error_kind.as_deref(),
            error: row.error.as_deref(),
            note: row.note.as_deref(),
        };
        let mut serializer = serde_json::Serializer::with_formatter(&mut self.out, Printable);
        json_row.serialize(&mut serializer).map_err(io::Error::from)
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}\n")?;
        self.out
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
    }
}

fn moment(unix_ms: Option<i64>, buffer: &mut Vec<u8>) -> Option<&str> {
    stamp::rfc3339(unix_ms?, buffer);
    std::str::from_utf8(buffer).ok()
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
