//! A stand-in for the provider's API: real HTTP on loopback, real shapes, and the truth beside it.
//!
//! It serves rehearsals, tests and benchmarks. It imports nothing of the client, the queue or the
//! runner: what it says about who was wiped, and how often, is independent of what they believe.
//! The one fact to know: the [`Record`] is the truth, the answers need not be. A [`Script`] or a
//! [`FaultPlan`] decides which answers are lost, late or lies; [`Oddities`] say what is odd about
//! the account all the time.
//!
//! | file | what it is for |
//! |---|---|
//! | `server` | a running simulator, from its start to its end |
//! | `config`, `change`, `control` | what the account holds, what tests change of it, and how from another process |
//! | `serve` | from a request to its answer, through the fault that it meets |
//! | `asked`, `call`, `form` | what a request asks for, which call that is, and its fields |
//! | `hold` | holds submissions back until a test releases them |
//! | `account` | the account: takes the calls, and tells its parts |
//! | `sessions`, `fleet`, `list`, `deferred`, `running`, `traffic` | its parts |
//! | `catalogue` | what may be ordered, and the account's own images and keys |
//! | `action`, `submission` | what may be submitted, whatever action it is |
//! | `history` | what the panel has noted of a service |
//! | `rebuild` | what is a rebuild's own: its form, what it demands, how one goes |
//! | `instance`, `timeline`, `behaviour` | one instance: what happens to it, and what the list shows of that |
//! | `journal`, `record` | what outlives the process, and the truth |
//! | `kind`, `fault` | what may go wrong with a call, and when |
//! | `oddity`, `always`, `freeze`, `image_names`, `panel` | what is odd all the time |
//! | `machine`, `installation`, `addresses` | what answers by SSH at an address, and with which keys |
//! | `ssh` | the SSH ports themselves |
//! | `ssh_oddity` | what is odd about them |
//! | `vocabulary` | the words of these tables, as the command line and the scripts write them |
//! | `respond`, `encoding`, `wire` | what the client sees of a fault: the answer, its bytes, its connection |
//! | `document`, `refusal`, `json` | the API's documents |
//!
//! What it does where the real API's behaviour is not known (see the sources named in the wire
//! documentation of the client) is one guess of several; tests script the others.
//!
//! Another action would be a file beside `rebuild`, which `action` names.
//!
//! Tests in another process use the requests under `/_simulator/`, see [`control`].

mod account;
mod action;
mod addresses;
mod always;
mod asked;
mod behaviour;
mod call;
mod catalogue;
mod change;
mod config;
pub mod control;
mod deferred;
mod document;
mod encoding;
mod fault;
mod fleet;
mod form;
mod freeze;
mod history;
mod hold;
mod image_names;
mod installation;
mod instance;
mod journal;
mod json;
mod kind;
mod list;
mod machine;
mod oddity;
mod panel;
mod random;
mod rebuild;
mod record;
mod refusal;
mod respond;
mod running;
mod serve;
mod server;
mod sessions;
mod shared;
mod ssh;
mod ssh_oddity;
mod submission;
#[cfg(test)]
mod tests;
mod timeline;
mod traffic;
mod vocabulary;
mod wire;

pub use always::Always;
pub use behaviour::{Behaviour, ImageAt, Outcome, Step};
pub use call::Call;
pub use change::{AccountChange, InstanceChange};
pub use config::{Config, DataCenter, FleetRow, Image, SimulatedInstance, SshKey};
pub use fault::{Fault, FaultPlan, Script};
pub use freeze::{Freeze, FreezeAt};
pub use image_names::Names;
pub use kind::{FaultKind, UnknownFaultKind};
pub use oddity::{InvalidOddity, Oddities};
pub use panel::PanelRebuild;
pub use record::{CallRecord, CommandRecord, Record, ServiceRecord, SshRecord, WipeRecord};
pub use server::Simulator;
pub use sessions::{Login, Sessions};
pub use ssh_oddity::{KeyAlgorithm, Moved, PortTrap, SshAt, SshOddity, SshTrap};
