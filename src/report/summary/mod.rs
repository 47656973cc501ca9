//! What a report says of a batch as a whole, apart from how it says it.
//!
//! Rows go by one after the other, and what is kept of each is a number or two: a million of them fit
//! into little memory. The page and the JSON write the same [`Summary`], so that a number means the same
//! in both.

mod causes;
mod durations;
mod earlier;
mod gathering;
mod needs;
mod slowest;
mod span;
mod subject;
#[cfg(test)]
mod tests;
mod timeline;

pub use causes::{Cause, Causes, VARIOUS};
pub use durations::OfImage;
pub use earlier::{Comparison, Earlier};
pub use gathering::{Gathering, Summary};
pub use needs::{Instance, Need, NeedKind, rank};
pub use slowest::Slow;
pub use subject::{Commands, LastRun, Next, Subject};
pub use timeline::Timeline;
