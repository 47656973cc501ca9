//! The operator's word: `retry`, `resolve` and `cancel`, each in one guarded transaction, safe
//! beside a run. The jobs are locked in the order of their numbers when they are read.

use std::collections::HashSet;

use super::handle::PostgresQueue;
use super::record::{TRIES, write_all};
use super::session::Transaction;
use super::text::{job_as_text, queued_jobs};
use crate::job::{BatchId, ServiceId, State};
use crate::queue::operator::Command;
use crate::queue::stored::{Elsewheres, end_of, job_id};
use crate::queue::{CommandOutcome, Decision, QueuedJob, Selection, StoreError};

/// Jobs that are read and moved at once.
pub(super) const JOBS_PER_WAVE: i64 = 1024;

pub(super) const OF_STATES: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE id > $1 AND id < $2 AND state = ANY($3) ORDER BY id LIMIT $4 FOR NO KEY UPDATE OF job"
);

pub(super) const NAMED: &str = concat!(
    "SELECT ",
    job_as_text!(),
    " FROM job WHERE batch_id = $1 AND service_id = ANY($2) ORDER BY id FOR NO KEY UPDATE OF job"
);

const ELSEWHERE: &str = "SELECT service_id, batch_id, completed_ms IS NULL FROM job
     WHERE service_id = ANY($1) AND batch_id <> $2 AND (
         completed_ms IS NULL OR (batch_id > $2 AND executed <> 'no'
             AND (SELECT action FROM batch WHERE batch.id = job.batch_id)
                 = (SELECT action FROM batch WHERE batch.id = $2)))";

impl PostgresQueue {
    /// Applies `decide` to the selected jobs of `batch` that stand in one of `states`, all in one
    /// transaction. A job for which it returns a reason is left alone, and reported where the
    /// operator named it.
    pub async fn command(
        &mut self,
        batch: BatchId,
        selection: &Selection,
        states: &[State],
        decide: &Decision<'_>,
        at_ms: i64,
    ) -> Result<CommandOutcome, StoreError> {
        let command = Command {
            batch,
            decide,
            first: &|_| Vec::new(),
            at_ms,
        };
        for _ in 1..TRIES {
            match self.try_command(&command, selection, states).await {
                Err(StoreError::Busy) => {}
                other => return other,
            }
        }
        self.try_command(&command, selection, states).await
    }

    async fn try_command(
        &mut self,
        command: &Command<'_>,
        selection: &Selection,
        states: &[State],
    ) -> Result<CommandOutcome, StoreError> {
        let mut transaction = self.session.begin().await?;
        let result = match selection {
            Selection::All => command_all(&mut transaction, command, states).await,
            Selection::Services(services) => {
                command_named(&mut transaction, command, services, states).await
            }
        };
        transaction.conclude(result).await
    }
}

async fn command_all(
    transaction: &mut Transaction<'_>,
    command: &Command<'_>,
    states: &[State],
) -> Result<CommandOutcome, StoreError> {
    let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    let mut outcome = CommandOutcome::default();
    let mut after = job_id(command.batch, 0).stored();
    loop {
        let of_states = sqlx::query_as(OF_STATES)
            .bind(after)
            .bind(end_of(command.batch))
            .bind(&words)
            .bind(JOBS_PER_WAVE);
        let jobs = queued_jobs(&transaction.all(of_states).await?)?;
        let Some(last) = jobs.last() else {
            return Ok(outcome);
        };
        after = last.id.stored();
        apply(transaction, command, &jobs, &mut outcome).await?;
    }
}

async fn command_named(
    transaction: &mut Transaction<'_>,
    command: &Command<'_>,
    services: &[ServiceId],
    states: &[State],
) -> Result<CommandOutcome, StoreError> {
    let mut outcome = CommandOutcome::default();
    let jobs = named(transaction, command.batch, services, states, &mut outcome).await?;
    apply(transaction, command, &jobs, &mut outcome).await?;
    Ok(outcome)
}

/// The jobs of `services` that stand in one of `states`; why the others do not matter is noted.
pub(super) async fn named(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    services: &[ServiceId],
    states: &[State],
    outcome: &mut CommandOutcome,
) -> Result<Vec<QueuedJob>, StoreError> {
    let numbers: Vec<i64> = services.iter().map(|service| service.get()).collect();
    let found = sqlx::query_as(NAMED).bind(batch.0).bind(numbers);
    let mut found = queued_jobs(&transaction.all(found).await?)?;
    let mut jobs = Vec::with_capacity(found.len());
    let mut asked = HashSet::new();
    for &service in services.iter().filter(|&&service| asked.insert(service)) {
        let at = found.iter().position(|job| job.service == service);
        let job = at.map(|at| found.swap_remove(at));
        jobs.extend(outcome.named((service, job), batch, states));
    }
    Ok(jobs)
}

/// Applies `command` to `jobs`, which were read in this transaction.
pub(super) async fn apply(
    transaction: &mut Transaction<'_>,
    command: &Command<'_>,
    jobs: &[QueuedJob],
    outcome: &mut CommandOutcome,
) -> Result<(), StoreError> {
    let elsewhere = in_other_batches(transaction, command.batch, jobs).await?;
    let (steps, services) = elsewhere.decide(command, jobs, outcome);
    write_all(transaction, command.batch, &steps).await?;
    outcome.changed.extend(services);
    Ok(())
}

async fn in_other_batches(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    jobs: &[QueuedJob],
) -> Result<Elsewheres, StoreError> {
    let asked = Elsewheres::asked(jobs);
    if asked.is_empty() {
        return Ok(Elsewheres::default());
    }
    let services: Vec<i64> = asked.iter().map(|service| service.get()).collect();
    let others = sqlx::query_as(ELSEWHERE).bind(services).bind(batch.0);
    Elsewheres::of(transaction.all(others).await?)
}
