//! The rig in which the real binary is tested: a simulated account in this process, a folder with a
//! manifest and the database, and the pace of the runs ([`Rig`]). Nothing of the environment of the
//! one who tests gets in.
//!
//! A test waits for an event of a run (`--events -`, [`Running::wait`]) or for what the simulator
//! has seen ([`Running::wait_until`]). In the end it holds what refleet says against what the
//! simulator did: [`Rig::assert_truth`] by the report, [`Rig::check_end`] by the ledger.

mod browser;
mod fleet;
mod mounts;
mod pace;
mod postgres;
mod process;
mod proxy;
#[cfg(target_os = "linux")]
mod pty;
mod receiver;
mod share;
mod truth;

pub use browser::Browser;
pub use fleet::{
    FIRST, IMAGE, LOGIN_PASSWORD, OTHER_IMAGE, PASSWORD, Rig, USERNAME, account_of, any_ssh_port,
    block_on, id, manifest, manifest_of, services, sql,
};
pub use mounts::{OWN_MOUNTS, in_own_mounts, mount};
pub use pace::{Pace, QUICK, quick};
pub use postgres::Cluster;
pub use process::{Ended, Running, SIGABRT, bare, binary, finish, wrapped};
pub use proxy::Proxy;
#[cfg(target_os = "linux")]
pub use pty::{Size, Typed, on_a_terminal};
pub use receiver::{Manner, Receiver, Told};
pub use share::side_by_side;
pub use truth::Story;
