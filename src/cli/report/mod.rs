//! `refleet report`: what became of a batch.

mod command;
mod subject;

pub use command::{ReportArgs, report};
