//! What a person is told when a command cannot do its work: what, where, and what to do next.
//!
//! `kinds` has all reasons with their messages and exit codes, `hints` says what to do about each,
//! `render` writes both. `setup` has those of the configuration; `conflict` writes down why rows cannot
//! be queued, `plan_fault` why a plan is not followed, `halt` and `storage` say what to do when a run
//! ends early.

mod conflict;
pub mod halt;
mod hints;
mod kinds;
mod plan_fault;
mod render;
mod setup;
mod storage;

pub use hints::typed;
pub use kinds::CliError;
pub use plan_fault::PlanFault;
pub use setup::SetupError;
pub use storage::storage_hints;
