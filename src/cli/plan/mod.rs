//! `refleet plan`: what an order would do, written down so that somebody can approve it, and the rules
//! by which a run does exactly that.
//!
//! A plan is read from the sheet, the account's list and the queue, and changes nothing. Its file holds
//! each row of the sheet with what stands on its instance now; a run by the plan refuses another sheet,
//! another account or API, and compares what stands there once more before each submission.

mod approved;
mod args;
mod bounds;
mod command;
mod file;
mod forecast;
mod gather;
mod schedule;
mod show;
mod text;

pub use approved::Approved;
pub use args::PlanArgs;
pub use bounds::Bounds;
pub use command::plan;
pub use file::PlanFile;
pub use show::is_plan;
pub use text::differences;
