//! Text → lines, numbered as an editor numbers them.
//!
//! `csv` counts lines one too low in CRLF files and after blank lines, and lets an unclosed quote
//! swallow the rest of the file. Here LF, CRLF and a lone CR each end exactly one line, a blank line
//! counts, and no line takes more memory than [`LINE_BYTES_MAX`]. The mark with which DOS ended a
//! text is no part of it.

use std::io::{self, BufRead};

use super::diagnostic::DiagnosticKind;
use super::encoding::Utf8;
use super::limits::LINE_BYTES_MAX;

/// The byte order mark.
pub const MARK: char = '\u{feff}';
pub const MARK_BYTES: &[u8] = "\u{feff}".as_bytes();
/// Control-Z: behind it a text of DOS had nothing to say.
const END_OF_TEXT: u8 = 0x1a;

/// The lines of a text.
pub struct Lines {
    input: Utf8,
    number: u64,
    /// The last line ended in CR: an LF that follows belongs to it.
    after_cr: bool,
}

/// A line that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    /// Only its beginning is there.
    pub too_long: bool,
}

impl Lines {
    pub fn new(input: Utf8) -> Self {
        Self {
            input,
            number: 0,
            after_cr: false,
        }
    }

    /// Puts the next line, without its end, into `line`; `None` after the last.
    pub fn next(&mut self, line: &mut Vec<u8>) -> io::Result<Option<Line>> {
        line.clear();
        let mut begun = false;
        let mut too_long = false;
        loop {
            let bytes = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            if bytes.is_empty() {
                if !begun {
                    return Ok(None);
                }
                break;
            }
            if self.after_cr {
                self.after_cr = false;
                if bytes[0] == b'\n' {
                    self.input.consume(1);
                    continue;
                }
            }
            begun = true;
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let part = &bytes[..end.unwrap_or(bytes.len())];
            let room = LINE_BYTES_MAX - line.len();
            too_long |= part.len() > room;
            line.extend_from_slice(&part[..part.len().min(room)]);
            if let Some(end) = end {
                self.after_cr = bytes[end] == b'\r';
                self.input.consume(end + 1);
                break;
            }
            let count = bytes.len();
            self.input.consume(count);
        }
        if line.last() == Some(&END_OF_TEXT) && self.is_at_end()? {
            while line.pop_if(|last| *last == END_OF_TEXT).is_some() {}
            if line.is_empty() {
                return Ok(None);
            }
        }
        self.number += 1;
        let number = self.number;
        Ok(Some(Line { number, too_long }))
    }

    /// Nothing follows but the second half of a line end.
    fn is_at_end(&mut self) -> io::Result<bool> {
        if self.after_cr && self.input.fill_buf()?.first() == Some(&b'\n') {
            self.after_cr = false;
            self.input.consume(1);
        }
        Ok(self.input.fill_buf()?.is_empty())
    }
}

/// What hinders reading a line at all.
pub fn unreadable(line: Line, bytes: &[u8]) -> Option<DiagnosticKind> {
    // A tail of zero bytes is often a long one.
    if bytes.contains(&0) {
        Some(DiagnosticKind::Nul)
    } else if line.too_long {
        Some(DiagnosticKind::LineTooLong)
    } else {
        None
    }
}
