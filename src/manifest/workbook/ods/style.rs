//! What one style of an `.ods` says.

use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::hidden::{COLUMN_POINTS_MIN, ROW_POINTS_MIN};
use crate::manifest::workbook::look::{self, Look};
use crate::manifest::workbook::number_format::Format;
use crate::manifest::workbook::xml::Tag;

/// What a style says. `None`: nothing, so that it is as in the style from which it inherits.
#[derive(Debug, Default, Clone, Copy)]
pub struct Said {
    pub is_hidden: Option<bool>,
    pub format: Option<Format>,
    is_struck: Option<bool>,
    is_ink_white: Option<bool>,
    is_paper_white: Option<bool>,
    /// Nothing of the cell is shown while its sheet is protected.
    is_veiled: Option<bool>,
}

impl Said {
    /// Looks at an element of the style.
    pub fn see(&mut self, tag: &Tag<'_>) -> Result<(), Fault> {
        let hidden = match tag.name() {
            "style:table-properties" => {
                let display = tag.get("table:display")?;
                display.map(|display| display == "false")
            }
            "style:table-row-properties" => tag.is_shorter("style:row-height", ROW_POINTS_MIN)?,
            "style:table-column-properties" => {
                tag.is_shorter("style:column-width", COLUMN_POINTS_MIN)?
            }
            "style:table-cell-properties" => {
                // What is not filled shows the paper.
                let paper = tag.get("fo:background-color")?;
                let paper = paper.map(|paper| paper == "transparent" || look::is_white(&paper));
                self.is_paper_white = paper.or(self.is_paper_white);
                let protect = tag.get("style:cell-protect")?;
                let veiled = protect.map(|protect| protect.contains("hidden-and-protected"));
                self.is_veiled = veiled.or(self.is_veiled);
                None
            }
            "style:text-properties" => {
                for name in [
                    "style:text-line-through-style",
                    "style:text-line-through-type",
                ] {
                    if let Some(line) = tag.get(name)? {
                        self.is_struck = Some(line != "none");
                    }
                }
                if let Some(ink) = tag.get("fo:color")? {
                    self.is_ink_white = Some(look::is_white(&ink));
                }
                // As the paper demands.
                if tag.is("style:use-window-font-color")? {
                    self.is_ink_white = Some(false);
                }
                None
            }
            _ => None,
        };
        self.is_hidden = hidden.or(self.is_hidden);
        Ok(())
    }

    /// With what `parent` says where this says nothing.
    pub fn inheriting(self, parent: Self) -> Self {
        Self {
            is_hidden: self.is_hidden.or(parent.is_hidden),
            format: self.format.or(parent.format),
            is_struck: self.is_struck.or(parent.is_struck),
            is_ink_white: self.is_ink_white.or(parent.is_ink_white),
            is_paper_white: self.is_paper_white.or(parent.is_paper_white),
            is_veiled: self.is_veiled.or(parent.is_veiled),
        }
    }

    /// How a cell of the style is shown in a sheet that is protected or is not.
    pub fn look(self, is_protected: bool) -> Look {
        let format = self.format.unwrap_or(Format::GENERAL);
        let is_ink_white = self.is_ink_white.unwrap_or_default() || format.is_white;
        let is_veiled = is_protected && self.is_veiled.unwrap_or_default();
        Look {
            format,
            is_struck: self.is_struck.unwrap_or_default(),
            is_white: is_veiled || (is_ink_white && self.is_paper_white.unwrap_or(true)),
        }
    }
}
