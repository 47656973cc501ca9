//! The operator's word: `retry`, `resolve` and `cancel`, each in one guarded transaction, safe
//! beside a run.

use std::collections::{HashMap, HashSet};

use super::Queue;
use super::record::write_all;
use super::rows::{damaged, job_as_text, job_id, json, queued_job};
use crate::job::{BatchId, LedgerEntry, ServiceId, State, Transition};
use crate::queue::{CommandOutcome, QueuedJob, Selection, StoreError};

/// Jobs that are read and moved at once.
const JOBS_PER_WAVE: i64 = 1024;

/// What a command decides on one job; for a final one, given the newest later batch that wiped its
/// instance, or may have.
pub type Decision<'a> =
    dyn Fn(&QueuedJob, Option<BatchId>) -> Result<LedgerEntry, String> + Send + Sync + 'a;

impl Queue {
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
        self.begin().await?;
        let result = match selection {
            Selection::All => self.operate_on_all(batch, states, decide, at_ms).await,
            Selection::Services(services) => {
                self.operate_on_named(batch, services, states, decide, at_ms)
                    .await
            }
        };
        match result {
            Ok(operated) => {
                crate::failpoint!("operate_before_commit");
                self.commit().await?;
                crate::failpoint!("operate_after_commit");
                Ok(operated)
            }
            Err(error) => {
                self.rollback().await;
                Err(error)
            }
        }
    }

    async fn operate_on_all(
        &mut self,
        batch: BatchId,
        states: &[State],
        decide: &Decision<'_>,
        at_ms: i64,
    ) -> Result<CommandOutcome, StoreError> {
        let words = json(
            &states
                .iter()
                .map(|state| state.as_str())
                .collect::<Vec<_>>(),
        );
        let mut operated = CommandOutcome::default();
        let mut after = job_id(batch, 0).0;
        loop {
            let rows = sqlx::query(concat!(
                "SELECT ",
                job_as_text!(),
                " FROM job WHERE id > ?1 AND id < ?2 AND state IN (SELECT value FROM json_each(?3)) ORDER BY id LIMIT ?4"
            ))
            .bind(after)
            .bind(job_id(BatchId(batch.0 + 1), 0).0)
            .bind(&words)
            .bind(JOBS_PER_WAVE)
            .fetch_all(&mut self.connection)
            .await?;
            let jobs = rows.iter().map(queued_job).collect::<Result<Vec<_>, _>>()?;
            let Some(last) = jobs.last() else {
                return Ok(operated);
            };
            after = last.id.0;
            self.apply(batch, jobs, &|_| None, decide, at_ms, &mut operated)
                .await?;
        }
    }

    async fn operate_on_named(
        &mut self,
        batch: BatchId,
        services: &[ServiceId],
        states: &[State],
        decide: &Decision<'_>,
        at_ms: i64,
    ) -> Result<CommandOutcome, StoreError> {
        let mut operated = CommandOutcome::default();
        let jobs = self.named(batch, services, states, &mut operated).await?;
        self.apply(batch, jobs, &|_| None, decide, at_ms, &mut operated)
            .await?;
        Ok(operated)
    }

    /// The jobs of `services` that stand in one of `states`; why the others do not matter is noted.
    pub(super) async fn named(
        &mut self,
        batch: BatchId,
        services: &[ServiceId],
        states: &[State],
        operated: &mut CommandOutcome,
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
                None => operated
                    .refused
                    .push((service, format!("is not in batch {batch}"))),
                Some(job) if !states.contains(&job.record.state) => {
                    operated
                        .refused
                        .push((service, format!("is {}", job.record.state)));
                }
                Some(job) => jobs.push(job),
            }
        }
        Ok(jobs)
    }

    /// Applies `decide` to `jobs`, which were read in this transaction; where it agrees, what
    /// `first` says of a job happens before.
    pub(super) async fn apply(
        &mut self,
        batch: BatchId,
        jobs: Vec<QueuedJob>,
        first: &(dyn Fn(&QueuedJob) -> Option<LedgerEntry> + Sync),
        decide: &Decision<'_>,
        at_ms: i64,
        operated: &mut CommandOutcome,
    ) -> Result<(), StoreError> {
        let mut steps = Vec::new();
        let mut services = Vec::new();
        let elsewhere = self.in_other_batches(batch, &jobs).await?;
        for job in &jobs {
            let other = elsewhere.get(&job.service).copied().unwrap_or_default();
            let entries = decide(job, other.wiped_by)
                .map(|entry| first(job).into_iter().chain([entry]).collect());
            let path = match entries {
                Ok(entries) => path(job, entries, at_ms),
                Err(reason) => Err(reason),
            };
            match path {
                Ok(path)
                    if other.is_live
                        && path.last().is_some_and(|step| !step.to.state.is_final()) =>
                {
                    operated
                        .refused
                        .push((job.service, "is live in another batch".to_owned()));
                }
                Ok(path) => {
                    steps.extend(path);
                    services.push(job.service);
                }
                Err(reason) => operated.refused.push((job.service, reason)),
            }
        }
        write_all(&mut self.connection, batch, &steps).await?;
        operated.changed.extend(services);
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
                 job.completed_ms IS NULL OR (job.batch_id > ?2 AND job.executed <> 'no'))",
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
                known.wiped_by = known.wiped_by.max(Some(BatchId(other)));
            }
        }
        Ok(elsewhere)
    }
}

/// What other batches have to do with a service.
#[derive(Debug, Clone, Copy, Default)]
struct Elsewhere {
    is_live: bool,
    /// The newest later one that wiped it, or may have.
    wiped_by: Option<BatchId>,
}

/// The steps that `entries` make from where `job` stands.
fn path(job: &QueuedJob, entries: Vec<LedgerEntry>, at_ms: i64) -> Result<Vec<Transition>, String> {
    let mut record = job.record.clone();
    let mut steps = Vec::with_capacity(entries.len());
    for entry in entries {
        let step =
            Transition::new(job.id, record, entry, at_ms).map_err(|illegal| illegal.to_string())?;
        record = step.to.clone();
        steps.push(step);
    }
    Ok(steps)
}
