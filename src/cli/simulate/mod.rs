//! `refleet simulate`: the API simulator as a process of its own, and the options of its account.

mod account;
mod command;
mod faults;
mod fleet;
#[cfg(test)]
mod tests;

pub use command::{SimulateCommand, run};
pub use faults::FaultArgs;
pub use fleet::rows;
