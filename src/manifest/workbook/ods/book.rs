//! Which sheets an `.ods` has.

use super::styles::{Family, Styles};
use crate::manifest::format::FileFormat;
use crate::manifest::limits::{PART_BYTES_MAX, SHEET_BYTES_MAX, SHEETS_MAX};
use crate::manifest::sheet_fault::SheetFault;
use crate::manifest::workbook::archive::Archive;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::sheets::SheetName;
use crate::manifest::workbook::xml::{Node, Xml};

pub const CONTENT: &str = "content.xml";
const STYLES: &str = "styles.xml";
const LIST: &str = "META-INF/manifest.xml";
const KIND: &str = "mimetype";
/// The longest name of a kind of document is much shorter.
const KIND_BYTES_MAX: u64 = 1024;
/// Sheets stand in this element and nowhere else: what changed, and what is linked, has tables, too.
pub const SHEETS_IN: &str = "office:spreadsheet";

/// A spreadsheet.
pub struct Book {
    pub sheets: Vec<SheetName>,
    pub styles: Styles,
}

impl Book {
    /// Reads all of it: there is no list of the sheets.
    pub fn open(archive: &Archive) -> Result<Self, Fault> {
        refuse_other_kinds(archive)?;
        refuse_encrypted(archive)?;
        let mut styles = Styles::default();
        if archive.has(STYLES) {
            styles.read(&mut Xml::new(archive.part(STYLES, PART_BYTES_MAX)?), None)?;
        }
        let mut sheets = Vec::new();
        let mut xml = content(archive)?;
        let depth = styles.read(&mut xml, Some(SHEETS_IN))?;
        while let Some(depth) = depth {
            let tag = match xml.next()? {
                Node::Eof => break,
                Node::Start(tag) => tag,
                Node::End | Node::Text(_) | Node::Aside => continue,
            };
            if tag.name() == "table:table" && tag.depth == depth + 1 {
                sheets.push(SheetName {
                    name: tag.named("name")?,
                    is_hidden: styles.hides(Family::Sheet, &tag)?,
                });
            }
            if sheets.len() > SHEETS_MAX {
                return Err(Fault::too_large(format!(
                    "it has more than {SHEETS_MAX} sheets"
                )));
            }
        }
        Ok(Self { sheets, styles })
    }
}

pub fn content(archive: &Archive) -> Result<Xml, Fault> {
    Ok(Xml::new(archive.part(CONTENT, SHEET_BYTES_MAX)?))
}

fn refuse_other_kinds(archive: &Archive) -> Result<(), Fault> {
    use std::io::Read as _;
    if !archive.has(KIND) {
        return Ok(());
    }
    let mut kind = String::new();
    archive
        .part(KIND, KIND_BYTES_MAX)?
        .read_to_string(&mut kind)?;
    if kind.contains("spreadsheet") {
        Ok(())
    } else {
        Err(Fault::format(FileFormat::Document))
    }
}

/// An encrypted document is an ordinary archive whose list says how to decrypt its parts.
fn refuse_encrypted(archive: &Archive) -> Result<(), Fault> {
    if !archive.has(LIST) {
        return Ok(());
    }
    let mut xml = Xml::new(archive.part(LIST, PART_BYTES_MAX)?);
    loop {
        match xml.next()? {
            Node::Eof => return Ok(()),
            Node::Start(tag) if tag.local() == "encryption-data" => {
                return Err(Fault::of(SheetFault::Encrypted, ""));
            }
            Node::Start(_) | Node::End | Node::Text(_) | Node::Aside => {}
        }
    }
}
