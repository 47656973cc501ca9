//! Workbooks, `.xlsx` and `.ods`: the rows of one sheet, as `records` gives those of CSV.
//!
//! One reader of our own, and no library for spreadsheets, for three reasons. Whether a row is
//! hidden, merged or unsaved is told by the same element as its cells, so that no two readers can
//! disagree about which row that is. Rows stream, within limits that hold whatever the file claims,
//! while libraries unpack what is shared before the first cell. And what held a password is wiped
//! where it is ours: the shared texts, the unpacked bytes, the cells. (The record of a row, which
//! `csv` owns, and the decoder's window are not; they are overwritten by the next rows, and freed at
//! the end.) The tests hold it against a library that reads the same files.
//!
//! `archive` (which parts there are) → `part` (unpacked, bounded) → `xml` (pieces; no entities) →
//! `xlsx` or `ods` (a `row` at a time; `value` knows numbers and dates) → `sheets` (which sheet) →
//! `records` (header, remarks, what is hidden or merged).

mod archive;
mod fault;
mod hidden;
mod look;
mod number_format;
mod ods;
mod open;
mod part;
pub(super) mod place;
mod records;
mod row;
mod sheet;
mod sheets;
mod value;
mod xlsx;
mod xml;

pub use open::{compound, open};
pub use records::SheetRecords;
