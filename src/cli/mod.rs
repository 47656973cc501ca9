//! The command line: one module per command.
//!
//! The one fact to know: nothing is printed outside this module and `progress`; results go to
//! stdout, everything a person is told goes to stderr, and every way a command can end has its
//! exit code in [`crate::exit`].
//!
//! A command begins in `start`, which parses its `arguments`; `configured` adds what `config.toml`
//! says. What several commands share:
//! `global` (options of every command), `headings` (how their groups are called), `manifest` (how a sheet is read), `paths` and
//! `given_paths` (what must not be written over), `format` (how a table is written, and where to),
//! `database` and `batches` (what a command works on), `at_work` (which run does), `order` (a manifest's
//! way into the queue), `question` (before anything is destroyed), `next` (what to type afterwards),
//! `recorded` (what is kept of how a run works, and repeated), `window` (whether anything fits into it),
//! `held` (which rules hold jobs back, and until when), `monitors` (whom `run` and `work` tell how they stand), `words` and `output` (printing), `error` (what
//! went wrong, with hints).

mod adopt;
mod arguments;
mod at_work;
mod batches;
mod catalogue;
mod check;
mod completions;
mod config_args;
mod config_show;
mod configured;
mod connect;
mod control;
mod credentials;
mod database;
mod ended;
mod error;
mod format;
mod given_paths;
mod global;
mod headings;
mod held;
mod hook_args;
mod hooks;
mod hosts;
mod left_alone;
mod list;
mod load;
mod lookup;
mod man;
mod manifest;
mod monitor_args;
mod monitors;
mod next;
mod options;
mod order;
mod orphans;
mod output;
mod paths;
mod plan;
mod question;
mod recorded;
mod report;
mod resolve;
mod run;
mod secret_command;
mod service;
mod show;
mod sign_in;
mod signals;
mod simulate;
mod start;
mod status;
mod suggestions;
mod systemd;
mod trace;
mod typed;
mod verify;
mod window;
mod words;

pub use start::main;
