//! Every history of two hosts, a database and an operator that fits some bounds, lived with the rules
//! of [`super`].
//!
//! Time is in ticks of five seconds, so a lease of six ticks is trusted for four and an intent lives for
//! one. What is stored are ages and not times, so a history needs no end: a state that comes again is the
//! same state. A host may do its next step at any later tick, so it may be frozen anywhere for any time
//! without a word about that in the model.
//!
//! | file | what is in it |
//! |---|---|
//! | `setting` | bounds of a search, what it assumes, which rule is broken |
//! | `world` | a state |
//! | `rules` | the rules of [`super`], asked about a state, or one of them broken |
//! | `host`, `wire`, `database`, `operator` | the steps |
//! | `promises` | what has to hold in each state |
//! | `search` | breadth first, so that the first broken promise has the shortest history |
//! | `tests` | the searches: as it is, without each assumption, with each rule broken |
//!
//! # What is left out
//!
//! That somebody undoes a rebuild between two readings of the list, which [`crate::run::evidence`] is
//! about: a reading here shows the truth of its moment. That two databases take writes at once: of an old
//! primary that lives on only the renewals are modelled ([`setting::Assumption::OldPrimaryIsDown`]). And
//! that an instance is wiped late although an operator has called its job failed or cancelled it: that
//! wipe was ordered, and is no second one.

mod database;
mod host;
mod operator;
mod promises;
mod rules;
mod search;
mod setting;
mod tests;
mod wire;
mod world;
