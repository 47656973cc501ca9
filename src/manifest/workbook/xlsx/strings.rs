//! The texts that the cells of an `.xlsx` share, held compactly and wiped afterwards.

use std::borrow::Cow;

use secrecy::zeroize::Zeroizing;

use super::escape::unescaped;
use crate::manifest::limits::{CELL_BYTES_MAX, SHARED_TEXT_BYTES_MAX, SHARED_TEXTS_MAX};
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::xml::{Node, Xml};

/// The texts are held in pieces of this size: they never move, so that no copy of a password stays
/// behind where a growing buffer has been. Larger than the longest text and its length.
const PIECE_BYTES: usize = 256 * 1024;
/// The length stands before each text.
const LENGTH_BYTES: usize = 4;

/// The texts, by their number.
#[derive(Default)]
pub struct Strings {
    pieces: Vec<Zeroizing<Vec<u8>>>,
    /// Where each begins, over all pieces.
    starts: Vec<u32>,
    held_bytes: usize,
}

/// A text that cells share.
#[derive(Debug, PartialEq, Eq)]
pub enum Shared<'a> {
    Text(&'a str),
    TooLong,
}

impl Strings {
    pub fn read(mut xml: Xml) -> Result<Self, Fault> {
        let mut strings = Self::default();
        let mut text = Zeroizing::new(String::new());
        loop {
            match xml.next()? {
                Node::Eof => return Ok(strings),
                Node::Start(tag) if tag.local() == "si" => {
                    text.clear();
                    rich_text(&mut xml, &mut text)?;
                    strings.push(&text)?;
                }
                Node::Start(_) | Node::End | Node::Text(_) | Node::Aside => {}
            }
        }
    }

    fn push(&mut self, text: &str) -> Result<(), Fault> {
        // What is too long is held as an empty text that claims to be longer than any may be.
        let (text, length) = if text.len() > CELL_BYTES_MAX {
            ("", u32::MAX)
        } else {
            (text, u32::try_from(text.len()).unwrap_or(u32::MAX))
        };
        let bytes = LENGTH_BYTES + text.len();
        self.held_bytes += bytes;
        if self.held_bytes > SHARED_TEXT_BYTES_MAX || self.starts.len() == SHARED_TEXTS_MAX {
            let what = format!(
                "its cells hold more than {SHARED_TEXTS_MAX} different texts, or {} MiB of them",
                SHARED_TEXT_BYTES_MAX / (1024 * 1024)
            );
            return Err(Fault::too_large(what));
        }
        let has_room = |piece: &Zeroizing<Vec<u8>>| piece.len() + bytes <= PIECE_BYTES;
        if !self.pieces.last().is_some_and(has_room) {
            self.pieces
                .push(Zeroizing::new(Vec::with_capacity(PIECE_BYTES)));
        }
        let before = (self.pieces.len() - 1) * PIECE_BYTES;
        if let Some(piece) = self.pieces.last_mut() {
            let start = before + piece.len();
            self.starts.push(u32::try_from(start).unwrap_or(u32::MAX));
            piece.extend_from_slice(&length.to_le_bytes());
            piece.extend_from_slice(text.as_bytes());
        }
        Ok(())
    }

    pub fn get(&self, number: usize) -> Option<Shared<'_>> {
        let start = *self.starts.get(number)? as usize;
        let piece = self.pieces.get(start / PIECE_BYTES)?;
        let (length, rest) = piece.get(start % PIECE_BYTES..)?.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        if length == u32::MAX {
            return Some(Shared::TooLong);
        }
        let bytes = rest.get(..usize::try_from(length).ok()?)?;
        // It was UTF-8 when it was put there.
        std::str::from_utf8(bytes).ok().map(Shared::Text)
    }
}

/// Appends the text of the element that began last: of itself or of its runs, without how it is
/// pronounced.
pub fn rich_text(xml: &mut Xml, text: &mut String) -> Result<(), Fault> {
    let outside = xml.depth() - 1;
    while xml.depth() > outside {
        let Node::Start(tag) = xml.next()? else {
            continue;
        };
        match tag.local() {
            "t" => {
                let before = text.len();
                xml.text(text)?;
                // Nearly all texts are what they say, and need not be copied for that.
                if let Cow::Owned(plain) = unescaped(&text[before..]) {
                    let plain = Zeroizing::new(plain);
                    text.truncate(before);
                    text.push_str(&plain);
                }
            }
            "rPh" => xml.skip()?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_again_across_pieces() {
        let mut strings = Strings::default();
        let texts: Vec<String> = (0..300).map(|n| n.to_string().repeat(n * 4)).collect();
        for text in &texts {
            strings.push(text).unwrap();
        }
        strings.push(&"x".repeat(CELL_BYTES_MAX + 1)).unwrap();
        assert!(strings.pieces.len() > 1);
        for (number, text) in texts.iter().enumerate() {
            assert_eq!(strings.get(number), Some(Shared::Text(text)), "{number}");
        }
        assert_eq!(strings.get(300), Some(Shared::TooLong));
        assert_eq!(strings.get(301), None);
    }
}
