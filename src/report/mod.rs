//! Lists and results: what happened to each instance, as a table or a page for people, CSV for spreadsheets, JSON for
//! scripts.
//!
//! Rows are pushed in and leave at once: memory stays flat however many there are. `summary` is what they
//! come to, for the formats that say it. The one fact to know: what stands in an error or a note is foreign
//! text, and no format lets it run as a formula in a spreadsheet, steer a terminal or become markup.

mod atomic_file;
mod cell;
mod csv;
mod fields;
mod html;
mod inventory;
mod json;
mod known_hosts;
mod listing;
mod summary;
mod table;
#[cfg(test)]
mod tests;
mod writer;
mod xlsx;

pub use atomic_file::AtomicFile;
pub use fields::ResultFields;
pub use listing::Listing;
pub use summary::{Causes, Commands, Earlier, LastRun, Next, Subject};
pub use writer::{Format, Report, ReportFormat};
pub use xlsx::{RowsBook, Xlsx};
