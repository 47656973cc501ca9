//! `refleet work`: a service that takes the open orders of its account, on each of several hosts.
//!
//! `args` holds the options, `choice` finds what is to be taken, `command` the loop that takes it, waits
//! and looks again. How a batch is worked on is `run`'s.

mod args;
mod choice;
mod command;

pub use args::WorkArgs;
pub use command::work;
