//! What spreadsheets make of a text that they took for something else.
//!
//! An id that was reshaped is no id any more and gives itself away. A password is any text, and a
//! reshaped one is set without a word: so it is suspected by its shape. The operator can always
//! choose another password, since the rebuild sets it; a lock-out is not so easily mended.

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
