//! The styles that hide what they are given to.

use std::collections::HashSet;

use crate::manifest::limits::STYLES_MAX;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::hidden::{COLUMN_POINTS_MIN, ROW_POINTS_MIN};
use crate::manifest::workbook::xml::Tag;

/// Names of styles, by what they are for. They stand before the sheets.
#[derive(Default)]
pub struct Styles {
    hidden: HashSet<(String, String)>,
    /// The style that is being read: what it is for, and its name.
    last: (String, String),
}

impl Styles {
    /// Looks at an element.
    pub fn see(&mut self, tag: &Tag<'_>) -> Result<(), Fault> {
        let is_hidden = match tag.name() {
            "style:style" => {
                self.last = (tag.named("family")?, tag.named("name")?);
                false
            }
            "style:table-properties" => tag.get("table:display")?.as_deref() == Some("false"),
            "style:table-row-properties" => tag
                .is_shorter("style:row-height", ROW_POINTS_MIN)?
                .unwrap_or_default(),
            "style:table-column-properties" => tag
                .is_shorter("style:column-width", COLUMN_POINTS_MIN)?
                .unwrap_or_default(),
            _ => false,
        };
        if is_hidden {
            self.hidden.insert(std::mem::take(&mut self.last));
        }
        if self.hidden.len() > STYLES_MAX {
            return Err(Fault::too_large(format!(
                "it has more than {STYLES_MAX} styles"
            )));
        }
        Ok(())
    }

    /// The sheet, row or column of this element cannot be seen.
    pub fn hides(&self, family: &str, tag: &Tag<'_>) -> Result<bool, Fault> {
        // Said of rows and columns by hand or by a filter.
        let visibility = tag.get("table:visibility")?;
        if matches!(visibility.as_deref(), Some("collapse" | "filter")) {
            return Ok(true);
        }
        if self.hidden.is_empty() {
            return Ok(false);
        }
        let style = tag.get("table:style-name")?.unwrap_or_default();
        let style = (family.to_owned(), style.into_owned());
        Ok(self.hidden.contains(&style))
    }
}
