//! What the account holds, and what may be ordered: `services`, `images`, `keys`.
//!
//! The one fact to know: nothing here orders or changes anything; all calls are those that read.
//! `look` has what the commands share: how the API is reached, and where a list is written; `offer` reads
//! forms and lists of the API.

mod images;
mod keys;
mod look;
mod offer;
mod services;

pub use images::{ImagesArgs, images};
pub use keys::{KeysArgs, keys};
pub use look::{Doing, write};
pub use offer::{Offered, of_named_centres};
pub use services::{ServicesArgs, services};
