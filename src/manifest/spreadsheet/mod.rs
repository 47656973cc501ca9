//! What spreadsheets make of a text that they took for something else.
//!
//! A reshaped id is no id any more, and so is noticed. A password may be any text, so that a reshaped
//! one would be set silently: it is suspected by its shape. A wrong suspicion costs the operator
//! another password, which the rebuild sets; a missed one locks them out.

mod date;
mod marks;
mod number;
mod shape;
#[cfg(test)]
mod tests;

pub use date::is_date;
pub use marks::{is_error, is_hashes};
pub use number::{has_separators, is_decimal, is_list, is_rounded, is_scientific};
pub use shape::{Shape, shape};
