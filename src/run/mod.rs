//! A run: one pure machine between two ports.
//!
//! The one fact to know: nothing is sent before its intent is committed. A turn:
//!
//! ```text
//!            ┌────────────── driver: the one loop, decides nothing ──────────────┐
//!   Store ◀──┤ Ask, Record ──▶ answers, conflicts                                │
//!            │                        │ Input                                    │
//!            │                        ▼                                          │
//!            │                machine::handle(input, now)   no I/O, no clock     │
//!            │                        │ Output: events, calls, what to wait for  │
//!   API   ◀──┤ calls ──▶ worker ──▶ Finished                                     │
//!            └───────────────────────────────────────────────────────────────────┘
//! ```
//!
//! [`driver`] is generic over what is outside: `process` is the real clock, API and queue; the
//! tests and the bench bring worlds of their own. A submission is among the calls only after the
//! machine was told that its intent is committed.
//!
//! The rules that the [`machine`] applies are small pure modules of their own: how doubts end and
//! rebuilds complete ([`evidence`]), what the list says ([`list`]), when a page of it is read again
//! ([`poll_schedule`]), when to try again ([`backoff`]), how fast ([`rate_limiter`]), how much may go
//! wrong ([`budget`]), what an outage is ([`outage`]), what the session needs ([`session`]), how long
//! rebuilds take ([`durations`]), in which order jobs start ([`start_order`]), and what keeps several
//! hosts apart ([`hosts`]).

mod account;
pub mod backoff;
pub mod budget;
mod clock;
pub mod driver;
pub mod durations;
pub mod evidence;
mod halt;
pub mod hosts;
pub mod list;
pub mod machine;
mod options;
pub mod outage;
pub mod poll_schedule;
mod process;
pub mod rate_limiter;
mod rollout;
pub mod session;
pub mod start_order;
mod worker;

pub use account::{Account, Looker, read_account, read_owner};
pub use clock::Now;
pub use durations::Durations;
pub use halt::{Halt, Signal};
pub use list::InstanceList;
pub use options::{Options, Tolerances, Witnesses};
pub use process::{Ending, Pulse, Setup, Signals, run};
pub use rollout::Rollout;
pub use start_order::StartOrder;

pub use crate::job::Tolerance;
