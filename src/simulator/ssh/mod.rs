//! The SSH ports of the instances: real ones, on the loopback addresses that the list shows.
//!
//! | file | what it is for |
//! |---|---|
//! | `port` | the one socket at which all of them are asked |
//! | `host_keys` | the keys of an installation |
//! | `session` | from the key exchange to the end of a command |
//!
//! All instances have the same port, and one socket listens for all of them: the address that a client
//! asks for tells which one it means. That leaves one thing that is not as in the field: the system takes each
//! connection, also to an instance that is down, which then resets it at once. A port that drops what
//! comes, so that a client waits in vain for its connection, cannot be had on loopback.

mod host_keys;
mod port;
mod session;

pub(super) use port::{listen, serve};
