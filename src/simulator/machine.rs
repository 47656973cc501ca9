//! What stands at the address of an instance, as far as it can be told by SSH.
//!
//! A rebuild installs the machine anew, and with that its host keys: they are a function of the
//! account's seed and of the [`Installation`]. The one fact to know: what answers follows the status that the
//! instance truly has. In any other than `active` nothing does, whatever the list shows:
//!
//! * until a rebuild begins ([`accept_lag`](super::Config::accept_lag)), the old installation;
//! * while it goes on, for ever where it never ends, and after one that ends in `error`: nothing;
//! * after one that is complete or rolled back, and after one that somebody has ended by other means: the
//!   new installation, for the data of the old one is gone.

/// Which installation of an instance it is: the first, or that of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Installation {
    pub(super) service: i64,
    /// Rebuilds by a client that have begun.
    pub(super) wipes: u64,
    /// Rebuilds by somebody else: in the panel.
    pub(super) by_others: u64,
}
