//! `refleet run`: load the manifest if it is new, then work until every job has ended.
//!
//! `args` holds the options, `context` what they come to (database, API, client), `command` the loop:
//! `prepare` finds or orders the batch and asks before anything is destroyed, `work` lets a run work on
//! it and says how that ended.

mod args;
mod command;
mod context;
mod prepare;
mod work;

pub use args::RunArgs;
pub use command::run;
