//! What the backends have in common, and is no SQL: how values stand in columns and how they are read
//! back, and the rules by which verbs decide on what they have read.
//!
//! `decode` and `error` are about single values and errors. `columns`, `order`, `rows` and `batch` say
//! what a job's and a batch's columns hold. `steps`, `past`, `clock`, `access`, `command`, `rollout`,
//! `check`, `control` and `schema` are the rules, and `stray` says what is handed out to nobody.

#[macro_use]
mod columns;

mod access;
mod batch;
mod check;
mod clock;
mod command;
mod control;
mod decode;
mod error;
mod hooks;
mod order;
mod past;
mod rollout;
mod rows;
mod schema;
mod steps;
mod stray;
mod verbs;

pub use access::{AccessChanges, Taken, by_service, newly_expected, taken_rows};
pub use batch::{BATCH_COLUMNS, StoredBatch, Tallies, counts_of, happened, options};
pub use check::{StoredEntry, Tallied, compare};
pub use clock::SetBacks;
pub use columns::{DATA_COLUMNS, Datum, WORD_COLUMNS, Word, columns};
pub use command::Elsewheres;
pub use control::{ControlRow, control_entry, flaw_of_control};
pub use decode::{count, damaged, from_json, image_id, json, owner};
pub use hooks::hook_counts;
pub use order::{OrderColumns, expected, next_rows};
pub use past::Past;
pub use rollout::{DownRow, down};
pub(in crate::queue) use rows::job_as_array;
pub use rows::{
    batch_of, due_jobs, each_target, end_of, ids, job_id, pending_jobs, queued_job, result_row,
};
#[cfg(test)]
pub use schema::assert_all_are_listed;
pub use schema::{MigrationFile, SchemaAge, migrator};
pub use steps::{Writer, erased, is_intent, tally_changes, waves};
pub use stray::{SenderRow, StrayRow, stray};
pub(in crate::queue) use stray::{may_be_stray, no_stray_but};
pub(in crate::queue) use verbs::speak;
