//! The domain: one instance to rebuild, and everything that may happen to it.
//!
//! Pure: nothing here knows a database, a network or a clock. The one fact to know: a job's
//! [`JobRecord`] is never set by hand, it is the fold of its ledger [`LedgerEntry`]s, live and at
//! recovery alike.
//!
//! ```text
//!   queued ─────▶ submitting ─────▶ in_progress ────▶ done
//!    ▲  ▲ ▲         │  │  │          │ ▲  │
//!    │  │ └─────────┘  │  │          │ │  └────────▶ failed
//!    │  │              │  └──────────┼─┼───────────▶ │ │
//!    │  │              ▼             │ │             │ │
//!    │  └─────────── in_doubt ◀──────┘ │             │ │
//!    │                 │ │ └───────────┘             │ │
//!    │                 │ └──▶ done, failed           │ │
//!    │                 └────▶ cancelled ◀────────────┘ │
//!    └─────────────────────────────────────────────────┘
//!
//!   queued       intent → submitting · untouched → failed · cancelled → cancelled
//!                accepted → in_progress
//!   submitting   accepted → in_progress · not_executed → queued · refused → failed
//!                unknown, interrupted → in_doubt
//!   in_progress  completed → done · broken → failed · doubted → in_doubt
//!   in_doubt     sighted, rekeyed, accepted → in_progress · disproved, not_executed → queued
//!                exhausted, refused → failed
//!                resolved → done, queued or failed · cancelled → cancelled
//!   failed       retried → queued · cancelled → cancelled · resolved → done
//! ```
//!
//! A done job may have a hook of the operator's, whose course [`hook`] says.

mod access;
mod action;
mod control;
mod counts;
mod entry;
mod expected;
mod failure;
mod group;
pub mod hook;
mod host_key;
mod id;
mod image_name;
mod key_places;
mod order;
mod owner;
pub mod record;
mod result;
mod sheet_rows;
mod state;
mod status;
mod submissions;
mod tolerance;
mod words;

pub use access::{Access, AccessKind, StoredAccess};
pub use action::{Action, Order, Rebuild, Task, Terms};
pub use control::{Control, ControlEntry, Instruction, Limits};
pub use counts::{Counter, Counts};
pub use entry::{Baseline, LedgerEntry, Verdict};
pub use expected::{Difference, EXPECTED_CHARS_MAX, Expected};
pub use failure::{Cause, Failure, FailureKind};
pub use group::Group;
pub use hook::{Hook, HookCounts, HookEnd, HookExit, HookRunner, HookState, HookStep};
pub use host_key::{HostKey, InvalidHostKey, ShownKey};
pub use id::{BatchId, ImageId, InvalidServiceId, JobId, RunId, ServiceId};
pub use image_name::{image_name_form, is_cut, same_image};
pub use key_places::{KeyHint, KeyPlaces};
pub use order::NewJob;
pub use owner::{AccountId, Owner};
pub use record::{IllegalTransition, JobRecord, Transition};
pub use result::{Happened, ResultRow};
pub use sheet_rows::SheetRows;
pub use state::{Evidence, Executed, State};
pub use status::InstanceStatus;
pub use submissions::{Submissions, Unpermitted};
pub use tolerance::{InvalidTolerance, Tolerance};
pub use words::UnknownWord;
