//! `refleet hooks`: how the commands of `--on-done` stand, and the operator's word on those that did not end well.

mod args;
mod carry_out;
mod command;
mod listed;

pub use args::HooksArgs;
pub use carry_out::carry_out;
pub use command::hooks;
