//! The operator's word, applied to the jobs that a backend has read.

use std::collections::HashMap;

use super::decode::service_id;
use crate::job::{BatchId, ServiceId, State, Transition};
use crate::queue::operator::{Command, Elsewhere};
use crate::queue::{CommandOutcome, QueuedJob, StoreError};

/// What other batches have to do with the services of a command.
#[derive(Default)]
pub struct Elsewheres(HashMap<ServiceId, Elsewhere>);

impl Elsewheres {
    /// Only a job that was final can meet others of its service: the database allows one live job
    /// per service. These are the services of such ones.
    pub fn asked(jobs: &[QueuedJob]) -> Vec<ServiceId> {
        let is_final = |job: &&QueuedJob| job.record.state.is_final();
        jobs.iter()
            .filter(is_final)
            .map(|job| job.service)
            .collect()
    }

    /// Of rows of service, batch, and whether its job there is live; otherwise it has touched the
    /// instance later.
    pub fn of(rows: Vec<(i64, i64, bool)>) -> Result<Self, StoreError> {
        let mut elsewhere = Self::default();
        for (service, other, is_live) in rows {
            let known = elsewhere.0.entry(service_id(service)?).or_default();
            if is_live {
                known.is_live = true;
            } else {
                known.touched_by = known.touched_by.max(Some(BatchId(other)));
            }
        }
        Ok(elsewhere)
    }

    /// What `command` makes of `jobs`: the steps, and whose they are. Why it makes nothing of a job is
    /// noted in `outcome`.
    pub fn decide(
        &self,
        command: &Command<'_>,
        jobs: &[QueuedJob],
        outcome: &mut CommandOutcome,
    ) -> (Vec<Transition>, Vec<ServiceId>) {
        let (mut steps, mut services) = (Vec::new(), Vec::new());
        for job in jobs {
            let elsewhere = self.0.get(&job.service).copied().unwrap_or_default();
            match command.steps(job, elsewhere) {
                Ok(of_job) => {
                    steps.extend(of_job);
                    services.push(job.service);
                }
                Err(reason) => outcome.refused.push((job.service, reason)),
            }
        }
        (steps, services)
    }
}

impl CommandOutcome {
    /// Why a job does not matter that stands in `state`.
    pub fn stands(state: State) -> String {
        format!("is {state}")
    }

    /// The job that was found of a `service` which the operator named, if it stands in one of `states`;
    /// why it does not matter is noted otherwise.
    pub fn named(
        &mut self,
        (service, found): (ServiceId, Option<QueuedJob>),
        batch: BatchId,
        states: &[State],
    ) -> Option<QueuedJob> {
        let reason = match found {
            None => format!("is not in batch {batch}"),
            Some(job) if !states.contains(&job.record.state) => Self::stands(job.record.state),
            Some(job) => return Some(job),
        };
        self.refused.push((service, reason));
        None
    }
}
