//! What happens to an instance after its success: a command of the operator's, one process for each.
//!
//! The one fact to know: a start is committed before its process is started. Where ours dies in between,
//! nobody knows whether the command has done its work, and it is never started again by itself.
//!
//! [`Pool`] claims what waits and has so many at once carried out, each by `process`, which hands it a
//! `document` on stdin and a password by a descriptor. `runner` is who has started a hook, and whether that
//! one may still live. None of it knows the run: a rebuild waits for no hook, and takes no slot from one.

mod document;
mod pool;
mod process;
mod runner;
mod settings;

pub use pool::{Asked, Outcome, Phase, Pool};
pub use runner::may_live;
pub use settings::Settings;
