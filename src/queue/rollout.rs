//! What the rules of a roll-out need to know of a batch: which jobs go first, and which members of its
//! groups are down.

use super::QueuedJob;
use crate::job::{Group, JobId, ServiceId, State};

/// Which of the jobs that are due may start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Admission {
    /// Only these; `None`: any.
    pub only: Option<Vec<JobId>>,
    /// None of these groups, but for members that are down already.
    pub not_of: Vec<Group>,
}

/// A member of a group that is down, or may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// Its job.
    pub job: JobId,
    /// The instance.
    pub service: ServiceId,
    /// The group.
    pub group: Group,
    /// Where the job stands.
    pub state: State,
}

/// How far the roll-out of a batch has come.
#[derive(Debug, Clone, Default)]
pub struct RolloutProgress {
    /// Members of groups that are down, in the manifest's order.
    pub down: Vec<Down>,
    /// Those that go first of each image, in the manifest's order.
    pub canaries: Vec<QueuedJob>,
}
