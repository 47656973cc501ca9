//! What an operator asks for beside a run, and what is found out.

use crate::job::ServiceId;

/// Which jobs an operator speaks of.
#[derive(Debug, Clone)]
pub enum Selection {
    /// All of the batch for which the command makes sense.
    All,
    /// These.
    Services(Vec<ServiceId>),
}

/// What became of an operator's command.
#[derive(Debug, Clone, Default)]
pub struct CommandOutcome {
    /// Jobs that moved.
    pub changed: Vec<ServiceId>,
    /// Jobs for which it makes no sense, and why, in words for people.
    pub refused: Vec<(ServiceId, String)>,
}

/// Something that a sound database never shows (`refleet verify`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// The job's service, where it concerns one.
    pub service: Option<ServiceId>,
    /// What is wrong, in words for people.
    pub what: String,
}

impl Flaw {
    /// The service, as text for people.
    pub fn subject(&self) -> String {
        self.service.map_or_else(
            || "database".to_owned(),
            |service: ServiceId| format!("service {service}"),
        )
    }
}
