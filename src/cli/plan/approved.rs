//! A plan that somebody has approved, and that a run goes by.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{PlanFile, Row};
use crate::cli::error::{CliError, PlanFault};
use crate::cli::order::{Sheet, sound_rows};
use crate::cli::question::Targets;
use crate::job::{Expected, NewJob, Owner, ResultRow, ServiceId};
use crate::manifest::ManifestError;
use crate::queue::{Backend as _, Batch, Location, Queue};
use crate::time;

/// A plan that was compared with everything that it holds of the sheet and the options.
pub struct Approved {
    path: PathBuf,
    created_ms: i64,
    rows: HashMap<ServiceId, Row>,
    ordered: HashSet<ServiceId>,
    manifest: String,
    /// By which a batch remembers the plan that it was ordered by.
    pub digest: String,
    /// Whose instances they are, where the API said it.
    pub account: Option<Owner>,
}

impl Approved {
    /// Refuses `plan`, which lies at `path`, if it is not of this sheet and this API, or older than
    /// `age_max`, where that counts: what was ordered by it goes on at any age.
    pub fn new(
        path: &Path,
        plan: PlanFile,
        sheet: &Sheet<'_>,
        database: &Location,
        age_max: Option<Duration>,
    ) -> Result<Self, CliError> {
        let refused = |fault| CliError::Plan {
            path: path.to_owned(),
            fault,
        };
        plan.check_api(sheet.source.action(), sheet.provider, sheet.api_url)
            .and_then(|()| plan.check_database(database))
            .and_then(|()| match age_max {
                Some(age_max) => plan.check_age(age_max, time::now_ms()),
                None => Ok(()),
            })
            .map_err(refused)?;
        plan.check_rows(sound_rows(sheet.source, sheet.validated)?)?
            .map_err(refused)?;
        let ordered = plan.ordered().collect();
        let (account, created_ms, digest) = (plan.account, plan.created_ms, plan.digest);
        let rows = plan.rows.into_iter().map(|row| (row.service_id, row));
        Ok(Self {
            path: path.to_owned(),
            created_ms,
            rows: rows.collect(),
            ordered,
            manifest: sheet.source.name().to_owned(),
            digest,
            account,
        })
    }

    /// Refuses it if other instances would be ordered now than it says.
    pub fn check_targets(&self, targets: &Targets) -> Result<(), CliError> {
        let (planned, now) = (self.ordered.len() as u64, targets.count());
        let mut all = targets.iter();
        if planned == now && all.all(|target| self.ordered.contains(&target.service)) {
            return Ok(());
        }
        Err(self.refused(PlanFault::OtherTargets { planned, now }))
    }

    /// Refuses it if something that it orders was submitted since it was made: a plan is for one order,
    /// and with `--again` it would be for any number of them.
    pub async fn check_unused(&self, queue: &mut Queue) -> Result<(), CliError> {
        let mut batches = queue.batches().await?;
        batches.retain(|batch| batch.touched_ms >= self.created_ms);
        for batch in batches {
            let mut submitted = None;
            let mut note = |row: ResultRow| {
                let is_later = row.submitted_ms.is_some_and(|at| at >= self.created_ms);
                if is_later && self.ordered.contains(&row.service) {
                    submitted.get_or_insert(row.service);
                }
                Ok(())
            };
            let read = queue.results(batch.id, &[], &mut note).await?;
            read.map_err(CliError::System)?;
            if let Some(service) = submitted {
                let batch = batch.id;
                return Err(self.refused(PlanFault::Used { batch, service }));
            }
        }
        Ok(())
    }

    /// What stood on the job's instance when the plan was made. The sheet is read once more while it is
    /// queued: a row that is another one by then is an error.
    pub fn seen(&self, job: &NewJob) -> Result<Option<Expected>, ManifestError> {
        match self.rows.get(&job.service).filter(|row| row.orders(job)) {
            Some(row) => Ok(row.now.clone()),
            None => Err(ManifestError::Changed {
                name: self.manifest.clone(),
                line: Some(job.line),
            }),
        }
    }

    /// Refuses to go on with an open batch that was ordered in another way, with which `run` does.
    pub fn check_batch(&self, batch: &Batch, run: &str) -> Result<(), CliError> {
        if batch.plan.as_ref() == Some(&self.digest) {
            return Ok(());
        }
        Err(self.refused(PlanFault::OtherBatch {
            batch: batch.id,
            run: run.to_owned(),
        }))
    }

    fn refused(&self, fault: PlanFault) -> CliError {
        CliError::Plan {
            path: self.path.clone(),
            fault,
        }
    }
}
