//! `refleet status`: how far the batch is. Reads no job, only the tally.
//!
//! `read` finds out, `text` and `json` say it.

mod command;
mod json;
mod read;
mod text;

pub use command::{StatusArgs, status};
