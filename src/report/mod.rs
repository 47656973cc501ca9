//! Lists and results: what happened to each instance, as a table for people, CSV for spreadsheets, JSON for scripts.
//!
//! Rows are pushed in and leave at once: memory stays flat however many there are. The one fact to
//! know: what stands in an error or a note is foreign text, and no format lets it run as a formula
//! in a spreadsheet or steer a terminal.

mod atomic_file;
mod cell;
mod csv;
mod fields;
mod json;
mod listing;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub use atomic_file::AtomicFile;
pub use fields::ResultFields;
pub use listing::Listing;
pub use writer::{Format, Report};
