//! What may be done to an instance: so far, a rebuild.
//!
//! An [`Order`] says what a row of the manifest asks for, a [`Task`] what exactly an intent is about to
//! submit, an [`Action`] which kind of thing that is. Whoever only hands an order on (queue, report,
//! screen) asks it by methods that may answer with nothing, and never by its kind. What has to know the
//! kind stands in one place of each room:
//!
//! | question | place |
//! |---|---|
//! | what is ordered, whether it may be repeated, when it may begin, its nouns and verbs, what the question says of the loss | here |
//! | which command orders it, and what to type to order it again | `cli/manifest.rs` |
//! | which columns it must have, and what they say | `manifest/rebuild.rs`, which `manifest/row.rs` asks |
//! | how it is stored | `queue/sqlite/order.rs`, and the CHECK of `batch.action` in the migration |
//! | what is submitted, and what its answer has to name | `zomro/submission.rs` |
//! | what has to be known before the intent | `run/machine/preparation.rs` |
//! | what the list shows of it, and when it is complete | `run/evidence/rebuild`, which `run/evidence/dispatch.rs` asks for the rules of every action |
//! | what the stand-in of the API does with it | `simulator/rebuild.rs`, which `simulator/action.rs` asks, with the table of its functions |

mod kind;
mod order;
mod rebuild;
mod task;
mod terms;

pub use kind::Action;
pub use order::Order;
pub use rebuild::Rebuild;
pub use task::Task;
pub use terms::Terms;
