//! The truth: what really happened, whatever the clients were told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::call::Call;
use super::kind::FaultKind;
use crate::job::Action;

/// Everything that happened since the start of the simulator. With a journal, services and
/// executions are counted since its beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// By service.
    pub services: BTreeMap<i64, ServiceRecord>,
    /// Calls that arrived, also those that met a fault.
    pub calls: BTreeMap<Call, u64>,
    /// Faults that calls met.
    pub faults: BTreeMap<FaultKind, u64>,
    /// What no client may ever do (`p_cnt`, filters, unknown functions, …), the first 1000.
    pub violations: Vec<String>,
    /// Servers that were ordered (`v2.instances.order.param` with `sok`): each costs money.
    #[serde(default)]
    pub orders: u64,
    /// Submissions whose answers were outstanding at the same time, at most.
    pub submissions_in_flight_max: u64,
    /// Executions that were under way at the same time, at most (by the planned end of each).
    pub executions_max: u64,
    /// What has reached the instances' SSH ports.
    #[serde(default)]
    pub ssh: SshRecord,
}

/// What has reached the instances' SSH ports, of all instances together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshRecord {
    /// Connections that were taken.
    pub connections: u64,
    /// Attempts to log in, with or without success.
    pub login_attempts: u64,
}

/// The truth about one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Submissions that arrived. Over a restart, those after the last accepted one are forgotten.
    pub submissions: u64,
    /// Of those: found valid and answered with ok, whether or not the answer got through.
    pub accepted: u64,
    /// Of those: really executed.
    pub executed: u64,
    /// Of the executed ones: those that destroyed the data. More than 1: it was destroyed twice.
    pub wiped: u64,
    /// Of the executed ones: those that ended as ordered, a rebuild with the new image.
    pub completed: u64,
    /// Of the executed ones: those whose ok was handed intact to the connection.
    pub answered: u64,
    /// Status now.
    pub status: String,
    /// Image now, by name.
    pub image: String,
    /// Each execution that destroyed the data.
    pub wipes: Vec<WipeRecord>,
    /// When rebuilds by somebody else have begun, in the panel, as Unix times: no executions, and no wipes of
    /// the client's.
    #[serde(default)]
    pub by_others: Vec<i64>,
    /// What was ordered by SSH, the first 1000.
    #[serde(default)]
    pub commands: Vec<CommandRecord>,
}

/// One execution that destroyed the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WipeRecord {
    pub action: Action,
    /// When it was accepted, as Unix time.
    pub at_ms: i64,
    /// The image that was installed.
    pub image_id: String,
    /// The name of that image.
    pub image: String,
    /// The ok was handed intact to the connection.
    pub answered: bool,
    /// When it was complete, as Unix time; `None`: not yet, or never.
    pub completed_ms: Option<i64>,
}

/// One command that somebody has ordered by SSH. Where it held the instance's password, `[password]` stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRecord {
    pub command: String,
    /// The first 64 KiB of what it read.
    pub stdin: String,
    /// How much it read.
    pub stdin_bytes: u64,
}

/// One call that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// Since the simulator started, in microseconds.
    pub at_us: u64,
    pub call: Call,
    pub elid: Option<i64>,
}
