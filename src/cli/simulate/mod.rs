//! `refleet simulate`: the API simulator as a process of its own, and the options of its account.

mod account;
mod command;
mod faults;
#[cfg(test)]
mod tests;

pub use command::{SimulateCommand, run};
pub use faults::FaultArgs;
