//! A plan that somebody has approved, and that a run goes by.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{PlanFile, Row};
use crate::cli::error::{CliError, PlanFault};
use crate::cli::order::{Sheet, sound_rows};
use crate::cli::question::Targets;
use crate::job::{Expected, Owner, ServiceId};
use crate::time;

/// A plan that was compared with everything that it holds of the sheet and the options.
pub struct Approved {
    path: PathBuf,
    rows: HashMap<ServiceId, Row>,
    ordered: HashSet<ServiceId>,
    /// Whose instances they are, where the API said it.
    pub account: Option<Owner>,
}

impl Approved {
    /// Refuses `plan`, which lies at `path`, if it is older than `age_max`, or not of this sheet and this
    /// API.
    pub fn new(
        path: &Path,
        plan: PlanFile,
        sheet: &Sheet<'_>,
        age_max: Duration,
    ) -> Result<Self, CliError> {
        let refused = |fault| CliError::Plan {
            path: path.to_owned(),
            fault,
        };
        plan.check_api(sheet.source.action(), sheet.provider)
            .and_then(|()| plan.check_age(age_max, time::now_ms()))
            .map_err(refused)?;
        plan.check_rows(sound_rows(sheet.source, sheet.validated)?)?
            .map_err(refused)?;
        let ordered = plan.ordered().collect();
        let account = plan.account;
        let rows = plan.rows.into_iter().map(|row| (row.service_id, row));
        Ok(Self {
            path: path.to_owned(),
            rows: rows.collect(),
            ordered,
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
        Err(CliError::Plan {
            path: self.path.clone(),
            fault: PlanFault::OtherTargets { planned, now },
        })
    }

    /// What stood on the instance when the plan was made.
    pub fn seen(&self, service: ServiceId) -> Option<Expected> {
        self.rows.get(&service).and_then(|row| row.now.clone())
    }
}
