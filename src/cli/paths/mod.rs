//! The paths that the operator gives: what was meant by them, and what must not be written over.

mod command_line;
mod rules;

pub use command_line::check;
pub use rules::{check_meant, refuse_precious};
