//! The instance's job in one batch, with all that happened to it.

use crate::job::BatchId;
use crate::queue::{LedgerLine, QueuedJob};

pub struct Record {
    pub batch: BatchId,
    pub job: QueuedJob,
    pub history: Vec<LedgerLine>,
    /// Which rule of the roll-out keeps it from starting.
    pub held_back: Option<String>,
    /// What to type about it.
    pub next: Option<String>,
}
