//! Until when one waits for another.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::job::{JobRecord, ServiceId, State};
use crate::queue::QueuedJob;
use crate::run::Durations;
use crate::run::hosts::Missing;
use crate::time;

/// Instances that are named before the rest is only counted.
const MEMBERS_MAX: usize = 5;

/// Until when a rule holds jobs back; what comes sooner is the lesser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// About then (Unix time), if all goes as usual.
    About(i64),
    /// At that moment (Unix time).
    Opens(i64),
    /// It is at work, and nobody can tell how long it takes.
    Unknown,
    /// A run has to go on first.
    Run,
    /// Somebody has to give his word first.
    Word,
}

impl Until {
    /// Until the job has ended, where its rebuild usually takes so long, and a process works on its batch or
    /// does not.
    fn ended(record: &JobRecord, usual: Option<Duration>, is_worked_on: bool) -> Self {
        match record.state {
            State::Failed | State::Cancelled | State::Done => Self::Word,
            State::InDoubt if record.held => Self::Word,
            State::Queued | State::Submitting | State::InProgress | State::InDoubt
                if !is_worked_on =>
            {
                Self::Run
            }
            State::Queued | State::Submitting | State::InDoubt => Self::Unknown,
            State::InProgress => {
                let ended_ms = record.submitted_ms.zip(usual).map(|(submitted_ms, usual)| {
                    let usual_ms = i64::try_from(usual.as_millis()).unwrap_or(i64::MAX);
                    submitted_ms.saturating_add(usual_ms)
                });
                ended_ms.map_or(Self::Unknown, Self::About)
            }
        }
    }

    /// Until nothing of a submission is missing any more.
    pub fn missing(missing: &Missing) -> Self {
        match missing {
            Missing::Fence { .. } => Self::Word,
            Missing::Time { until_ms, .. } | Missing::Effect { until_ms } => Self::Opens(*until_ms),
        }
    }

    /// In words, behind what is waited for.
    pub fn words(self, now_ms: i64) -> String {
        match self {
            Self::About(ms) if ms <= now_ms => "back any moment".to_owned(),
            Self::About(ms) => format!(
                "for about {}, until {}",
                time::short(time::between(now_ms, ms)),
                time::human(ms)
            ),
            Self::Opens(ms) => format!("until {}", time::human(ms)),
            Self::Unknown => "until that has ended".to_owned(),
            Self::Run => "until a run goes on".to_owned(),
            Self::Word => "until somebody gives his word".to_owned(),
        }
    }

    /// For scripts: the moment, and what it depends on where there is none.
    pub fn as_json(self, now_ms: i64) -> Value {
        match self {
            // What should have been is no moment that anybody could wait for.
            Self::About(ms) if ms <= now_ms => json!({"at": null, "needs": null}),
            Self::About(ms) | Self::Opens(ms) => {
                json!({"at": time::rfc3339(ms), "needs": null})
            }
            Self::Unknown => json!({"at": null, "needs": null}),
            Self::Run => json!({"at": null, "needs": "run"}),
            Self::Word => json!({"at": null, "needs": "word"}),
        }
    }
}

/// An instance that others wait for.
#[derive(Debug, Clone, Copy)]
pub struct Waited {
    pub service: ServiceId,
    /// Where its job stands.
    pub state: State,
    /// Until it is back, and known to be.
    pub until: Until,
}

impl Waited {
    /// For `job`, where rebuilds take as long as `durations` says, and a process works on its batch or does
    /// not.
    pub fn new(job: &QueuedJob, durations: &Durations, is_worked_on: bool) -> Self {
        let usual = durations.median(job.order.image());
        Self {
            service: job.service,
            state: job.record.state,
            until: Until::ended(&job.record, usual, is_worked_on),
        }
    }
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.service, self.state)
    }
}

/// Instances, and where the job of each stands, for people.
pub fn members(members: &[Waited]) -> String {
    let named = members.iter().take(MEMBERS_MAX);
    let named: Vec<String> = named.map(Waited::to_string).collect();
    match members.len().saturating_sub(MEMBERS_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
