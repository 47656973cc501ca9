//! Whether a path can carry the ledger.
//!
//! The one fact to know: what happened to a fleet stands in *several* files: SQLite's log and its
//! index lie beside the database and go by its name, and so does the lock. Whoever reaches the
//! database by another name finds no log, another lock, and wipes twice. So a path is resolved
//! before anything is put beside it, and a place where one file can have two names is refused.
//!
//! `facts` and `wal` ask the system, `decide` is pure, and `unfit` says what is wrong and what to do about
//! it. `meant` knows paths that are surely a mistake, before any file is looked at. `target` keeps everything else that is written away from such files.

mod bytes;
mod decide;
mod facts;
mod find;
pub(super) mod mark;
mod meant;
mod names;
mod resolve;
mod side;
mod target;
mod unfit;
pub(super) mod wal;

pub(super) use decide::Place;
pub(super) use find::find;
pub use meant::{no_database, unexpanded};
pub use resolve::resolve;
pub use side::Side;
pub use target::{Precious, precious};
pub use unfit::{Note, Unfit};
