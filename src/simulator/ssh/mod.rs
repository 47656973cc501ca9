//! The SSH ports of the instances: real ones, on the loopback addresses that the list shows.
//!
//! | file | what it is for |
//! |---|---|
//! | `port` | the one socket at which all of them are asked |
//! | `host_keys` | the keys that a machine shows |
//! | `session` | from the key exchange to the end of a command |
//! | `trap`, `penalties` | what a port does that does not speak SSH as it should |
//!
//! All instances have the same port, and one socket listens for all of them: the address that a client
//! asks for tells which one it means. That leaves one thing that is not as in the field: the system takes each
//! connection, also to an instance that is down, which then resets it at once. A port that drops what
//! comes, so that a client waits in vain for its connection, cannot be had on loopback.

mod host_keys;
mod penalties;
mod port;
mod session;
mod trap;

pub(super) use port::{listen, serve};
