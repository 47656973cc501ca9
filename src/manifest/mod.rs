//! The manifest: bytes → jobs, and everything that is wrong with them (line, column, remedy).
//!
//! A manifest is read twice, and never held: [`validated`] validates all of it and changes nothing,
//! [`rows()`] then streams the jobs. Both go through one `Reader`, so that they cannot disagree. The
//! one fact to know: a file may change between the two passes. So whoever takes the rows compares
//! [`rows::Rows::identity`] with that of the first pass after the last row.
//!
//! The way of a byte: `source` (file or memory) → `encoding` (UTF-8) → `lines` (numbered, bounded)
//! → `records` (`csv`, one line at a time; `preamble` finds the header) → `header` and `row` (what
//! the cells mean) → `cell`. A `workbook` gives records, too: `table` is whichever of the two. What is wrong is a `diagnostic`, with its remedy in `wording`;
//! `diagnostics` groups them. What spreadsheets do to a sheet is known in `format` (files),
//! `column` and `names` (columns; `access_names` knows what an unknown one may stand for) and
//! `spreadsheet` (cells).

mod access_names;
mod access_words;
mod blob;
mod cell;
mod cells;
mod column;
mod diagnostic;
mod diagnostics;
mod encoding;
mod error;
mod format;
mod header;
mod identity;
mod layout;
mod limits;
mod lines;
mod names;
mod offers;
mod own_rows;
mod plan;
mod preamble;
mod quotes;
mod raw_lines;
mod reader;
mod rebuild;
mod records;
mod row;
mod rows;
mod sheet_fault;
mod sheet_options;
mod source;
mod spreadsheet;
mod suspects;
mod table;
#[cfg(test)]
mod tests;
mod validate;
mod wording;
mod workbook;

pub use error::ManifestError;
pub use offers::{ByName, Offer, Offers};
pub use own_rows::OwnRows;
pub use raw_lines::RawLines;
pub use row::Row;
pub use rows::rows;
pub use sheet_options::SheetOptions;
pub use source::Source;
pub use validate::{Validated, looks_like_one, validated};
