//! refleet rebuilds a whole fleet of Zomro Cloud VPS instances from a spreadsheet.
//!
//! A rebuild destroys all data on the instance, it is not idempotent, and the API knows no
//! idempotency key. So the heart of this crate is not the retry: it is knowing, after any crash
//! and any network fault, which instances were wiped, which were not, and which are *in doubt*,
//! and never wiping one twice on a guess.
//!
//! # The map of the house
//!
//! Data flows one way: manifest → queue → run ⇄ zomro → queue → report.
//!
//! | module | what it is for | what it must not know |
//! |---|---|---|
//! | [`job`] | the domain, pure: ids, states, transitions, ledger entries and their fold | all other modules |
//! | [`manifest`] | bytes → rows and diagnostics (line, column, remedy) | database, network |
//! | [`queue`] | jobs and ledger behind a port: in one SQLite file, and where that may lie, or on a PostgreSQL server; the only place that knows sqlx | network |
//! | [`zomro`] | the API client, and what each of its answers means; beside `monitor` the only place that knows reqwest | database |
//! | [`witness`] | the host key that an instance shows on its SSH port, without logging in; beside `simulator` the only place that knows russh | all but [`job`] |
//! | [`run`] | one pure machine decides, one loop does what it says, workers talk HTTP | screen |
//! | [`event`] | what a run tells the outside: the vocabulary between a run and the screen | both |
//! | [`config`] | `config.toml`: accounts, how each logs in, defaults of options; every fault with its line | command line, network |
//! | [`exit`] | the exit codes | all but [`job`] |
//! | [`log`] | what is told on stderr, as text or as one JSON object a line | all but [`text`] and [`time`] |
//! | [`pace`] | how far a batch is, how quickly it moves, when it ends | all but [`time`] |
//! | [`progress`] | events → bar, plain lines, NDJSON; the only place that knows indicatif | run |
//! | [`monitor`] | whoever watches over runs is told how each stands and has ended: Prometheus, healthchecks, webhooks, a command; knows reqwest for that, and no credentials | database, run, the API |
//! | [`hook`] | what the operator lets happen to an instance after its success: a process for each, claimed in the queue | run, network, screen |
//! | [`report`] | results as table, CSV, JSON, and as a page or a workbook for the morning after | run |
//! | [`simulator`] | an honest stand-in for the API, over real HTTP on loopback | queue, run |
//! | [`cli`] | the command line: one module per command, errors with hints | |
//! | [`mod@failpoint`] | where the crash harness kills the process (debug builds, and the feature `failpoints`) | |
//! | [`shell`] | commands of the operator: how they are started, and ended | all but [`log`] |
//! | [`text`], [`time`] | foreign text made safe to print; times and durations as people write them, the window of the day by the clocks of a zone | |
//!
//! `tests/it/tidy.rs` holds the crate to this map.
//!
//! # How a row becomes a rebuild
//!
//! | step | type | where |
//! |---|---|---|
//! | the command line says which action the manifest orders: a batch has one | [`job::Action`] | `cli/manifest.rs` |
//! | the row is read as an order of that action | [`job::NewJob`], with its [`job::Order`] | `manifest/row.rs` |
//! | it is stored, and handed out when it is due | [`queue::QueuedJob`] | `queue/sqlite/order.rs` |
//! | what is about to be submitted is written down | [`job::Task`], in the intent | `run/machine/starts.rs` |
//! | then it is sent: the one call that wipes the instance | [`zomro::Submission`] | `zomro/submission.rs`, `run/worker.rs` |
//!
//! [`job`] has the states that the job goes through meanwhile, [`run`] the picture of a turn, and
//! `job::action` which other places know what action it is.
//!
//! # What refleet promises
//!
//! To understand it, read [`job::record`] (what may follow what),
//! [`run::evidence`] (how a doubt ends, when a rebuild is complete, and why silence proves anything
//! at all), [`run::hosts`] (what keeps several hosts apart), `zomro/finding.rs` and `zomro/meaning.rs` (what the answer to a submission proves) and
//! `queue/sqlite/place` (why a ledger has one name), in this order.

pub mod cli;
mod config;
pub mod event;
mod exit;
pub mod failpoint;
mod hook;
pub mod job;
mod log;
mod manifest;
mod monitor;
mod pace;
mod progress;
pub mod queue;
mod report;
pub mod run;
mod shell;
pub mod simulator;
mod text;
pub mod time;
mod witness;
pub mod zomro;

// The night that the benches let a run live through is read as the display reads it.
#[cfg(test)]
extern crate self as refleet;
