//! From a manifest to a batch: which order it is, what it leaves out, and what is said about that.

pub mod access;
mod decide;
mod last;
mod options;
mod plan;
mod sheet;
mod tell;

pub use options::{OrderArgs, OrderOptions};
pub use plan::{Loaded, NewOrder, Plan, enqueue, plan, preview};
pub use sheet::{Sheet, check_groups, sound_rows};
pub use tell::{ended, tell_left_out};
