//! Submissions that nobody waits for any more, and that may still take effect.
//!
//! The one fact to know: a stray binds its *service*, whatever is ordered for that, and by whom.
//! [`super::Store::ready`] hands out no job of such a service unless it is told that the stray is over, so
//! that no word and no order can go around it. When one is over says
//! [`crate::run::hosts::stray`](../../run/hosts/stray/index.html); here are only the facts.

use std::fmt;

use super::{Fence, Tenure};
use crate::job::{BatchId, JobId, ServiceId};

/// One submission of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt {
    /// Whose.
    pub job: JobId,
    /// Which of its attempts, counted from 1.
    pub number: u32,
}

/// As it is handed to the statements that compare it.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.job, self.number)
    }
}

/// Who was about to send something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The stretch for which it held the lease.
    pub tenure: Tenure,
    /// When it has said itself that it ended, or what became of the submission, as Unix time: it does not
    /// send it any more.
    pub ended_ms: Option<i64>,
}

/// A submission of which nobody knows what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// Which.
    pub attempt: Attempt,
    /// What it was submitted for.
    pub batch: BatchId,
    /// The instance.
    pub service: ServiceId,
    /// It is the present attempt of a job of the batch that is asked about.
    pub is_own: bool,
    /// A job of that batch is queued for its service.
    pub is_in_the_way: bool,
    /// When it was sent, or else when it was noticed that nobody knows, as Unix time by the clock of who
    /// wrote it.
    pub sent_ms: i64,
    /// Who may still send it; `None`: whoever made it does not.
    pub sender: Option<Sender>,
}

/// The strays that a batch has to do with, and what is known of hosts that are down.
#[derive(Debug, Clone, Default)]
pub struct Strays {
    /// Of the services of the batch.
    pub all: Vec<Stray>,
    /// The words that hosts, or processes, are down; none where there are no senders.
    pub fences: Vec<Fence>,
    /// By the clock that `fences` are dated with, as Unix time.
    pub now_ms: i64,
}
