//! What is left for a human, with the commands to type.

use serde::Serialize;

use super::subject::Commands;
use crate::job::{Counts, Executed, FailureKind, ResultRow, ServiceId, State};
use crate::time::Stamp;

/// Instances of a kind that are named one by one.
const NAMED_MAX: usize = 100;

/// Something that waits for somebody.
#[derive(Debug, Clone, Serialize)]
pub struct Need {
    pub kind: NeedKind,
    pub count: u64,
    /// The first of them; empty where one command deals with all.
    pub instances: Vec<Instance>,
    /// What deals with all of them, or names them.
    pub commands: Vec<String>,
}

/// What somebody has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NeedKind {
    /// Find out whether they were touched, and say so.
    Doubt,
    /// See to instances that failed after they were touched, or perhaps touched.
    FailedTouched,
    /// Try again what failed untouched.
    FailedUntouched,
    /// Look at finished instances on which another image is shown than the one ordered.
    Flagged,
    /// Go on with what has not ended.
    Unfinished,
}

impl NeedKind {
    /// Somebody has to decide; a run cannot.
    pub fn is_somebodys(self) -> bool {
        match self {
            Self::Doubt | Self::FailedTouched | Self::FailedUntouched | Self::Flagged => true,
            Self::Unfinished => false,
        }
    }
}

/// How soon somebody has to look at a job, from 0 on: doubts, then what failed after it was touched, what
/// failed untouched, what is flagged, and all others.
pub fn rank(row: &ResultRow) -> u8 {
    match row.state {
        State::InDoubt => 0,
        State::Failed if row.executed != Executed::No => 1,
        State::Failed => 2,
        State::Done if row.is_flagged() => 3,
        State::Done | State::Queued | State::Submitting | State::InProgress | State::Cancelled => 4,
    }
}

/// An instance that somebody has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    pub line: u64,
    pub service_id: ServiceId,
    pub name: Option<String>,
    pub ip: Option<String>,
    pub executed: Executed,
    /// When it was submitted last.
    pub submitted_at: Option<Stamp>,
    pub error_kind: Option<FailureKind>,
    pub error: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<String>,
}

impl Instance {
    pub fn of(row: &ResultRow, commands: Vec<String>) -> Self {
        Self {
            line: row.line,
            service_id: row.service,
            name: row.name.clone(),
            ip: row.ip.clone(),
            executed: row.executed,
            submitted_at: row.submitted_ms.map(Stamp),
            error_kind: row.error_kind.clone(),
            error: row.error.clone(),
            commands,
        }
    }
}

#[derive(Debug, Default)]
pub struct Needs {
    doubts: Named,
    failed_touched: Named,
    failed_untouched: u64,
    flagged: Named,
}

#[derive(Debug, Default)]
struct Named {
    count: u64,
    instances: Vec<Instance>,
}

impl Named {
    fn add(&mut self, row: &ResultRow, commands: impl FnOnce() -> Vec<String>) {
        self.count += 1;
        if self.instances.len() < NAMED_MAX {
            self.instances.push(Instance::of(row, commands()));
        }
    }
}

impl Needs {
    pub fn row(&mut self, row: &ResultRow, commands: &Commands) {
        let service = row.service;
        match row.state {
            State::InDoubt if row.held => self.doubts.add(row, || {
                vec![
                    commands.show(service),
                    commands.resolve(service, "done"),
                    commands.resolve(service, "requeue"),
                    commands.resolve(service, "failed"),
                ]
            }),
            State::Failed if row.executed != Executed::No => self.failed_touched.add(row, || {
                vec![
                    commands.show(service),
                    commands.with(&format!("retry {service} --wiped")),
                    commands.resolve(service, "done"),
                ]
            }),
            State::Failed => self.failed_untouched += 1,
            State::Done if row.is_flagged() => {
                self.flagged.add(row, || vec![commands.show(service)]);
            }
            State::Done
            | State::InDoubt
            | State::Queued
            | State::Submitting
            | State::InProgress
            | State::Cancelled => {}
        }
    }

    /// What matters most first; what nobody has to do is left out.
    pub fn finish(self, counts: &Counts, commands: &Commands) -> Vec<Need> {
        let list = |words: &str| commands.with(words);
        let named = |kind, named: Named, command| Need {
            kind,
            count: named.count,
            instances: named.instances,
            commands: vec![command],
        };
        let counted = |kind, count, commands| Need {
            kind,
            count,
            instances: Vec::new(),
            commands,
        };
        let next = commands.next.command.clone();
        // Only where it lists no others.
        let mut again = vec![list("list --state failed")];
        again.retain(|_| self.failed_touched.count == 0);
        again.extend([list("retry --failed"), commands.resume.clone()]);
        let needs = [
            named(NeedKind::Doubt, self.doubts, list("list --state in_doubt")),
            named(
                NeedKind::FailedTouched,
                self.failed_touched,
                list("list --state failed"),
            ),
            counted(NeedKind::FailedUntouched, self.failed_untouched, again),
            named(NeedKind::Flagged, self.flagged, list("list --flagged")),
            counted(NeedKind::Unfinished, counts.open(), vec![next]),
        ];
        needs.into_iter().filter(|need| need.count > 0).collect()
    }
}
