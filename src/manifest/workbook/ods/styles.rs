//! The styles of an `.ods`, by name.
//!
//! A style inherits from another one, and the last of them from the default of its family. Those that
//! people give names stand in a part of their own; those that programs make of what was formatted by
//! hand stand before the sheets, and may have the same names.

use std::collections::HashMap;

use super::data_style::DataStyle;
use super::style::Said;
use crate::manifest::limits::{STYLE_TEXT_BYTES_MAX, STYLES_MAX};
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::look::Look;
use crate::manifest::workbook::number_format::Format;
use crate::manifest::workbook::xml::{Node, Tag, Xml};

/// What a style is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    Sheet,
    Column,
    Row,
    Cell,
}

/// The style that spreadsheet programs give to cells without one.
const USUAL: &str = "Default";

/// A style.
pub type StyleId = usize;

/// All styles.
#[derive(Default)]
pub struct Styles {
    /// Those that people gave names, and those of the sheets' own part.
    scopes: [Scope; 2],
    defaults: HashMap<Family, usize>,
    all: Vec<Style>,
    text_bytes: usize,
}

/// Where names are looked up.
#[derive(Default)]
struct Scope {
    styles: HashMap<Family, HashMap<String, usize>>,
    formats: HashMap<String, Format>,
}

struct Style {
    family: Family,
    /// From which it inherits; empty: from the default.
    parent: String,
    /// How it shows numbers and texts; empty: as it inherits.
    data: String,
    said: Said,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It has what it says itself.
    Own,
    /// What it inherits is looked for.
    Open,
    Whole,
}

/// The style whose properties come next.
enum Open {
    None,
    Style(usize),
    Data(String),
}

impl Styles {
    /// Reads the styles before the element `until`; how deep that lies. `None`: there is none.
    ///
    /// To be called for the part of the styles that people gave names, without `until`, and then for
    /// that of the sheets.
    pub fn read(&mut self, xml: &mut Xml, until: Option<&str>) -> Result<Option<usize>, Fault> {
        let scope = usize::from(until.is_some());
        let mut open = Open::None;
        let mut data = HashMap::new();
        let mut is_for_paper = false;
        let mut text = String::new();
        let found = loop {
            let tag = match xml.next()? {
                Node::Eof => break None,
                Node::Start(tag) => tag,
                Node::End | Node::Text(_) | Node::Aside => continue,
            };
            if Some(tag.name()) == until {
                break Some(tag.depth);
            }
            // Beside those with names stand those of headers and footers.
            match tag.name() {
                "office:styles" => is_for_paper = false,
                "office:automatic-styles" => is_for_paper = until.is_none(),
                _ => {}
            }
            if is_for_paper {
                continue;
            }
            if let Some(style) = DataStyle::begin(&tag)? {
                let name = self.kept(tag.named("name")?)?;
                data.insert(name.clone(), style);
                open = Open::Data(name);
            } else if matches!(tag.name(), "style:style" | "style:default-style") {
                open = self.begin(&tag, scope)?;
            } else {
                match &open {
                    Open::None => {}
                    Open::Style(style) => self.all[*style].said.see(&tag)?,
                    Open::Data(name) => {
                        let style = data.entry(name.clone()).or_default();
                        let before = style.bytes();
                        if style.see(&tag)? {
                            text.clear();
                            xml.text(&mut text)?;
                            style.literal(&text);
                        }
                        self.count(style.bytes().saturating_sub(before))?;
                    }
                }
            }
            if data.len().max(self.all.len()) > STYLES_MAX {
                return Err(too_many());
            }
        };
        let formats = data.iter().map(|(name, style)| {
            let other = |name: &str| data.get(name);
            (name.clone(), style.format(other))
        });
        self.scopes[scope].formats = formats.collect();
        self.settle(scope);
        Ok(found)
    }

    /// Takes the beginning of a style.
    fn begin(&mut self, tag: &Tag<'_>, scope: usize) -> Result<Open, Fault> {
        let family = match tag.get("style:family")?.as_deref() {
            Some("table") => Family::Sheet,
            Some("table-column") => Family::Column,
            Some("table-row") => Family::Row,
            Some("table-cell") => Family::Cell,
            _ => return Ok(Open::None),
        };
        let id = self.all.len();
        let style = Style {
            family,
            parent: self.kept(tag.named("parent-style-name")?)?,
            data: self.kept(tag.named("data-style-name")?)?,
            said: Said::default(),
            state: State::Own,
        };
        self.all.push(style);
        if tag.name() == "style:default-style" {
            self.defaults.insert(family, id);
        } else {
            let name = self.kept(tag.named("name")?)?;
            let styles = &mut self.scopes[scope].styles;
            styles.entry(family).or_default().insert(name, id);
        }
        Ok(Open::Style(id))
    }

