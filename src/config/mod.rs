//! `config.toml`: the accounts of an operator, how each logs in, and what its runs do unless they are
//! told otherwise.
//!
//! The one fact to know: a file with one fault is refused whole, and all of its faults are told at
//! once, each with its line and what to do. A run with half of its configuration would rebuild with
//! other options than somebody wrote down, or on another account.
//!
//! `file` finds and reads the file, `document` walks through it, `fields` takes the values of one
//! account (`lines`: where they stand), `rules` says what of an account does not go together. `account` is what comes of it,
//! `fault` what is wrong, and `glimpse` whom to tell that a file is refused.

mod account;
mod document;
mod fault;
mod fields;
mod file;
mod glimpse;
mod lines;
mod rules;

pub use account::{Account, Config, Given, KnownOption, Located, LoginBy, Options, Secret, Takes};
pub use fault::ConfigError;
pub use file::{Found, own_folder, read, search};
pub use glimpse::glimpse;

#[cfg(test)]
mod tests;
