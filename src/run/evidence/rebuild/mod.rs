//! What the list shows of a rebuild, and when one is complete.
//!
//! A rebuild is seen at work as the status `rebuilding`, and its effect is the name of the instance's
//! image: it changes from the baseline's to the target's, which is what the rebuild preview calls the
//! ordered image. The argument of [`super`] needs of these names, and checks:
//!
//! | assumption | checked by |
//! |---|---|
//! | the names differ, so that the change can be seen at all | baseline and target are known, readable and not the same ([`names`]) |
//! | the list spells the target's name as the preview does | this image's name was seen to become the preview's on some instance in this run ([`Spelling::spells`]) |
//! | a rebuild that fails would not look like none | the baseline's status was not `error`: an instance that fails at once stands in `error` again under its old name |
//!
//! What is *not* assumed: that the status `rebuilding` shows at all.

mod doubt;
mod names;
mod progress;
mod signs;
mod spelling;
#[cfg(test)]
mod tests;

pub use doubt::{never_provable, not_yet_proven};
pub use progress::judge_status;
pub use signs::{EFFECT, can_show, contradicts, is_at_work, shows_before, shows_effect};
pub use spelling::Spelling;
