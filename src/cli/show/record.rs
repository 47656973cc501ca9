//! The instance's job in one batch, with all that happened to it.

use crate::cli::held::Hold;
use crate::job::{BatchId, KeyHint, ResultRow};
use crate::queue::{LedgerLine, QueuedJob};

pub struct Record {
    pub batch: BatchId,
    pub job: QueuedJob,
    /// What became of it.
    pub result: ResultRow,
    pub history: Vec<LedgerLine>,
    /// Which rules of the roll-out keep it from starting.
    pub held_back: Vec<Hold>,
    /// What its host keys say, where it is in doubt.
    pub key_hint: Option<KeyHint>,
    /// What to type about it.
    pub next: Option<String>,
}