    /// A text that is kept, within what may be kept of all of them.
    fn kept(&mut self, text: String) -> Result<String, Fault> {
        self.count(text.len())?;
        Ok(text)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Fault> {
        self.text_bytes += bytes;
        if self.text_bytes > STYLE_TEXT_BYTES_MAX {
            return Err(too_many());
        }
        Ok(())
    }

    /// Lets each style that was read have what it inherits.
    fn settle(&mut self, scope: usize) {
        let [named, own] = &self.scopes;
        for style in &mut self.all {
            if style.state == State::Own && !style.data.is_empty() {
                let own = own.formats.get(&style.data).filter(|_| scope == 1);
                let format = own.or_else(|| named.formats.get(&style.data));
                style.said.format = Some(format.copied().unwrap_or(Format::GENERAL));
            }
        }
        let mut line = Vec::new();
        for id in 0..self.all.len() {
            let mut next = Some(id);
            while let Some(id) = next.filter(|id| self.all[*id].state == State::Own) {
                self.all[id].state = State::Open;
                line.push(id);
                next = self.parent(id);
            }
            // Those that inherit from each other in a circle have only the default in common.
            let family = self.all[id].family;
            let next = next.filter(|id| self.all[*id].state == State::Whole);
            let ancestor = next.or_else(|| self.defaults.get(&family).copied());
            let mut said = ancestor.map_or(Said::default(), |id| self.all[id].said);
            for id in line.drain(..).rev() {
                let style = &mut self.all[id];
                said = style.said.inheriting(said);
                style.said = said;
                style.state = State::Whole;
            }
        }
    }

    /// From which style this one inherits.
    fn parent(&self, id: usize) -> Option<usize> {
        let Style { family, parent, .. } = &self.all[id];
        let default = self.defaults.get(family).copied();
        if default == Some(id) {
            return None;
        }
        let of_name = |name: &str| {
            let mut scopes = self.scopes.iter();
            scopes.find_map(|scope| scope.styles.get(family)?.get(name).copied())
        };
        let parent = of_name(parent).or_else(|| self.usual(*family));
        parent.filter(|parent| *parent != id).or(default)
    }

    fn usual(&self, family: Family) -> Option<usize> {
        let named = self.scopes[0].styles.get(&family);
        let named = named.filter(|_| family == Family::Cell);
        named.and_then(|named| named.get(USUAL).copied())
    }

    /// The style of this name; without one, or where there is none of the name, the usual one.
    pub fn find(&self, family: Family, name: Option<&str>) -> Option<StyleId> {
        let mut scopes = self.scopes.iter().rev();
        let own = name.and_then(|name| {
            scopes.find_map(|scope| scope.styles.get(&family)?.get(name).copied())
        });
        let usual = own.or_else(|| self.usual(family));
        usual.or_else(|| self.defaults.get(&family).copied())
    }

    /// How a cell of the style is shown in a sheet that is protected or is not.
    pub fn look(&self, style: Option<StyleId>, is_protected: bool) -> Look {
        style.map_or(Look::PLAIN, |style| self.all[style].said.look(is_protected))
    }

    /// The sheet, row or column of this element cannot be seen.
    pub fn hides(&self, family: Family, tag: &Tag<'_>) -> Result<bool, Fault> {
        // Said of rows and columns by hand or by a filter.
        let visibility = tag.get("table:visibility")?;
        if matches!(visibility.as_deref(), Some("collapse" | "filter")) {
            return Ok(true);
        }
        let style = self.find(family, tag.get("table:style-name")?.as_deref());
        Ok(style.is_some_and(|style| self.all[style].said.is_hidden == Some(true)))
    }

    /// Columns of which nothing is said cannot be seen.
    pub fn are_columns_hidden(&self) -> bool {
        let style = self.find(Family::Column, None);
        style.is_some_and(|style| self.all[style].said.is_hidden == Some(true))
    }
}

fn too_many() -> Fault {
    Fault::too_large(format!(
        "it has more than {STYLES_MAX} styles, or more than {} MiB of their names",
        STYLE_TEXT_BYTES_MAX / (1024 * 1024)
    ))
}
