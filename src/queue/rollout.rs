//! What the rules of a roll-out need to know of a batch: which jobs go first, and which members of its
//! groups are down.

use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;

use super::{Attempt, QueuedJob, Ready, Stray};
use crate::job::{BatchId, Group, ImageId, JobId, ServiceId, State};

/// Which of the jobs that are due may start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// Only these; `None`: any.
    pub only: Option<Vec<JobId>>,
    /// None of these groups.
    pub not_of: Vec<Group>,
    /// But these, whatever their group: they are down already, and are to be sent again.
    pub but: Vec<JobId>,
    /// None that get one of these images; `None` stands for what gives no image.
    pub not_images: Vec<Option<ImageId>>,
    /// These may be the present attempts of any job of their services, and hold nothing back: of all others
    /// it is not known whether they still take effect.
    pub over: Vec<Attempt>,
}

impl Admission {
    /// The job may start, if it is due.
    pub fn admits(&self, job: &QueuedJob) -> bool {
        let is_one = self.only.as_ref().is_none_or(|only| only.contains(&job.id));
        let group = job.group.as_ref();
        let is_full = group.is_some_and(|group| self.not_of.contains(group));
        let is_late = self.not_images.contains(&job.order.image());
        is_one && !is_late && (!is_full || self.but.contains(&job.id))
    }

    /// Those of `queued` that are due at `until_ms` and admitted, with none of `strays` in the way; `limit` of
    /// them at most. When the next one falls due, all of `queued` count.
    pub(super) fn ready_among(
        &self,
        queued: Vec<QueuedJob>,
        strays: &[Stray],
        until_ms: i64,
        limit: usize,
    ) -> Ready {
        let (mut jobs, later): (Vec<_>, Vec<_>) = queued
            .into_iter()
            .partition(|job| job.record.not_before_ms <= until_ms);
        let mut strays: Vec<&Stray> = strays.iter().collect();
        strays.retain(|stray| !self.over.contains(&stray.attempt));
        let is_bound = |job: &QueuedJob| strays.iter().any(|stray| stray.service == job.service);
        jobs.retain(|job| self.admits(job) && !is_bound(job));
        jobs.sort_by_key(|job| (job.record.not_before_ms, job.id));
        let is_all = jobs.len() < limit;
        jobs.truncate(limit);
        let next_ms = later.iter().map(|job| job.record.not_before_ms).min();
        Ready {
            jobs,
            is_all,
            next_ms: next_ms.filter(|_| is_all),
        }
    }
}

/// Who goes first, of those that are asked about one after the other, in the manifest's order.
#[derive(Debug)]
pub struct FirstOfEach<Image> {
    each: NonZeroU32,
    seen: HashMap<Image, u32>,
}

impl<Image: Eq + Hash> FirstOfEach<Image> {
    /// Of each image so many.
    pub fn new(each: NonZeroU32) -> Self {
        Self {
            each,
            seen: HashMap::new(),
        }
    }

    /// The next one, which gets `image`, is one of them.
    pub fn is_one(&mut self, image: Image) -> bool {
        let seen = self.seen.entry(image).or_default();
        *seen += 1;
        *seen <= self.each.get()
    }
}

/// A member of a group that is down, or may be: by its job in the batch, or by one in another batch
/// that was the last to touch it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// The batch whose job took it down, if that is another one.
    pub other_batch: Option<BatchId>,
    /// Its job in the batch that is asked about, or else that one.
    pub job: JobId,
    /// The instance.
    pub service: ServiceId,
    /// The group.
    pub group: Group,
    /// Where that job stands.
    pub state: State,
    /// Other members of its group are queued, and were never touched.
    pub is_waited_for: bool,
}

/// How far the roll-out of a batch has come.
#[derive(Debug, Clone, Default)]
pub struct RolloutProgress {
    /// Members of groups that are down, in the manifest's order.
    pub down: Vec<Down>,
    /// Those that go first of each image, in the manifest's order; `None`: they were not asked for.
    pub canaries: Option<Vec<QueuedJob>>,
}
