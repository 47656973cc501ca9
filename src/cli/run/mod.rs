//! `refleet run`: load the manifest if it is new, then work until every job has ended.
//!
//! `args` holds the options, `context` what they come to (database, API, client), `command` the loop:
//! `prepare` finds or orders the batch and asks before anything is destroyed, `work` lets a run work on
//! it and says how that ended, beside the `pools` that carry out hooks; `hooks` are those that an earlier run
//! has left; `order_only` leaves it to services instead;
//! `late_word` keeps what it could not write, and hears what others could not.

mod args;
mod command;
mod context;
mod hooks;
mod late_word;
mod order_only;
mod pools;
mod prepare;
mod work;

pub use args::{ProgressArg, RunArgs};
pub use command::run;
pub use context::{Invocation, OfService, RunContext};
pub use late_word::hand_in;
pub use pools::{Hooks, Pools};
pub use prepare::go_on_with;
pub use work::work;
