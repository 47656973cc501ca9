//! How a doubt ends, and when a job in progress is complete: pure rules over readings of the list.
//!
//! The one fact to know: a reading that shows the *effect* of an action (of a rebuild, the new image),
//! or the action at work (`rebuilding`), *proves* that it was executed; a reading that shows neither
//! proves nothing by itself. So what was seen ([`progress`]) and what was not seen ([`doubt`]) are
//! judged by different rules, and the second ones are the dangerous ones: what is disproved is
//! submitted again.
//!
//! What effect an action has, and what else the list shows of it, is its own: [`rebuild`]. All the rest
//! is the same for every action, and asks for that by way of [`dispatch`]. What the instance itself shows, and
//! what that is worth beside the list, stands at [`host_keys`].
//!
//! # Why silence proves anything at all
//!
//! A submission was handed to the wire, and its answer tells nothing. The list goes on showing what
//! stood there before. That the action was *not* executed follows only from this argument:
//!
//! 1. An executed action changes what the list shows of the instance (a rebuild the name of its image,
//!    from the baseline's to the target's), and the change shows in the list at most a *window* after
//!    the submission.
//! 2. The reading at hand shows the list as it was at some moment later than that window.
//! 3. It still shows the baseline. So the action was not executed.
//!
//! Each step rests on assumptions. Those that can be observed are **checked**, and where one is
//! broken, or not known to hold, the doubt is held for the operator. Whether the change can be seen at
//! all, and be known for what it is, depends on the action: what that assumes of a rebuild stands at
//! [`rebuild`]. The others:
//!
//! | assumption | checked by |
//! |---|---|
//! | the window is long enough | it is `--settle` or three times the longest lag between an acceptance and the *effect* (not a sign of the action at work) that this run saw, whichever is longer. Only an effect that was seen teaches a lag; the silence of an accepted submission lengthens one that was learned, and never makes one |
//! | the list is alive: it does not show, from a cache, what was before the window's end | a *control*: on the page at hand, in the very reading that decides, another instance shows the effect of a submission whose baseline was read after the doubt's window had ended. So that page is younger than the window |
//! | nobody undid the action while nobody looked | this process sent the request and has watched ever since; an earlier process's doubts, and those of a process that was suspended, are never disproved. Nor is one whose row was missing or not clear for a while, or was not read for longer than `--settle`. A failed reading is no gap by itself: what was executed still shows in the next one |
//! | the row is about the machine that was meant | its address is the baseline's, where the list gave both (`machine/readings.rs`, which knows addresses) |
//! | the row does not flicker | two readings in a row show the baseline, its status included, with nothing else between them |
//! | the row speaks of one instance | a page that shows a service twice, with different words, shows nothing of it ([`super::list`]) |
//!
//! Three assumptions can't be observed. They are **accepted**, the README names them, and
//! `--no-requeue` switches silence off as proof altogether:
//!
//! * The API executes a request soon after it received it, or never. One that keeps a request for
//!   longer than the window after its connection has ended, and then executes it, deceives us.
//! * Nobody undoes an action between two readings of its page, which are at most `--settle` apart, or
//!   while the list stands still.
//! * A page lives as a whole. One whose other rows are alive while a single row is frozen, or shows
//!   its effect more than three times later than the slowest that this run has seen, deceives us.
//!
//! What is *not* assumed: that an action shows while it is at work, that acceptance and the list have
//! anything to do with each other, that the list is complete (absence is never evidence), or that it
//! lags the same on all pages.

mod case;
mod dispatch;
mod doubt;
mod host_keys;
mod key_watch;
mod list_lag;
mod meaning;
mod observation;
mod progress;
mod rebuild;
mod rules;
mod surroundings;
#[cfg(test)]
mod tests;
mod tracker;

pub use case::Case;
pub use dispatch::{Learned, can_show, shows_effect};
pub use doubt::{Absence, judge_absence, judge_doubt};
pub use key_watch::{HostKeys, KeyWatch};
pub use list_lag::ListLag;
pub use meaning::{Doubt, Progress};
pub use observation::Observation;
pub use progress::{judge_absence_in_progress, judge_progress, learn};
pub use rules::Rules;
pub use surroundings::Surroundings;
pub use tracker::Tracker;
