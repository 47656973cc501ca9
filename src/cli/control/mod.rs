//! `pause`, `go`, `set` and `drain`: what an operator says of a batch from another terminal.
//!
//! The one fact to know: each is one row of the ledger, and a run obeys it from its commit on, because
//! the store refuses to begin anything against it. `operator` says who typed it, `wire` waits for what was
//! sent before a pause.

mod args;
mod command;
mod operator;
mod wire;

pub use args::{DrainArgs, GoArgs, PauseArgs, SetArgs};
pub use command::{drain, go, pause, set};
pub use operator::operator;
