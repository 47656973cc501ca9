//! `refleet show`: everything that is known of one instance.
//!
//! `command` finds its jobs, `next` knows what to type about each, `text` and `json` write them.

mod command;
mod json;
mod next;
mod record;
mod text;

pub use command::{ShowArgs, show};
