//! The question before anything is destroyed: what will be lost, from the account's live list.
//!
//! `targets` holds what is about to be rebuilt, `fate` what becomes of each by the account's list,
//! `text` says all of it and `table` lists it (both know no terminal), `ask` asks on the terminal,
//! `pager` shows what is longer than a screen.

mod ask;
mod fate;
mod pager;
mod table;
mod targets;
mod text;

pub use ask::{Asked, confirm, read};
pub use fate::Fate;
pub use pager::Pager;
pub use targets::Targets;
pub use text::Question;
