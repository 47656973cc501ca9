//! From a manifest to a batch: which order it is, what it leaves out, and what is said about that.

pub mod access;
mod changes;
mod decide;
mod options;
mod plan;
mod sheet;
mod tell;

pub use changes::{changes, check_caps};
pub use options::{OrderArgs, OrderOptions};
pub use plan::{Loaded, Plan, enqueue, plan, preview};
pub use sheet::{Sheet, sound_rows};
pub use tell::{ended, tell_left_out};
