//! `.ods`: all sheets in one part, one behind the other.

mod book;
mod cell;
mod data_style;
mod paragraph;
mod sheet;
mod style;
mod styles;

pub use book::{Book, CONTENT};
pub use sheet::OdsSheet;
