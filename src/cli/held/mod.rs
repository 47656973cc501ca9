//! Which rules of the roll-out hold jobs of a batch back, and until when, by the options of its last run.
//!
//! `read` finds out, `until` tells until when, and `hold` says it of one job. The one fact to know: what is
//! usual is what was seen; where nothing was seen, nobody can tell.

mod hold;
mod read;
mod until;

pub use hold::{Hold, holds_as_json};
pub use read::{
    Bound, Held, HeldGroup, HeldWindow, canary_now, down_already, held, held_now, said,
};
pub use until::{Until, Waited, members};
