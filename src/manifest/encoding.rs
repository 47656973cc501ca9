//! Bytes as they come → UTF-8, as far as a byte order mark tells.
//!
//! Without a mark the bytes pass as they are. Whether they are UTF-8 is checked line by line, so that
//! a message can name the line.

use std::io::{self, BufRead, BufReader, Read};

use encoding_rs::{Decoder, UTF_16BE, UTF_16LE};

use super::diagnostic::DiagnosticKind;
use super::format::{self, Container, FileFormat, HEAD_BYTES};

const BUFFER_BYTES: usize = 64 * 1024;

/// The manifest's bytes, as UTF-8 where they said what they are.
pub type Utf8 = BufReader<Box<dyn Read + Send>>;

/// How the file is written, by its first bytes.
pub enum Encoding {
    /// Without its mark, if it had one.
    Readable(Utf8),
    /// It may be a workbook, which is not read from front to back.
    Packed(Container),
    /// It cannot be read as text: UTF-16 that does not say so (which is not guessed at), or
    /// something else than CSV.
    Unreadable(DiagnosticKind),
}

/// Looks at the first bytes, and takes a byte order mark away.
pub fn detect(input: Box<dyn Read + Send>) -> io::Result<Encoding> {
    // What was looked at is put back in front of the rest.
    let mut input = input;
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let bytes_max = u64::try_from(HEAD_BYTES).unwrap_or(u64::MAX);
    input.by_ref().take(bytes_max).read_to_end(&mut head)?;
    if let Some(container) = Container::of(&head) {
        return Ok(Encoding::Packed(container));
    }
    if let Some(format) = FileFormat::of(&head) {
        return Ok(Encoding::Unreadable(match format {
            FileFormat::Json if format::is_json_report(&head) => DiagnosticKind::Report,
            format => DiagnosticKind::NotCsv(format),
        }));
    }
    let (mark_bytes, encoding) = match head.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => (3, None),
        [0xff, 0xfe, ..] => (2, Some(UTF_16LE)),
        [0xfe, 0xff, ..] => (2, Some(UTF_16BE)),
        head if format::is_bare_utf16(head) => {
            return Ok(Encoding::Unreadable(DiagnosticKind::Utf16WithoutBom));
        }
        _ => (0, None),
    };
    let whole = io::Cursor::new(head.split_off(mark_bytes)).chain(input);
    let utf8: Box<dyn Read + Send> = match encoding {
        None => Box::new(whole),
        Some(encoding) => Box::new(Utf16 {
            input: BufReader::with_capacity(BUFFER_BYTES, whole),
            decoder: encoding.new_decoder_without_bom_handling(),
            ended: false,
        }),
    };
    Ok(Encoding::Readable(BufReader::with_capacity(
        BUFFER_BYTES,
        utf8,
    )))
}

/// UTF-16 → UTF-8. What cannot be decoded becomes U+FFFD, which no cell may hold.
struct Utf16<R> {
    input: BufReader<R>,
    decoder: Decoder,
    ended: bool,
}

impl<R: Read> Read for Utf16<R> {
    /// The `BufReader` around it passes `buffer`, which is always large enough for some characters.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            let bytes = self.input.fill_buf()?;
            let last = bytes.is_empty();
            let (result, read, written, _) = self.decoder.decode_to_utf8(bytes, buffer, last);
            self.input.consume(read);
            self.ended = last && result == encoding_rs::CoderResult::InputEmpty;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}
