//! How much of the order was compared with the account's list, before the first of it is sent.
//!
//! The store tells of the order in pages, so that a million jobs take no more memory than a thousand.

use crate::job::{JobId, ServiceId};
use crate::queue::Pending;

/// Jobs that are asked for at once.
pub(super) const PAGE: usize = 4096;

/// Mismatches that are told one by one.
const TOLD_MAX: usize = 10;

/// How far the order was compared.
#[derive(Debug)]
pub(super) struct OrderCheck {
    /// Jobs of the batch.
    jobs: u64,
    compared: Compared,
    /// The last job of the comparison under way, and what that has found so far.
    after: Option<JobId>,
    found: Found,
}

/// With what the order was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compared {
    /// With nothing so far.
    Nothing,
    /// With a list that was read as well as it could be: what it lacks is not known.
    Read,
    /// With a complete list.
    Complete,
}

/// What a comparison has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Jobs whose instances the list surely lacks, and the first of these.
    pub(super) missing: Vec<JobId>,
    pub(super) first_missing: Option<ServiceId>,
    /// Jobs on whose instance something else stands than they expect, and the first ones in words.
    pub(super) mismatched: u64,
    pub(super) told: Vec<String>,
}

impl OrderCheck {
    /// Of a batch of `jobs` jobs.
    pub(super) fn new(jobs: u64) -> Self {
        Self {
            jobs,
            compared: Compared::Nothing,
            after: None,
            found: Found::default(),
        }
    }

    /// Jobs of the batch.
    pub(super) fn jobs(&self) -> u64 {
        self.jobs
    }

    /// The order is to be compared with a list that `is_scanned` as well as it could be, and
    /// `is_complete`.
    pub(super) fn is_due(&self, is_scanned: bool, is_complete: bool) -> bool {
        match self.compared {
            Compared::Nothing => is_scanned,
            Compared::Read => is_complete,
            Compared::Complete => false,
        }
    }

    /// Behind which job the store is asked for the next [`PAGE`] of them.
    pub(super) fn after(&self) -> Option<JobId> {
        self.after
    }

    /// This is the next page. Returns whether it is the last one.
    pub(super) fn turn_to(&mut self, page: &[Pending]) -> bool {
        self.after = page.last().map(|job| job.id);
        page.len() < PAGE
    }

    /// The list surely lacks its instance.
    pub(super) fn is_missing(&mut self, job: &Pending) {
        self.found.first_missing.get_or_insert(job.service);
        self.found.missing.push(job.id);
    }

    /// Something else stands on its instance than it expects.
    pub(super) fn mismatches(&mut self, job: &Pending, what: &str) {
        self.found.mismatched += 1;
        if self.found.told.len() < TOLD_MAX {
            let Pending { line, service, .. } = job;
            let mismatch = format!("line {line}, service {service}: {what}");
            self.found.told.push(mismatch);
        }
    }

    /// All of it was compared, with a list that `is_complete`: what was found.
    pub(super) fn conclude(&mut self, is_complete: bool) -> Found {
        self.compared = if is_complete {
            Compared::Complete
        } else {
            Compared::Read
        };
        self.after = None;
        std::mem::take(&mut self.found)
    }
}
