//! `refleet status`: how far the batch is. Reads no job, only the tally.
//!
//! `read` finds out, `text` and `json` say it; `all` does so for every account, `watch` again and again.

mod all;
mod args;
mod command;
mod json;
mod read;
mod text;
mod watch;

pub use args::StatusArgs;
pub use command::status;
pub use read::Status;
