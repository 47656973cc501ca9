//! `.xlsx`: a part for each sheet, one for the texts that their cells share, one for the styles.

mod book;
mod escape;
mod filter;
mod sheet;
mod strings;
mod styles;

pub use book::Book;
pub use sheet::XlsxSheet;
