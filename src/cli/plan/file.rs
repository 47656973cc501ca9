//! The file that a plan is kept in.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::bounds::Bounds;
use super::schedule::HeldBy;
use crate::cli::error::{CliError, PlanFault};
use crate::cli::order::Sheet;
use crate::job::{
    Access, AccessKind, Action, Expected, Group, ImageId, NewJob, Order, Owner, ServiceId,
};
use crate::queue::{self, Location};
use crate::report::AtomicFile;
use crate::time;

/// The format's version.
const VERSION: u32 = 1;

/// A plan is no larger: 100,000 rows need about 50 MB.
const BYTES_MAX: u64 = 512 << 20;

/// Rows that differ from the sheet are named up to here.
const NAMED_MAX: usize = 3;

/// What somebody has approved, or is to approve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFile {
    /// The format's version. It stands first, so that a person sees what the file is.
    pub refleet_plan: u32,
    /// When the account was read, for people.
    pub created_at: String,
    /// The same as Unix time.
    pub created_ms: i64,
    /// What is to be done.
    pub action: Action,
    /// Whose API it is.
    pub provider: String,
    /// The API's address, for people.
    pub api_url: String,
    /// Whose instances they are; `null`: the API does not say.
    pub account: Option<Owner>,
    /// The database whose queue the order is for: what another one knows of the past is not this.
    pub database: PathBuf,
    /// The sheet's name, for people.
    pub manifest: String,
    /// The options that bound the damage.
    pub options: Bounds,
    /// Calls that it took to look up the names of the sheet, and that a run takes again.
    #[serde(default, skip_serializing_if = "is_none")]
    pub lookup_calls: u64,
    /// What a person is told of it: warnings, what waits, what is lost, when it would end.
    pub said: Vec<String>,
    /// Every row of the sheet, in its order.
    pub rows: Vec<Row>,
    /// SHA-256 of all the rest, in hexadecimal digits.
    pub digest: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_none(calls: &u64) -> bool {
    *calls == 0
}

/// The version alone, of whatever version the file is.
#[derive(Deserialize)]
struct Version {
    refleet_plan: u32,
}

/// What whoever approves a plan is shown of it.
pub struct Shown {
    /// As [`PlanFile::said`].
    pub said: Vec<String>,
    /// As [`PlanFile::rows`].
    pub rows: Vec<Row>,
    /// As [`PlanFile::lookup_calls`].
    pub lookup_calls: u64,
}

/// One row of the sheet, without its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Its line in the sheet.
    pub line: u64,
    /// The instance.
    pub service_id: ServiceId,
    /// The image it gets.
    pub image: Option<ImageId>,
    /// That image's name, where it is known.
    pub image_name: Option<String>,
    /// Where the row says that the image stands.
    pub zone: Option<String>,
    /// How one gets in afterwards.
    pub access: Option<String>,
    /// The key, where that is by key.
    pub ssh_key: Option<String>,
    /// What the row itself expects to stand there.
    #[serde(default, skip_serializing_if = "Expected::is_nothing")]
    pub pins: Expected,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Group>,
    /// Whether it is sent.
    pub sent: Sent,
    /// When it starts, if all goes as it usually does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<Starts>,
    /// What stands there now; `None`: that is not known, because the list could not be read whole.
    pub now: Option<Expected>,
}

/// When a row is expected to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Starts {
    /// About then.
    pub about: String,
    /// The last rule that it waits for, whatever workers and rate allow.
    pub held_by: Option<HeldBy>,
    /// When that lets it go.
    pub held_until: Option<String>,
}

impl Starts {
    /// To the minute, for people.
    pub fn words(&self) -> String {
        let about = self
            .about
            .get(..16)
            .unwrap_or(&self.about)
            .replace('T', " ");
        match self.held_by {
            Some(rule) => format!("{about}, {}", rule.words()),
            None => about,
        }
    }
}

/// Whether a row is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// It is.
    Yes,
    /// Its instance does not allow that as it stands now, and why.
    NotNow(String),
    /// It is left out of the order: done already, or not due.
    LeftOut,
}

