//! Monitors: who is told how a run, or a service, stands and how it has ended.
//!
//! The one fact to know: nothing here changes an exit code, and all monitors together delay the end of the
//! process by ten seconds at most. They are told from a thread of their own, so that a run neither waits for
//! one that hangs nor loses its end where the run itself has panicked.
//!
//! `options` says whom to tell; `herald` is that thread, and `watch` what a run tells it; `standing` is what it
//! knows, `document` that as JSON, `message` in few words that anybody may read (`words` has the words). Each monitor has a file: `metrics`,
//! `ping`, `notify` (which remembers in `memory` what it was told last), `on_end`. `http` sends.

mod document;
mod herald;
mod http;
mod memory;
mod message;
mod metrics;
mod notify;
mod on_end;
mod options;
mod ping;
mod standing;
mod watch;
mod words;

pub use herald::Herald;
pub use options::{Address, Format, Monitors, Notify, When};
pub use standing::{Command, Previous};
pub use watch::{Begun, Watch, Watched};
