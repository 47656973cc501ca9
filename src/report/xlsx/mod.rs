//! Workbooks for people: every cell of a foreign text is a text, so that nothing runs, and ids stay
//! what they are.

mod results;
mod rows;
mod sheet;

pub use results::Xlsx;
pub use rows::RowsBook;
