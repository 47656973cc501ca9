//! The operator's word: `retry`, `resolve` and `cancel`, each in one guarded transaction, safe
//! beside a run.

use std::collections::{HashMap, HashSet};

use super::handle::SqliteQueue;
use super::record::write_all;
use super::rows::{job_as_text, job_id, queued_job};
use super::statement::json;
use super::stored::damaged;
use crate::job::{BatchId, ServiceId, State};
use crate::queue::operator::{Command, Elsewhere};
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
            .bind(job_id(BatchId(batch.0 + 1), 0).stored())
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
            match row.as_ref().map(queued_job).transpose()? {
                None => outcome
                    .refused
                    .push((service, format!("is not in batch {batch}"))),
                Some(job) if !states.contains(&job.record.state) => {
                    outcome
                        .refused
                        .push((service, format!("is {}", job.record.state)));
                }
                Some(job) => jobs.push(job),
            }
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
        let mut steps = Vec::new();
        let mut services = Vec::new();
        let elsewhere = self.in_other_batches(command.batch, jobs).await?;
        for job in jobs {
            let elsewhere = elsewhere.get(&job.service).copied().unwrap_or_default();
            match command.steps(job, elsewhere) {
                Ok(of_job) => {
                    steps.extend(of_job);
                    services.push(job.service);
                }
                Err(reason) => outcome.refused.push((job.service, reason)),
            }
        }
        write_all(&mut self.connection, command.batch, &steps).await?;
        outcome.changed.extend(services);
        Ok(())
    }

    /// Only a job that was final can meet others of its service: the database allows one live job
    /// per service.
    async fn in_other_batches(
        &mut self,
        batch: BatchId,
        jobs: &[QueuedJob],
    ) -> Result<HashMap<ServiceId, Elsewhere>, StoreError> {
        let services: Vec<ServiceId> = jobs
            .iter()
            .filter(|job| job.record.state.is_final())
            .map(|job| job.service)
            .collect();
        if services.is_empty() {
            return Ok(HashMap::new());
        }
        let others: Vec<(i64, i64, bool)> = sqlx::query_as(
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
        let mut elsewhere: HashMap<ServiceId, Elsewhere> = HashMap::new();
        for (service, other, is_live) in others {
            let service = ServiceId::new(service).ok_or_else(|| damaged("a service id"))?;
            let known = elsewhere.entry(service).or_default();
            if is_live {
                known.is_live = true;
            } else {
                known.touched_by = known.touched_by.max(Some(BatchId(other)));
            }
        }
        Ok(elsewhere)
    }
}