impl Row {
    /// Of a row of the sheet, about whose instance nothing is known yet.
    pub fn new(job: &NewJob) -> Self {
        Self {
            line: job.line,
            service_id: job.service,
            image: job.order.image(),
            image_name: None,
            zone: job.order.zone().map(str::to_owned),
            access: job
                .order
                .access_kind()
                .map(AccessKind::as_str)
                .map(str::to_owned),
            ssh_key: key(&job.order),
            pins: job.expected.clone(),
            group: job.group.clone(),
            sent: Sent::LeftOut,
            starts: None,
            now: None,
        }
    }

    /// What it orders is what `job` orders.
    pub fn orders(&self, job: &NewJob) -> bool {
        let other = Self::new(job);
        (
            self.image,
            &self.zone,
            &self.access,
            &self.ssh_key,
            &self.pins,
            &self.group,
        ) == (
            other.image,
            &other.zone,
            &other.access,
            &other.ssh_key,
            &other.pins,
            &other.group,
        )
    }
}

/// Where a database lies, links resolved: by this the plan knows its queue.
pub fn place(database: &Location) -> PathBuf {
    let Some(file) = database.file() else {
        return database.shown();
    };
    queue::resolve(file)
        .or_else(|_| std::path::absolute(file))
        .unwrap_or_else(|_| file.to_owned())
}

fn key(order: &Order) -> Option<String> {
    match order.access() {
        Some(Access::SshKey(key)) => Some(key.clone()),
        Some(Access::Password(_) | Access::Image) | None => None,
    }
}

impl PlanFile {
    /// Of now, and with its digest.
    pub fn new(
        sheet: &Sheet<'_>,
        account: Option<Owner>,
        database: PathBuf,
        options: Bounds,
        Shown {
            said,
            rows,
            lookup_calls,
        }: Shown,
    ) -> Self {
        let created_ms = time::now_ms();
        let mut plan = Self {
            refleet_plan: VERSION,
            created_at: time::rfc3339(created_ms),
            created_ms,
            action: sheet.source.action(),
            provider: sheet.provider.to_owned(),
            api_url: sheet.api_url.to_owned(),
            account,
            database,
            manifest: sheet.source.name().to_owned(),
            options,
            lookup_calls,
            said,
            rows,
            digest: String::new(),
        };
        plan.digest = plan.sum();
        plan
    }

    /// The digest of everything else.
    fn sum(&self) -> String {
        let without = Self {
            digest: String::new(),
            ..self.clone()
        };
        let text = serde_json::to_vec(&without).expect("a plan is plain data");
        let digest: [u8; 32] = Sha256::digest(text).into();
        let half = |at: usize| u128::from_be_bytes(digest.as_chunks::<16>().0[at]);
        format!("{:032x}{:032x}", half(0), half(1))
    }

