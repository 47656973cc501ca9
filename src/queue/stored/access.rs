//! Passwords, keys and pins that were corrected in the manifest after its jobs were queued.
//!
//! The one fact to know: a job takes another way in only while it is proven that nothing of it was
//! ever executed. Whatever may have wiped the instance may have set the way in that it was sent
//! with, and only one of the two may be on record.

use std::collections::HashMap;

use super::decode::{damaged, from_json, service_id};
use super::order::{OrderColumns, expected};
use crate::job::{Expected, Group, NewJob, Order, ServiceId, Transition};
use crate::queue::order::RowNews;
use crate::queue::{AccessNews, CommandOutcome, QueuedJob, StoreError};

/// A job as it is now, its row's order, and what the job takes of the row.
pub struct Taken<'a> {
    pub job: &'a QueuedJob,
    pub order: &'a Order,
    pub of_row: RowNews,
}

pub fn by_service(rows: &[NewJob]) -> HashMap<ServiceId, &NewJob> {
    rows.iter().map(|row| (row.service, row)).collect()
}

impl<'a> Taken<'a> {
    /// What the `differing` jobs of a batch take of their `rows`, counted in `news`.
    pub fn of_differing(
        differing: &'a [QueuedJob],
        rows: &'a [NewJob],
        news: &mut AccessNews,
    ) -> Result<Vec<Self>, StoreError> {
        let rows = by_service(rows);
        let mut taken = Vec::with_capacity(differing.len());
        for job in differing {
            let row = rows.get(&job.service).ok_or_else(|| damaged("a job"))?;
            let of_row = news.look(job, row);
            let order = &row.order;
            taken.push(Self { job, order, of_row });
        }
        Ok(taken)
    }

    /// What failed jobs, all of which have the image and zone of their rows, take of these. A wiped job
    /// that is sent once more takes the access too, since the operator has asked for both.
    pub fn of_failed(
        same: &'a [QueuedJob],
        rows: &HashMap<ServiceId, &'a NewJob>,
    ) -> HashMap<ServiceId, Self> {
        let taken = same.iter().filter_map(|job| {
            let row = *rows.get(&job.service)?;
            let of_row = RowNews::of(job, row);
            let order = &row.order;
            Some((job.service, Self { job, order, of_row }))
        });
        taken.collect()
    }

    /// What the ledger says of it.
    pub fn steps(
        taken: &[Self],
        manifest: &str,
        at_ms: i64,
    ) -> Result<Vec<Transition>, StoreError> {
        let mut steps = Vec::with_capacity(taken.len());
        for Taken { job, of_row, .. } in taken {
            for entry in of_row.entries(manifest) {
                let step = Transition::new(job.id, job.record.clone(), entry, at_ms)
                    .map_err(|illegal| StoreError::Bug(illegal.to_string()))?;
                steps.push(step);
            }
        }
        Ok(steps)
    }
}

/// Those of `jobs` whose row orders the same but for the access. Of the others it is noted that that is
/// another order.
pub fn taken_rows(
    jobs: Vec<QueuedJob>,
    rows: &HashMap<ServiceId, &NewJob>,
    manifest: &str,
    outcome: &mut CommandOutcome,
) -> Vec<QueuedJob> {
    let (same, other): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| {
        (rows.get(&job.service)).is_some_and(|row| job.order.is_same_but_for_access(&row.order))
    });
    for job in other {
        let reason = format!("has another image or zone in {manifest}: that is another order");
        outcome.refused.push((job.service, reason));
    }
    same
}

/// What has to be written for jobs that take something of their rows, each by the job's number.
#[derive(Default)]
pub struct AccessChanges<'a> {
    /// The kind of access and the key.
    pub columns: Vec<(i64, Option<&'static str>, Option<&'a str>)>,
    pub passwords: Vec<(i64, &'a str)>,
    /// Jobs that have no password any more.
    pub erased: Vec<i64>,
    /// What they expect.
    pub pins: Vec<(i64, Option<String>)>,
    /// Their groups, and where they answer SSH.
    pub places: Vec<(i64, Option<String>, Option<u16>)>,
}

impl<'a> AccessChanges<'a> {
    pub fn of(taken: impl IntoIterator<Item = &'a Taken<'a>>) -> Self {
        let mut changes = Self::default();
        for Taken { job, order, of_row } in taken {
            let id = job.id.stored();
            if of_row.access {
                changes.take_access(job, order);
            }
            if let Some(now) = &of_row.expected {
                changes.pins.push((id, expected(now)));
            }
            if let Some(moved) = &of_row.moved {
                let group = moved.to.as_ref().map(Group::to_string);
                changes.places.push((id, group, moved.ssh_port));
            }
        }
        changes
    }

    fn take_access(&mut self, job: &QueuedJob, order: &'a Order) {
        let id = job.id.stored();
        let given = OrderColumns::from(order);
        // Usually only the password is new, and the job's own row stays as it is.
        let stored = job.order.with_secret();
        let is_same = (stored.as_ref().map(OrderColumns::from))
            .is_some_and(|stored| (stored.access, stored.ssh_key) == (given.access, given.ssh_key));
        if !is_same {
            self.columns.push((id, given.access, given.ssh_key));
        }
        match given.password {
            Some(password) => self.passwords.push((id, password)),
            None => self.erased.push(id),
        }
    }
}

/// What queued jobs (number, service, what they expect) have to expect from now on, where that is new,
/// because a person has `seen` it. Where something else was expected before, it was shown as not sent,
/// and stays so.
pub fn newly_expected(
    jobs: &[(i64, i64, Option<String>)],
    seen: &(dyn Fn(ServiceId) -> Option<Expected> + Sync),
) -> Result<Vec<(i64, Option<String>)>, StoreError> {
    let mut new = Vec::new();
    for (id, service, before) in jobs {
        let Some(seen) = seen(service_id(*service)?) else {
            continue;
        };
        let before: Expected = match before {
            Some(text) => from_json(text, "what a job expects")?,
            None => Expected::default(),
        };
        if seen != before && before.differences(&seen, false).is_empty() {
            new.push((*id, expected(&seen)));
        }
    }
    Ok(new)
}
