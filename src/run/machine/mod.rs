//! The machine: decides everything about a run and does no I/O.
//!
//! [`Machine::handle`] is its one verb: an input and the time go in; events to tell, calls to make,
//! and what to wait for come out. How a turn goes stands in [`turn`]. What it knows is kept in rooms
//! that own their fields; none reaches into another's:
//!
//! | room | what it knows |
//! |---|---|
//! | [`gate`] | which call may go now: rate, session, outage |
//! | [`inventory`] | the account's list, and which of its pages is read next |
//! | [`backlog`] | jobs that were not sent yet |
//! | [`order_check`] | how much of the order was compared with the list before anything is sent |
//! | [`images`] | names and zones of the ordered images |
//! | [`flights`] | jobs that were sent, until they end |
//! | [`budget`] | what has gone wrong, and how much more may |
//! | [`canaries`] | which jobs go first, and whether they are proven |
//! | [`groups`] | which members of groups are down |
//! | [`bindings`] | which services are bound by what may still take effect |
//! | [`owner`] | whose the batch is, and whose the session |
//! | [`control`] | what operators have said from another terminal |
//! | [`sequence`] | in which order jobs start, where it is not the manifest's |
//! | [`histories`] | which doubts wait for what the API has noted of their services |
//! | [`desk`] | what is to be recorded, and what rests on it |
//! | [`lookups`] | documents that somebody wants to look at, apart from any job |
//! | [`witness`] | which instances are asked for their host keys, and what they have shown |
//! | [`narrator`] | what was said already |
//!
//! What concerns several rooms is decided by the machine itself: `expectations` (is what stands there
//! what the order expects), `starts` (what a job needs before its intent may be written),
//! `rollout` (which jobs the rules of the roll-out let start), `window` (what may start before it closes),
//! `preparation` (what has to be asked for it), `host_keys` (when instances are asked for their keys), `answers`,
//! `session_answers`, `owner_answers` and `control_answers` (what an answer means), `readings` (what a page of the list
//! means), `holds` (what is left to the operator), `half_session`, `activity` (what the
//! run waits for), and `looks` (documents that are read for somebody who looks). A property test
//! drives it without clock, network or database.

mod activity;
mod answers;
mod backlog;
mod bindings;
mod budget;
mod call;
mod canaries;
mod control;
mod control_answers;
mod course;
mod desk;
mod expectations;
mod flights;
mod gate;
mod groups;
mod half_session;
mod histories;
mod holds;
mod host_keys;
mod images;
mod inventory;
mod looks;
mod lookups;
mod narrator;
mod order_check;
mod owner;
mod owner_answers;
mod preparation;
mod readings;
mod rollout;
mod sequence;
mod session_answers;
mod starts;
#[cfg(test)]
mod tests;
mod turn;
mod window;
mod witness;

pub use call::{Call, Finished, Step};
pub use course::{LeftInFlight, Machine, STALE_AFTER, Start};
pub use lookups::Looked;
pub use turn::{Answer, Input, Next, Output, Question, StoreFault};
pub use witness::Sighting;
