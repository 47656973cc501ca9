//! How the cells of an `.xlsx` show their numbers.

use std::collections::HashMap;

use crate::manifest::limits::STYLES_MAX;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::xml::{Node, Xml};

/// As what a number is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Number,
    /// A date or a time.
    Date,
    /// A word, or nothing at all.
    Otherwise,
}

/// By the number of a style.
#[derive(Default)]
pub struct Styles(Vec<Shown>);

impl Styles {
    pub fn read(mut xml: Xml) -> Result<Self, Fault> {
        let mut formats = HashMap::new();
        let mut styles = Vec::new();
        // Other lists have elements of the same name, which are no styles of cells.
        let mut is_in_list = false;
        let mut list_depth = 0;
        loop {
            let depth = xml.depth();
            let tag = match xml.next()? {
                Node::Eof => return Ok(Self(styles)),
                Node::End if is_in_list && depth == list_depth => {
                    is_in_list = false;
                    continue;
                }
                Node::End | Node::Text(_) | Node::Aside => continue,
                Node::Start(tag) => tag,
            };
            match tag.local() {
                "numFmt" => {
                    let id = tag.get("numFmtId")?.and_then(|id| id.parse::<u32>().ok());
                    let code = tag.get("formatCode")?.unwrap_or_default();
                    formats.extend(id.map(|id| (id, shown(&code))));
                }
                "cellXfs" => {
                    is_in_list = true;
                    list_depth = depth + 1;
                }
                "xf" if is_in_list => {
                    let id = tag.get("numFmtId")?.and_then(|id| id.parse().ok());
                    let id = id.unwrap_or_default();
                    let own = formats.get(&id).copied();
                    styles.push(own.unwrap_or_else(|| builtin(id)));
                }
                _ => {}
            }
            if styles.len() > STYLES_MAX || formats.len() > STYLES_MAX {
                return Err(Fault::too_large(format!(
                    "it has more than {STYLES_MAX} styles"
                )));
            }
        }
    }

    pub fn shown(&self, style: usize) -> Shown {
        self.0.get(style).copied().unwrap_or(Shown::Number)
    }
}

/// The formats that every program knows by their number (ECMA-376 part 1, 18.8.30).
fn builtin(id: u32) -> Shown {
    match id {
        14..=22 | 27..=36 | 45..=47 | 50..=58 => Shown::Date,
        _ => Shown::Number,
    }
}

/// As what a format shows a positive number, by what stands in it outside of literal text: places
/// for digits, or for parts of a date or a time.
fn shown(code: &str) -> Shown {
    if code.is_empty() || code.to_ascii_lowercase().contains("general") {
        return Shown::Number;
    }
    let mut found = Shown::Otherwise;
    let mut characters = code.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => while characters.next().is_some_and(|inside| inside != '"') {},
            // The next character is shown as it is, or leaves as much room, or fills the cell.
            '\\' | '_' | '*' => {
                characters.next();
            }
            '[' => {
                let inside: String = characters
                    .by_ref()
                    .take_while(|inside| *inside != ']')
                    .collect();
                // `[h]` counts hours; `[Red]` and `[$-409]` do not.
                let is_part = |part: char| "hmsHMS".contains(part);
                if !inside.is_empty() && inside.chars().all(is_part) {
                    return Shown::Date;
                }
            }
            // What follows is for negative numbers.
            ';' => break,
            'd' | 'm' | 'y' | 'h' | 's' | 'D' | 'M' | 'Y' | 'H' | 'S' => return Shown::Date,
            '0' | '#' | '?' | '@' => found = Shown::Number,
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_tells_what_is_shown() {
        for (code, what) in [
            ("yyyy-mm-dd", Shown::Date),
            ("d/m/yy", Shown::Date),
            ("[h]:mm", Shown::Date),
            ("[$-409]mmm\\ d", Shown::Date),
            ("dd.mm.yyyy;@", Shown::Date),
            ("General", Shown::Number),
            ("[Red]general", Shown::Number),
            ("0", Shown::Number),
            ("0.00E+00", Shown::Number),
            ("#,##0", Shown::Number),
            ("@", Shown::Number),
            ("[Red]0", Shown::Number),
            ("0\" days\"", Shown::Number),
            ("\\d0", Shown::Number),
            ("0_m", Shown::Number),
            ("0;yyyy", Shown::Number),
            ("\"TRUE\";\"TRUE\";\"FALSE\"", Shown::Otherwise),
            (";;;", Shown::Otherwise),
            ("\"unclosed", Shown::Otherwise),
        ] {
            assert_eq!(shown(code), what, "{code}");
        }
    }
}
