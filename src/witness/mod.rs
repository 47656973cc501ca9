//! The second witness: the instance itself, by the SSH host key that it shows.
//!
//! A look is a key exchange and nothing more: no user is named, no way of logging in is tried, and
//! nothing of any password is anywhere near. The one fact to know: russh hands a key out only after the
//! other side has proven that it holds the private part, so that what answers is not a recording.
//!
//! Whatever answers is foreign: a look ends after [`PATIENCE`], and after `BYTES_MAX` bytes.

mod bounded;
mod look;
#[cfg(test)]
mod tests;

pub use look::{Look, PATIENCE, Unseen, can_be_looked_at, look};
