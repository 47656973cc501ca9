//! How the cells of an `.xlsx` are shown: their formats, and whether one can see them.

use std::collections::HashMap;

use crate::manifest::limits::STYLES_MAX;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::look::{self, Look};
use crate::manifest::workbook::number_format::Format;
use crate::manifest::workbook::xml::{Node, Tag, Xml};

/// White by its number in the palette, which has it twice, and in the workbook's theme, where
/// it is the paper.
const WHITE_INDEXED: [u32; 2] = [1, 9];
const WHITE_THEME: u32 = 0;
/// The palette's number for the paper.
const PAPER_INDEXED: u32 = 65;

/// By the number of a style.
#[derive(Default)]
pub struct Styles(Vec<Look>);

/// What a font or a fill adds to a style.
#[derive(Default, Clone, Copy)]
struct Ink {
    is_struck: bool,
    is_white: bool,
}

/// What is read until all styles are known.
#[derive(Default)]
struct Lists {
    formats: HashMap<u32, Format>,
    fonts: Vec<Ink>,
    /// White is what was not filled, too.
    fills: Vec<Ink>,
    styles: Vec<Look>,
}

impl Styles {
    pub fn read(mut xml: Xml) -> Result<Self, Fault> {
        let mut lists = Lists::default();
        // Elements of the same names stand in other lists, and are no styles of cells there.
        let mut list = String::new();
        loop {
            match xml.next()? {
                Node::Eof => return Ok(Self(lists.styles)),
                Node::Start(tag) if tag.depth == 2 => tag.local().clone_into(&mut list),
                Node::Start(tag) => lists.see(&list, &tag)?,
                Node::End | Node::Text(_) | Node::Aside => {}
            }
            let Lists {
                formats,
                fonts,
                fills,
                styles,
            } = &lists;
            let longest = formats.len().max(fonts.len()).max(fills.len());
            if longest.max(styles.len()) > STYLES_MAX {
                return Err(Fault::too_large(format!(
                    "it has more than {STYLES_MAX} styles"
                )));
            }
        }
    }

    /// A style that is not there is the plain one.
    pub fn get(&self, style: usize) -> Look {
        self.0.get(style).copied().unwrap_or(Look::PLAIN)
    }
}

impl Lists {
    /// Takes an element of this list.
    fn see(&mut self, list: &str, tag: &Tag<'_>) -> Result<(), Fault> {
        match (list, tag.local()) {
            ("numFmts", "numFmt") => {
                let code = tag.get("formatCode")?.unwrap_or_default();
                let id = tag.number("numFmtId")?;
                self.formats.extend(id.map(|id| (id, Format::parse(&code))));
            }
            ("fonts", "font") => self.fonts.push(Ink::default()),
            ("fonts", "strike") => {
                if let Some(font) = self.fonts.last_mut() {
                    font.is_struck = tag.get("val")?.is_none() || tag.is("val")?;
                }
            }
            ("fonts", "color") => {
                if let Some(font) = self.fonts.last_mut() {
                    font.is_white = is_white(tag)?;
                }
            }
            ("fills", "fill") => self.fills.push(Ink {
                is_white: true,
                ..Ink::default()
            }),
            ("fills", "patternFill" | "gradientFill") => {
                if let Some(fill) = self.fills.last_mut() {
                    let pattern = tag.get("patternType")?;
                    let pattern = pattern.as_deref().map(str::trim);
                    let is_gradient = tag.local() == "gradientFill";
                    fill.is_white = !is_gradient && matches!(pattern, None | Some("none"));
                }
            }
            // The colour of what is filled; that of a pattern's paper shows only in patterns.
            ("fills", "fgColor") => {
                if let Some(fill) = self.fills.last_mut() {
                    fill.is_white |= is_white(tag)?;
                }
            }
            ("cellXfs", "xf") => {
                let id = tag.number("numFmtId")?.unwrap_or_default();
                let own = self.formats.get(&id).copied();
                let format = own.unwrap_or_else(|| Format::builtin(id));
                let ink = |list: &[Ink], name| -> Result<Option<Ink>, Fault> {
                    let number = tag.number(name)?.unwrap_or_default();
                    Ok(list.get(number as usize).copied())
                };
                let font = ink(&self.fonts, "fontId")?.unwrap_or_default();
                let fill = ink(&self.fills, "fillId")?;
                let is_on_white = fill.is_none_or(|fill| fill.is_white);
                self.styles.push(Look {
                    format,
                    is_struck: font.is_struck,
                    is_white: is_on_white && (font.is_white || format.is_white),
                });
            }
            _ => {}
        }
        Ok(())
    }
}

/// The element names white, or what is so near to it that nobody tells them apart.
fn is_white(tag: &Tag<'_>) -> Result<bool, Fault> {
    if let Some(rgb) = tag.get("rgb")? {
        return Ok(look::is_white(&rgb));
    }
    if let Some(indexed) = tag.number("indexed")? {
        return Ok(WHITE_INDEXED.contains(&indexed) || indexed == PAPER_INDEXED);
    }
    // A tint below zero darkens.
    let tint = tag.get("tint")?;
    let tint = tint.and_then(|tint| tint.trim().parse::<f64>().ok());
    Ok(tag.number("theme")? == Some(WHITE_THEME) && tint.unwrap_or_default() > -0.1)
}
