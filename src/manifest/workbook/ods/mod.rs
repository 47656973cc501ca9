//! `.ods`: all sheets in one part, one behind the other.

mod book;
mod cell;
mod paragraph;
mod sheet;
mod styles;

pub use book::{Book, CONTENT};
pub use sheet::OdsSheet;
