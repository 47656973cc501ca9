//! The operator's word: `retry`, `resolve` and `cancel`, each in one guarded transaction, safe
//! beside a run.

use std::collections::HashSet;

use super::handle::SqliteQueue;
use super::record::write_all;
use super::text::{job_as_text, queued_job};
use crate::job::{BatchId, ServiceId, State};
use crate::queue::operator::Command;
use crate::queue::stored::{Elsewheres, end_of, job_id, json};
use crate::queue::{CommandOutcome, Decision, QueuedJob, Selection, StoreError};

/// Jobs that are read and moved at once.
const JOBS_PER_WAVE: i64 = 1024;

impl SqliteQueue {
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
        self.begin().await?;
        let result = match selection {
            Selection::All => self.command_all(&command, states).await,
            Selection::Services(services) => self.command_named(&command, services, states).await,
        };
        self.conclude(result).await
    }

    async fn command_all(
        &mut self,
        command: &Command<'_>,
        states: &[State],
    ) -> Result<CommandOutcome, StoreError> {
        let batch = command.batch;
        let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
        let words = json(&words);
        let mut outcome = CommandOutcome::default();
        let mut after = job_id(batch, 0).stored();
        loop {
            let rows = sqlx::query(concat!(
                "SELECT ",
                job_as_text!(),
                " FROM job WHERE id > ?1 AND id < ?2 AND state IN (SELECT value FROM json_each(?3)) ORDER BY id LIMIT ?4"
            ))
            .bind(after)
            .bind(end_of(batch))
            .bind(&words)
            .bind(JOBS_PER_WAVE)
            .fetch_all(&mut self.connection)
            .await?;
            let jobs = rows.iter().map(queued_job).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = jobs.last() else {
                return Ok(outcome);
            };
            after = last.id.stored();
            self.apply(command, &jobs, &mut outcome).await?;
        }
    }

    async fn command_named(
        &mut self,
        command: &Command<'_>,
        services: &[ServiceId],
        states: &[State],
    ) -> Result<CommandOutcome, StoreError> {
        let mut outcome = CommandOutcome::default();
        let jobs = self
            .named(command.batch, services, states, &mut outcome)
            .await?;
        self.apply(command, &jobs, &mut outcome).await?;
        Ok(outcome)
    }

    /// The jobs of `services` that stand in one of `states`; why the others do not matter is noted.
    pub(super) async fn named(
        &mut self,
        batch: BatchId,
        services: &[ServiceId],
        states: &[State],
        outcome: &mut CommandOutcome,
    ) -> Result<Vec<QueuedJob>, StoreError> {
        let mut jobs = Vec::new();
        let mut named = HashSet::new();
        for &service in services.iter().filter(|&&service| named.insert(service)) {
            let row = sqlx::query(concat!(
                "SELECT ",
                job_as_text!(),
                " FROM job WHERE service_id = ?1 AND batch_id = ?2"
            ))
            .bind(service.get())
            .bind(batch.0)
            .fetch_optional(&mut self.connection)
            .await?;
            let found = row.as_ref().map(queued_job).transpose()?;
            jobs.extend(outcome.named((service, found), batch, states));
        }
        Ok(jobs)
    }

    /// Applies `command` to `jobs`, which were read in this transaction.
    pub(super) async fn apply(
        &mut self,
        command: &Command<'_>,
        jobs: &[QueuedJob],
        outcome: &mut CommandOutcome,
    ) -> Result<(), StoreError> {
        let elsewhere = self.in_other_batches(command.batch, jobs).await?;
        let (steps, services) = elsewhere.decide(command, jobs, outcome);
        write_all(&mut self.connection, command.batch, &steps).await?;
        outcome.changed.extend(services);
        Ok(())
    }

    async fn in_other_batches(
        &mut self,
        batch: BatchId,
        jobs: &[QueuedJob],
    ) -> Result<Elsewheres, StoreError> {
        let services = Elsewheres::asked(jobs);
        if services.is_empty() {
            return Ok(Elsewheres::default());
        }
        let others = sqlx::query_as(
            "SELECT job.service_id, job.batch_id, job.completed_ms IS NULL
             FROM json_each(?1) AS row CROSS JOIN job ON job.service_id = row.value
             WHERE job.batch_id <> ?2 AND (
                 job.completed_ms IS NULL OR (job.batch_id > ?2 AND job.executed <> 'no'
                     AND (SELECT action FROM batch WHERE batch.id = job.batch_id)
                         = (SELECT action FROM batch WHERE batch.id = ?2)))",
        )
        .bind(json(&services))
        .bind(batch.0)
        .fetch_all(&mut self.connection)
        .await?;
        Elsewheres::of(others)
    }
}
