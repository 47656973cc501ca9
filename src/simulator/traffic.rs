//! What arrived: counts, times, and what no client may do.

use std::collections::BTreeMap;
use std::time::Duration;

use super::asked::Asked;
use super::call::Call;
use super::form::Fields;
use super::kind::FaultKind;
use super::record::CallRecord;
use crate::job::ServiceId;

const VIOLATIONS_MAX: usize = 1000;
const CALLS_MAX: usize = 200_000;

/// The parameters of a list that the panel does not keep for its user.
const LIST_FIELDS: [&str; 7] = ["func", "auth", "authinfo", "out", "lang", "p_num", "p_col"];

#[derive(Debug, Default)]
pub(super) struct Traffic {
    calls: Vec<CallRecord>,
    counts: BTreeMap<Call, u64>,
    faults: BTreeMap<FaultKind, u64>,
    violations: Vec<String>,
    in_flight: u64,
    in_flight_max: u64,
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
        if call == Call::Instances
            && let Some((name, _)) = fields.iter().find(|(name, _)| !LIST_FIELDS.contains(name))
        {
            self.violation(format!(
                "func=instances with `{name}`: the panel would keep it"
            ));
        }
        if matches!(Asked::of(fields), Asked::Unknown) {
            self.violation(format!("func={func}"));
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
