//! The text of a cell of an `.ods`, with its blanks as the standard has them (ODF 1.3 part 3, 6.1).

use crate::manifest::limits::{CELL_BYTES_MAX, CELL_CHARS_MAX};
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::xml::{Node, Xml};

/// The most blanks that one element may stand for.
const BLANKS_MAX: usize = CELL_CHARS_MAX;

/// Appends the paragraph that began last to `text`.
pub fn read(xml: &mut Xml, text: &mut String) -> Result<(), Fault> {
    let outside = xml.depth() - 1;
    // Blanks that the XML has, between two words; all others are elements.
    let mut is_behind_blank = true;
    while xml.depth() > outside {
        let tag = match xml.next()? {
            // What is too long already needs not become longer.
            Node::Text(_) | Node::Start(_) if text.len() > CELL_BYTES_MAX => continue,
            Node::Text(piece) => {
                for character in piece.chars() {
                    if !matches!(character, ' ' | '\t' | '\r' | '\n') {
                        text.push(character);
                        is_behind_blank = false;
                    } else if !is_behind_blank {
                        text.push(' ');
                        is_behind_blank = true;
                    }
                }
                continue;
            }
            Node::Start(tag) => tag,
            Node::End | Node::Aside | Node::Eof => continue,
        };
        match tag.name() {
            "text:s" => {
                let count = tag.get("text:c")?.and_then(|count| count.parse().ok());
                let count = count.unwrap_or(1).min(BLANKS_MAX);
                text.extend(std::iter::repeat_n(' ', count));
                is_behind_blank = false;
            }
            "text:tab" => {
                text.push('\t');
                is_behind_blank = false;
            }
            "text:line-break" => {
                text.push('\n');
                is_behind_blank = true;
            }
            // Remarks, pictures and how a word is pronounced are no part of the text.
            "office:annotation" | "text:note" | "text:ruby-text" | "draw:frame" => xml.skip()?,
            _ => {}
        }
    }
    if is_behind_blank && text.ends_with(' ') {
        text.pop();
    }
    Ok(())
}
