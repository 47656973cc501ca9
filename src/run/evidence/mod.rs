//! How a doubt ends, and when a rebuild is complete: pure rules over readings of the list.
//!
//! The one fact to know: a reading that shows the new image, or `rebuilding`, *proves* that the
//! rebuild was executed; a reading that shows neither proves nothing by itself. So what was seen
//! ([`progress`]) and what was not seen ([`doubt`]) are judged by different rules, and the second
//! ones are the dangerous ones: what is disproved is submitted again.
//!
//! # Why silence proves anything at all
//!
//! A submission was handed to the wire, and its answer tells nothing. The list goes on showing what
//! stood there before. That the rebuild was *not* executed follows only from this argument:
//!
//! 1. An executed rebuild changes the name of the instance's image, from the baseline's to the
//!    target's, and the change shows in the list at most a *window* after the submission.
//! 2. The reading at hand shows the list as it was at some moment later than that window.
//! 3. It still shows the baseline's name. So there was no rebuild.
//!
//! Each step rests on assumptions. Those that can be observed are **checked**, and where one is
//! broken, or not known to hold, the doubt is held for the operator:
//!
//! | assumption | checked by |
//! |---|---|
//! | the names differ, so that the change can be seen at all | baseline and target are known, readable and not the same ([`names`]) |
//! | the list spells the target's name as the preview does | this image's name was seen to become the preview's on some instance in this run ([`ListLag::spells`]) |
//! | a rebuild that fails would not look like none | the baseline's status was not `error`: an instance that fails at once stands in `error` again under its old name |
//! | the window is long enough | it is `--settle` or three times the longest lag between an acceptance and the new *name* that this run saw, whichever is longer. Only a sign that was seen teaches a lag; the silence of an accepted rebuild lengthens one that was learned, and never makes one |
//! | the list is alive: it does not show, from a cache, what was before the window's end | a *control*: on the page at hand, in the very reading that decides, another instance shows the new name of a rebuild whose baseline was read after the doubt's window had ended. So that page is younger than the window |
//! | nobody undid the rebuild while nobody looked | this process sent the request and has watched ever since; an earlier process's doubts, and those of a process that was suspended, are never disproved. Nor is one whose row was missing or not clear for a while, or was not read for longer than `--settle`. A failed reading is no gap by itself: what was executed still shows in the next one |
//! | the row is about the machine that was meant | its address is the baseline's, where the list gave both (`core/polls.rs`, which knows addresses) |
//! | the row does not flicker | two readings in a row show the baseline, name and status, with nothing else between them |
//! | the row speaks of one instance | a page that shows a service twice, with different words, shows nothing of it ([`super::list`]) |
//!
//! Three assumptions can't be observed. They are **accepted**, the README names them, and
//! `--no-requeue` switches silence off as proof altogether:
//!
//! * The API executes a request soon after it received it, or never. One that keeps a request for
//!   longer than the window after its connection has ended, and then executes it, deceives us.
//! * Nobody undoes a rebuild between two readings of its page, which are at most `--settle` apart.
//! * A page lives as a whole. One whose other rows are alive while a single row is frozen, or shows
//!   its name more than three times later than the slowest that this run has seen, deceives us.
//!
//! What is *not* assumed: that the status `rebuilding` shows at all, that acceptance and the list
//! have anything to do with each other, that the list is complete (absence is never evidence), or
//! that it lags the same on all pages.

mod case;
pub mod doubt;
mod list_lag;
pub mod names;
mod observation;
pub mod progress;
mod rules;
#[cfg(test)]
mod tests;
mod tracker;

pub use case::Case;
pub use doubt::{Absence, Doubt, Surroundings, judge_absence, judge_doubt};
pub use list_lag::ListLag;
pub use observation::Observation;
pub use progress::{Progress, judge_absent_rebuild, judge_progress};
pub use rules::Rules;
pub use tracker::Tracker;