    /// As it is printed and written: for people too.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a plan is plain data") + "\n"
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(self.to_json().as_bytes())?;
        file.commit()
    }

    /// The file at `path` is a plan of whatever version, or what is left of one.
    pub fn is_in(path: &Path) -> io::Result<bool> {
        const FIRST: &[u8] = b"\"refleet_plan\"";
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes.windows(FIRST.len()).any(|part| part == FIRST))
    }

    /// Reads the file at `path`; refuses one that is no plan, or not the one that was written.
    pub fn read(path: &Path) -> Result<Self, CliError> {
        let fault = |fault| CliError::Plan {
            path: path.to_owned(),
            fault,
        };
        let unreadable = |error: io::Error| fault(PlanFault::Unreadable(error.to_string()));
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        // A pipe would be waited for, and a device may never end.
        if !metadata.is_file() {
            return Err(fault(PlanFault::Unreadable("it is no file".to_owned())));
        }
        if metadata.len() > BYTES_MAX {
            return Err(fault(PlanFault::NoPlan("it is too large".to_owned())));
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        // The version first: another one may have other fields.
        if let Ok(Version { refleet_plan }) = serde_json::from_slice(&bytes)
            && refleet_plan != VERSION
        {
            return Err(fault(PlanFault::Version(refleet_plan)));
        }
        let plan: Self = serde_json::from_slice(&bytes)
            .map_err(|error| fault(PlanFault::NoPlan(error.to_string())))?;
        if plan.digest != plan.sum() {
            return Err(fault(PlanFault::Changed));
        }
        Ok(plan)
    }

    /// Refuses a plan that was made for another API or action.
    pub fn check_api(
        &self,
        action: Action,
        provider: &str,
        api_url: &str,
    ) -> Result<(), PlanFault> {
        // On one machine the same provider may be another account's, behind another port.
        if self.provider != provider || self.api_url != api_url {
            return Err(PlanFault::OtherApi(self.api_url.clone()));
        }
        if self.action != action {
            return Err(PlanFault::OtherAction(self.action));
        }
        Ok(())
    }

    /// Refuses a plan for another queue: what that one knows of the past is not what the plan was made
    /// with.
    pub fn check_database(&self, database: &Location) -> Result<(), PlanFault> {
        if self.database == place(database) {
            return Ok(());
        }
        Err(PlanFault::OtherDatabase(self.database.clone()))
    }

    /// Refuses a plan that is older than `age_max` at `now_ms`, or that comes from the future.
    pub fn check_age(&self, age_max: Duration, now_ms: i64) -> Result<(), PlanFault> {
        let created_ms = self.created_ms;
        if created_ms > now_ms.saturating_add(time::CLOCK_STEP_MS) {
            return Err(PlanFault::Future { created_ms });
        }
        if time::between(created_ms, now_ms) > age_max {
            return Err(PlanFault::Old {
                created_ms,
                age_max,
            });
        }
        Ok(())
    }

    /// Its rows by instance.
    pub fn by_service(&self) -> HashMap<ServiceId, &Row> {
        self.rows.iter().map(|row| (row.service_id, row)).collect()
    }

    /// Refuses a sheet that does not order exactly what the plan does.
    pub fn check_rows<E>(
        &self,
        jobs: impl Iterator<Item = Result<NewJob, E>>,
    ) -> Result<Result<(), PlanFault>, E> {
        let mut planned = self.by_service();
        let mut differing = Vec::new();
        for job in jobs {
            let job = job?;
            match planned.remove(&job.service) {
                None => differing.push(format!(
                    "line {}: service {} is not in the plan",
                    job.line, job.service
                )),
                Some(row) if !row.orders(&job) => differing.push(format!(
                    "line {}: service {} is ordered otherwise than in the plan",
                    job.line, job.service
                )),
                Some(_) => {}
            }
        }
        let mut missing: Vec<&Row> = planned.into_values().collect();
        missing.sort_by_key(|row| row.line);
        differing.extend(missing.iter().map(|row| {
            format!(
                "service {} is in the plan, and not in the sheet",
                row.service_id
            )
        }));
        if differing.is_empty() {
            return Ok(Ok(()));
        }
        let rows = differing.len() as u64;
        differing.truncate(NAMED_MAX);
        Ok(Err(PlanFault::OtherRows {
            rows,
            first: differing,
            open: None,
        }))
    }

    /// The instances that it orders.
    pub fn ordered(&self) -> impl Iterator<Item = ServiceId> {
        let rows = self.rows.iter().filter(|row| row.sent != Sent::LeftOut);
        rows.map(|row| row.service_id)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn a_plan_is_neither_older_than_allowed_nor_of_the_future() {
        const HOUR_MS: i64 = 3_600_000;
        let plan = PlanFile {
            refleet_plan: VERSION,
            created_at: String::new(),
            created_ms: 10 * HOUR_MS,
            action: Action::Rebuild,
            provider: String::new(),
            api_url: String::new(),
            account: None,
            database: PathBuf::new(),
            manifest: String::new(),
            options: Bounds {
                workers: 1,
                max_failures: String::new(),
                max_mismatch: String::new(),
                window: None,
                timezone: None,
                no_requeue: false,
                canary: None,
                max_per_group: NonZeroU32::MIN,
                rebuild_timeout: String::new(),
                order: crate::run::StartOrder::Auto,
            },
            lookup_calls: 0,
            said: Vec::new(),
            rows: Vec::new(),
            digest: String::new(),
        };
        let at = |hour: i64| plan.check_age(Duration::from_hours(2), hour * HOUR_MS);
        assert_eq!((at(10), at(12)), (Ok(()), Ok(())));
        assert!(matches!(at(13), Err(PlanFault::Old { .. })));
        let future = at(9).unwrap_err();
        assert!(matches!(future, PlanFault::Future { .. }));
        assert!(future.to_string().contains("in the future"), "{future}");
        assert!(future.hint().contains("`date`"));
    }
}
