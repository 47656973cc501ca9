//! What an operator asks for beside a run, and what is found out.

use super::{QueuedJob, StoreError};
use crate::job::{BatchId, LedgerEntry, ServiceId, State, Transition};

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

/// What a command decides on one job; for a final one, given the newest later batch that touched its
/// instance, or may have.
pub type Decision<'a> =
    dyn Fn(&QueuedJob, Option<BatchId>) -> Result<LedgerEntry, String> + Send + Sync + 'a;

/// A command on jobs of one batch.
pub(super) struct Command<'a> {
    /// The batch.
    pub batch: BatchId,
    /// What happens to a job, or why not.
    pub decide: &'a Decision<'a>,
    /// What happens to it before that.
    pub first: &'a (dyn Fn(&QueuedJob) -> Vec<LedgerEntry> + Sync),
    /// When, as Unix time.
    pub at_ms: i64,
}

/// What other batches have to do with a service.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Elsewhere {
    /// It has a live job there.
    pub is_live: bool,
    /// The newest later one that touched it, or may have.
    pub touched_by: Option<BatchId>,
}

impl Command<'_> {
    /// The steps that it makes of `job`, or why it makes none.
    pub fn steps(&self, job: &QueuedJob, elsewhere: Elsewhere) -> Result<Vec<Transition>, String> {
        let last = (self.decide)(job, elsewhere.touched_by)?;
        let mut record = job.record.clone();
        let mut steps = Vec::with_capacity(2);
        for entry in (self.first)(job).into_iter().chain([last]) {
            let step = Transition::new(job.id, record, entry, self.at_ms)
                .map_err(|illegal| illegal.to_string())?;
            record = step.to.clone();
            steps.push(step);
        }
        if elsewhere.is_live && !record.state.is_final() {
            return Err("is live in another batch".to_owned());
        }
        Ok(steps)
    }
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

/// The steps that put `job` in doubt and hold it, because it may have been sent without a trace: `why`.
pub(super) fn doubted(
    job: QueuedJob,
    why: String,
    at_ms: i64,
) -> Result<Vec<Transition>, StoreError> {
    let mut entries = Vec::with_capacity(3);
    if job.record.state == State::Queued {
        entries.push(LedgerEntry::Intent {
            task: job.order.task(None),
            baseline: None,
        });
    }
    if job.record.state != State::InDoubt {
        entries.push(LedgerEntry::Interrupted);
    }
    entries.push(LedgerEntry::Held { reason: why });
    let mut record = job.record;
    let mut steps = Vec::with_capacity(entries.len());
    for entry in entries {
        let step = Transition::new(job.id, record, entry, at_ms)
            .map_err(|illegal| StoreError::Bug(illegal.to_string()))?;
        record = step.to.clone();
        steps.push(step);
    }
    Ok(steps)
}
