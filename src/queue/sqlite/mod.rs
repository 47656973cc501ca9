//! The queue in one SQLite file: the only place that knows sqlx, and what such a file is on a disk.
//!
//! `place` decides whether a path can carry a ledger, `file` and `open` open it (`handle`, with
//! `settings`), `migrate` brings its schema up to date. `lock` sees to it that one run works, `lease` is what that run writes of itself.
//! `log` and `files` watch over SQLite's side files while it works. `text` reads a job and
//! `change` moves it. The rest are the verbs: `enqueue`, `record`, `command`,
//! `control`, `access`, `adopt`, `read`, `overview`, `durations`, `pace`, `hooks`, `check`.

#[macro_use]
mod control;

mod access;
mod adopt;
mod change;
mod check;
mod clock;
mod command;
mod durations;
mod enqueue;
mod error;
mod file;
mod files;
mod handle;
mod hooks;
mod insert;
mod lease;
mod lock;
mod log;
mod marked_file;
mod migrate;
mod open;
mod overtaken;
mod overview;
mod pace;
mod past;
mod place;
#[cfg(test)]
mod plans;
mod read;
mod record;
mod rollout;
mod settings;
mod statement;
mod store;
mod stray;
mod text;
mod transaction;

pub use error::OpenError;
pub use handle::SqliteQueue;
pub use lock::QueueLock;
pub use place::{Note, Precious, Side, Unfit, no_database, precious, resolve, unexpanded};
pub use settings::Open;
