//! What arrived: counts, times, and what no client may do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::FUNCTIONS;
use super::asked::Asked;
use super::call::Call;
use super::catalogue::Catalogue;
use super::form::Fields;
use super::kind::FaultKind;
use super::record::{CallRecord, SshRecord};
use crate::job::ServiceId;

const VIOLATIONS_MAX: usize = 1000;
const CALLS_MAX: usize = 200_000;

/// The parameters of a list that the panel does not keep for its user.
const LIST_FIELDS: [&str; 7] = ["func", "auth", "authinfo", "out", "lang", "p_num", "p_col"];

/// May this function say `sok`? Everything else is only read.
fn may_confirm(func: &str) -> bool {
    matches!(func, "auth" | "totp.confirm")
        || FUNCTIONS.iter().any(|function| function.name == func)
}

/// A list whose parameters the panel keeps for its user.
fn is_kept(asked: Asked) -> bool {
    matches!(
        asked,
        Asked::List | Asked::History | Asked::Catalogue(Catalogue::OwnImages | Catalogue::SshKeys)
    )
}

#[derive(Debug, Default)]
pub(super) struct Traffic {
    calls: Vec<CallRecord>,
    counts: BTreeMap<Call, u64>,
    faults: BTreeMap<FaultKind, u64>,
    violations: Vec<String>,
    in_flight: u64,
    in_flight_max: u64,
    ssh: SshRecord,
}

impl Traffic {
    /// A call has arrived, `age` after the start; returns how many of its kind that makes.
    pub(super) fn arrived(&mut self, call: Call, elid: Option<ServiceId>, age: Duration) -> u64 {
        if self.calls.len() < CALLS_MAX {
            self.calls.push(CallRecord {
                at_us: u64::try_from(age.as_micros()).unwrap_or(u64::MAX),
                call,
                elid: elid.map(ServiceId::get),
            });
        }
        let count = self.counts.entry(call).or_default();
        *count += 1;
        *count
    }

    pub(super) fn met(&mut self, fault: FaultKind) {
        *self.faults.entry(fault).or_default() += 1;
    }

    /// Notes what no client may do.
    pub(super) fn inspect(&mut self, call: Call, fields: &Fields) {
        if call == Call::LongRequest {
            return;
        }
        let func = fields.get("func").unwrap_or_default();
        let asked = Asked::of(fields);
        if matches!(asked, Asked::Unknown) {
            self.violation(format!("func={func}"));
        } else if matches!(asked, Asked::Order) {
            self.violation(format!("func={func} with `sok` orders a server"));
        } else if fields.get("sok").is_some() && !may_confirm(func) {
            self.violation(format!("func={func} with `sok`"));
        }
        if is_kept(asked)
            && let Some((name, _)) = fields.iter().find(|(name, _)| {
                // Of one service.
                let is_its_own = matches!(asked, Asked::History) && *name == "elid";
                !is_its_own && !LIST_FIELDS.contains(name)
            })
        {
            self.violation(format!(
                "func={func} with `{name}`: the panel would keep it"
            ));
        }
        if let Some(name) = fields.repeated() {
            self.violation(format!("func={func}: `{name}` more than once"));
        }
        if fields.get("out") != Some("json") {
            self.violation(format!("func={func} without out=json"));
        }
    }

    pub(super) fn violation(&mut self, what: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(what);
        }
    }

    pub(super) fn submission_begins(&mut self) {
        self.in_flight += 1;
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
    }

    pub(super) fn submission_ends(&mut self) {
        self.in_flight -= 1;
    }

    /// An instance's SSH port has taken a connection.
    pub(super) fn ssh_connected(&mut self) {
        self.ssh.connections += 1;
    }

    /// Somebody tries to log in to an instance.
    pub(super) fn login_attempted(&mut self) {
        self.ssh.login_attempts += 1;
    }

    pub(super) fn ssh(&self) -> SshRecord {
        self.ssh
    }

    pub(super) fn calls(&self) -> &[CallRecord] {
        &self.calls
    }

    pub(super) fn counts(&self) -> &BTreeMap<Call, u64> {
        &self.counts
    }

    pub(super) fn faults(&self) -> &BTreeMap<FaultKind, u64> {
        &self.faults
    }

    pub(super) fn violations(&self) -> &[String] {
        &self.violations
    }

    pub(super) fn in_flight_max(&self) -> u64 {
        self.in_flight_max
    }
}
