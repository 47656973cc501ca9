//! `refleet report`: what became of a batch.

mod command;
mod own;
mod rows;
mod subject;

pub use command::{ReportArgs, report};
