//! The workbook's own parts: which sheets there are, and where their texts and styles stand.

use super::filter;
use super::strings::Strings;
use super::styles::Styles;
use crate::manifest::format::FileFormat;
use crate::manifest::limits::{PART_BYTES_MAX, SHEET_BYTES_MAX, SHEETS_MAX};
use crate::manifest::workbook::archive::Archive;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::sheets::SheetName;
use crate::manifest::workbook::xml::{Node, Xml};

/// The relations of the package, which name the workbook's part.
const PACKAGE: &str = "_rels/.rels";
/// Where nearly all programs put it.
const USUAL: &str = "xl/workbook.xml";

/// A workbook.
pub struct Book {
    pub sheets: Vec<SheetName>,
    /// The sheets' parts, in the same order.
    parts: Vec<String>,
    strings: Option<String>,
    styles: Option<String>,
    /// Days are counted from 1904.
    pub counts_from_1904: bool,
    /// The values that are stored with formulas are to be calculated anew before anybody looks.
    pub is_stale: bool,
}

/// What a part refers to.
struct Relation {
    id: String,
    /// The last word of its type.
    kind: String,
    /// The name of the part.
    target: String,
}

impl Book {
    pub fn open(archive: &Archive) -> Result<Self, Fault> {
        let of_package = relations(archive, PACKAGE, "", None)?;
        let main = of_package
            .iter()
            .find(|relation| relation.kind == "officeDocument");
        let main = main.map_or(USUAL, |relation| &relation.target);
        // Excel's binary workbooks differ in nothing else before this part.
        if main.strip_suffix(".bin").is_some() {
            return Err(Fault::format(FileFormat::BinaryExcel));
        }
        let (folder, name) = main.rsplit_once('/').unwrap_or(("", main));
        let of_book = relations(
            archive,
            &resolved(folder, &format!("_rels/{name}.rels")),
            folder,
            None,
        )?;
        let target = |kind: &str| {
            let found = of_book.iter().find(|relation| relation.kind == kind);
            found.map(|relation| relation.target.clone())
        };
        let mut book = Self {
            sheets: Vec::new(),
            parts: Vec::new(),
            strings: target("sharedStrings"),
            styles: target("styles"),
            counts_from_1904: false,
            is_stale: false,
        };
        let mut xml = Xml::new(archive.part(main, PART_BYTES_MAX)?);
        loop {
            let tag = match xml.next()? {
                Node::Eof => return Ok(book),
                Node::Start(tag) => tag,
                Node::End | Node::Text(_) | Node::Aside => continue,
            };
            match tag.local() {
                "workbookPr" => book.counts_from_1904 = tag.is("date1904")?,
                "calcPr" => book.is_stale = tag.is("fullCalcOnLoad")?,
                "sheet" => {
                    let id = tag.named("id")?;
                    let relation = of_book.iter().find(|relation| relation.id == id);
                    let relation = relation
                        .ok_or_else(|| Fault::damaged("a sheet of it is nowhere to be found"))?;
                    // Charts and dialogs stand in the same list, and hold no cells.
                    if relation.kind == "worksheet" {
                        book.sheets.push(SheetName {
                            name: tag.named("name")?,
                            is_hidden: tag.get("state")?.is_some_and(|state| state != "visible"),
                        });
                        book.parts.push(relation.target.clone());
                    }
                }
                _ => {}
            }
            if book.sheets.len() > SHEETS_MAX {
                return Err(Fault::too_large(format!(
                    "it has more than {SHEETS_MAX} sheets"
                )));
            }
        }
    }

    /// The XML of the sheet at `position`.
    pub fn sheet(&self, archive: &Archive, position: usize) -> Result<Xml, Fault> {
        Ok(Xml::new(
            archive.part(&self.parts[position], SHEET_BYTES_MAX)?,
        ))
    }

    /// A table in the sheet at `position` has a filter that is set.
    pub fn has_filtered_table(&self, archive: &Archive, position: usize) -> Result<bool, Fault> {
        let part = &self.parts[position];
        let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
        let relations_part = resolved(folder, &format!("_rels/{name}.rels"));
        if !archive.has(&relations_part) {
            return Ok(false);
        }
        // A sheet may have very many links besides.
        let mut tables = relations(archive, &relations_part, folder, Some("table"))?;
        tables.retain(|table| archive.has(&table.target));
        if tables.len() > filter::TABLES_MAX {
            return Err(Fault::too_large(format!(
                "a sheet of it has more than {} tables",
                filter::TABLES_MAX
            )));
        }
        for table in tables {
            if filter::is_set_in_table(archive, &table.target)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// None where the workbook has none: its cells hold their texts themselves.
    pub fn strings(&self, archive: &Archive) -> Result<Strings, Fault> {
        match &self.strings {
            Some(part) => Strings::read(Xml::new(archive.part(part, SHEET_BYTES_MAX)?)),
            None => Ok(Strings::default()),
        }
    }

    pub fn styles(&self, archive: &Archive) -> Result<Styles, Fault> {
        match &self.styles {
            Some(part) => Styles::read(Xml::new(archive.part(part, PART_BYTES_MAX)?)),
            None => Ok(Styles::default()),
        }
    }
}

/// The relations that stand in `part`, whose targets are seen from `folder`: all, or those of a kind.
fn relations(
    archive: &Archive,
    part: &str,
    folder: &str,
    wanted: Option<&str>,
) -> Result<Vec<Relation>, Fault> {
    let mut relations = Vec::new();
    let mut xml = Xml::new(archive.part(part, PART_BYTES_MAX)?);
    loop {
        match xml.next()? {
            Node::Eof => return Ok(relations),
            Node::Start(tag) if tag.local() == "Relationship" => {
                let kind = tag.named("Type")?;
                let kind = kind.rsplit('/').next().unwrap_or_default();
                if wanted.is_some_and(|wanted| wanted != kind) {
                    continue;
                }
                relations.push(Relation {
                    id: tag.named("Id")?,
                    kind: kind.to_owned(),
                    target: resolved(folder, &tag.named("Target")?),
                });
            }
            Node::Start(_) | Node::End | Node::Text(_) | Node::Aside => {}
        }
        if relations.len() > SHEETS_MAX * 4 {
            return Err(Fault::too_large(format!(
                "it has more than {SHEETS_MAX} sheets"
            )));
        }
    }
}

/// The name of the part that is called `target` in `folder`.
fn resolved(folder: &str, target: &str) -> String {
    let target = target.replace('\\', "/");
    // From the root, or from the folder.
    let folder = if target.starts_with('/') { "" } else { folder };
    let mut path: Vec<&str> = folder.split('/').filter(|name| !name.is_empty()).collect();
    for name in target.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_from_where_it_is_named() {
        for (folder, target, part) in [
            ("xl", "worksheets/sheet1.xml", "xl/worksheets/sheet1.xml"),
            (
                "xl",
                "/xl/worksheets/sheet1.xml",
                "xl/worksheets/sheet1.xml",
            ),
            ("xl", "../xl/./styles.xml", "xl/styles.xml"),
            ("xl", "worksheets\\sheet1.xml", "xl/worksheets/sheet1.xml"),
            ("", "xl/workbook.xml", "xl/workbook.xml"),
            ("", "../../x", "x"),
        ] {
            assert_eq!(resolved(folder, target), part);
        }
    }
}
