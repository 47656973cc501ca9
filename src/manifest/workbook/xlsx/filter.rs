//! Filters, which hide rows when they are applied (ECMA-376 part 1, 18.3.2).

use crate::manifest::limits::XML_PIECE_BYTES_MAX;
use crate::manifest::workbook::archive::Archive;
use crate::manifest::workbook::fault::Fault;
use crate::manifest::workbook::xml::{Node, Xml};

/// The part of a table may unpack to so much, and a sheet may have so many tables.
const TABLE_BYTES_MAX: u64 = 4 * XML_PIECE_BYTES_MAX as u64;
pub const TABLES_MAX: usize = 32;

/// The filter whose element was begun last says which rows to show: without that it is but a row of
/// buttons.
pub fn is_set(xml: &mut Xml) -> Result<bool, Fault> {
    let outside = xml.depth() - 1;
    let mut is_set = false;
    while xml.depth() > outside {
        if let Node::Start(tag) = xml.next()? {
            is_set |= matches!(
                tag.local(),
                "filters"
                    | "customFilters"
                    | "dynamicFilter"
                    | "top10"
                    | "colorFilter"
                    | "iconFilter"
            );
        }
    }
    Ok(is_set)
}

/// The table in this part has a filter that is set.
pub fn is_set_in_table(archive: &Archive, part: &str) -> Result<bool, Fault> {
    let mut xml = Xml::new(archive.part(part, TABLE_BYTES_MAX)?);
    loop {
        match xml.next()? {
            Node::Start(tag) if tag.local() == "autoFilter" => return is_set(&mut xml),
            // The filter stands before the columns.
            Node::Start(tag) if tag.local() == "tableColumns" => return Ok(false),
            Node::Eof => return Ok(false),
            Node::Start(_) | Node::End | Node::Text(_) | Node::Aside => {}
        }
    }
}
