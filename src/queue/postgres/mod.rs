//! The queue on a PostgreSQL server, for several hosts.
//!
//! `server` is its address, `connect` makes a connection that has what the promises rest on, `session`
//! keeps it, `pool` lets several sessions share some, `handle` and `migrate` open the database. `sight` is
//! whether that is the one in which the ledger was written, `marks` what this host keeps of it on its own
//! disk. `lease` is the right of one process to work for an
//! account, by the server's clock. `text` reads a job and `change` moves it; `copy` is what a load sends.
//! The rest are the verbs, as in SQLite's room: `enqueue`, `past`, `record`, `command`, `control`,
//! `access`, `read`, `batches`, `overview`, `rollout`, `pace`, `hooks`,
//! `check`. What they decide by stands in `stored`.

mod access;
mod adopt;
mod batches;
mod change;
mod check;
mod command;
mod connect;
mod control;
mod copy;
mod enqueue;
mod handle;
mod hooks;
mod hosts;
mod lease;
mod marks;
mod migrate;
mod open_orders;
mod overview;
mod pace;
mod past;
#[cfg(test)]
mod plans;
mod pool;
mod read;
mod record;
mod renewal;
mod rollout;
mod server;
mod session;
mod sight;
mod store;
mod stray;
mod testimony;
#[cfg(test)]
pub mod tests;
mod text;

pub use adopt::Notice;
pub use handle::PostgresQueue;
pub use hosts::{DownBy, HostLease};
pub use open_orders::{AccountKey, OpenOrder, OpenOrders, Rest, Resting};
pub use renewal::{Renewal, Renewed};
pub use server::Server;
pub use testimony::{LateWord, Unheard};
