//! The lines of a text as they stand in its file: each with its end, in whatever encoding.

use std::io::{self, BufRead as _, BufReader, Read, Write};

use super::source::Source;

/// The lines of a text, numbered as `lines` numbers them.
pub struct RawLines {
    input: BufReader<Box<dyn Read + Send>>,
    /// Bytes of a line end's character.
    width: Width,
    number: u64,
    /// The unit that was read beyond the last line.
    ahead: Option<[u8; 2]>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Width {
    One,
    /// UTF-16; which of the two bytes is the larger one.
    Two {
        is_big_first: bool,
    },
}

impl RawLines {
    pub fn open(source: &Source) -> io::Result<Self> {
        let mut input = BufReader::with_capacity(1 << 16, source.read()?);
        let width = match input.fill_buf()? {
            [0xff, 0xfe, ..] => Width::Two {
                is_big_first: false,
            },
            [0xfe, 0xff, ..] => Width::Two { is_big_first: true },
            _ => Width::One,
        };
        Ok(Self {
            input,
            width,
            number: 0,
            ahead: None,
        })
    }

    /// Reads up to the end of `line`, and writes what `keeps` says of each line's number.
    pub fn read_to(
        &mut self,
        line: u64,
        keeps: impl Fn(u64) -> bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        while self.number < line {
            self.number += 1;
            let keeps = keeps(self.number);
            loop {
                let Some(unit) = self.unit()? else {
                    return Ok(());
                };
                self.write(unit, keeps, out)?;
                let character = self.character(unit);
                if character == Some(b'\n') {
                    break;
                }
                if character == Some(b'\r') {
                    // The other half of its end belongs to the line.
                    match self.unit()? {
                        Some(next) if self.character(next) == Some(b'\n') => {
                            self.write(next, keeps, out)?;
                        }
                        next => self.ahead = next,
                    }
                    break;
                }
            }
        }
        Ok(())
    }

    fn write(&self, unit: [u8; 2], keeps: bool, out: &mut impl Write) -> io::Result<()> {
        match self.width {
            _ if !keeps => Ok(()),
            Width::One => out.write_all(&unit[..1]),
            Width::Two { .. } => out.write_all(&unit),
        }
    }

    /// The next character's bytes, or half of a pair's.
    fn unit(&mut self) -> io::Result<Option<[u8; 2]>> {
        if let Some(unit) = self.ahead.take() {
            return Ok(Some(unit));
        }
        let mut unit = [0; 2];
        let bytes = if self.width == Width::One { 1 } else { 2 };
        for own in &mut unit[..bytes] {
            let Some(byte) = self.input.fill_buf()?.first() else {
                return Ok(None);
            };
            *own = *byte;
            self.input.consume(1);
        }
        Ok(Some(unit))
    }

    /// The character, if it is one of ASCII.
    fn character(&self, [first, second]: [u8; 2]) -> Option<u8> {
        match self.width {
            Width::One => Some(first),
            Width::Two { is_big_first: true } if first == 0 => Some(second),
            Width::Two {
                is_big_first: false,
            } if second == 0 => Some(first),
            Width::Two { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Action;

    fn kept(bytes: &[u8], lines: &[u64]) -> Vec<u8> {
        let source = Source::from_bytes(Action::Rebuild, "x", bytes).unwrap();
        let mut raw = RawLines::open(&source).unwrap();
        let mut out = Vec::new();
        for line in lines {
            raw.read_to(*line, |own| own == *line, &mut out).unwrap();
        }
        out
    }

    #[test]
    fn a_line_keeps_its_bytes_and_its_end() {
        let text = b"\xef\xbb\xbfa;\"\xff\"\r\nb\rc\n\n\nd";
        assert_eq!(kept(text, &[1]), b"\xef\xbb\xbfa;\"\xff\"\r\n");
        assert_eq!(kept(text, &[2, 3]), b"b\rc\n");
        assert_eq!(kept(text, &[4, 6]), b"\nd");
        assert_eq!(kept(text, &[1, 2, 3, 4, 5, 6, 7]), text);
        for to_bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            // The second character has the byte of a line end, and is none.
            let text = "\u{feff}a\r\n\u{0a0d}x\nb";
            let all: Vec<u8> = text.encode_utf16().flat_map(to_bytes).collect();
            let second: Vec<u8> = "\u{0a0d}x\n".encode_utf16().flat_map(to_bytes).collect();
            assert_eq!(kept(&all, &[2]), second);
            assert_eq!(kept(&all, &[1, 2, 3]), all);
        }
    }
}
