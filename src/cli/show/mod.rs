//! `refleet show`: everything that is known of one instance.
//!
//! `command` finds its jobs, `text` and `json` write them.

mod command;
mod json;
mod record;
mod text;

pub use command::{ShowArgs, show};
