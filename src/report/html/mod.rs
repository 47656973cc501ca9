//! The report as one page that needs nothing else: no request, no framework, and no script to be read.
//!
//! `document` is the page and what it is made of: `answers` its first screen, then one module for each
//! section. `data` holds all rows for the script, which takes over the table that `first_rows` begins.
//! Every number is shown by `figures`, with the place where the JSON has it: a test holds one against the
//! other. Foreign text is made printable where it enters and escaped where it is written.

mod about;
mod answers;
mod causes;
mod charts;
mod comparison;
mod data;
mod document;
mod figures;
mod first_rows;
mod images;
mod needs;
mod sheet;
mod table;
#[cfg(test)]
mod tests;
mod timeline;
mod words;

pub use document::Html;
