//! Several hosts on one queue: the rules of the protocol, pure.
//!
//! The one fact to know: the database can't fence the effect. A rebuild call carries no token, so the
//! API executes a form from whichever host it comes. What keeps two hosts apart is therefore decided
//! before the form is handed to the wire, by the sender itself ([`trust`], [`permit`]), and what may
//! have slipped through is never sent again on a guess ([`orphan`]).
//!
//! | rule | where |
//! |---|---|
//! | for how long a holder believes in its lease | [`trust`] |
//! | whether a form may be handed to the wire now | [`permit`] |
//! | who held the lease, and when | [`Tenure`] |
//! | what an older tenure left behind, and what frees it | [`orphan`] |
//! | when what was sent can take effect no more | [`stray`] |
//! | who keeps leases alive while runs work | [`Keeper`] |
//! | what an outcome means that its sender could not write in time | [`testimony`] |
//! | whether the database is still the one in which the intents lie | [`identity`], which the queue asks at each turn |
//!
//! `model` (in the tests) lets two hosts, a database and an operator live every history that fits its
//! bounds, with these very functions, and names what they assume.

mod keeper;
#[cfg(test)]
mod model;
pub mod orphan;
pub mod permit;
pub mod stray;
pub mod testimony;
pub mod trust;

pub use keeper::{Keeper, Kept};
pub use orphan::{Missing, Waits};
pub use permit::{Permit, Refusal};
pub use testimony::{Heard, Testimony};
pub use trust::{BootTime, LeaseTerms, Trust};

pub use crate::queue::{Fence, Tenure, identity};
