//! `refleet work`: a service that takes the open orders of its accounts, on each of several hosts.
//!
//! `args` holds the options, `command` the loop that looks, takes what is there, waits and looks again.
//! `login` is what it takes to work for an account, `crew` which login does what, `order` the work on one
//! order and what follows from it, `left_hooks` the hooks of those that have ended. How a batch is worked on is `run`'s.

mod args;
mod command;
mod crew;
mod left_hooks;
mod login;
mod order;

pub use args::WorkArgs;
pub use command::work;
