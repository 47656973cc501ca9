//! What the account holds, and what may be ordered: `services`.
//!
//! The one fact to know: nothing here orders or changes anything; all calls are those that read.
//! `look` has what the commands share: how the API is reached, and where a list is written.

mod look;
mod services;

pub use services::{ServicesArgs, services};
