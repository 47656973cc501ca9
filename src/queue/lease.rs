//! The right of one run to write for a batch.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::job::{BatchId, RunId};
use crate::{text, time};

/// A run's right to write for its batch. Each one that is acquired has a higher epoch than all before
/// it, and what is written under an older one is refused: a run that was thought dead, and is not,
/// can't write over what its successor did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    batch: BatchId,
    run: RunId,
    epoch: i64,
    tenure: Uuid,
}

impl Lease {
    /// As a store gives it.
    pub fn new(batch: BatchId, run: RunId, epoch: i64) -> Self {
        Self {
            batch,
            run,
            epoch,
            tenure: Uuid::nil(),
        }
    }

    /// The stretch for which it is held: a database that was restored counts runs and epochs once more.
    #[must_use]
    pub fn of_tenure(self, tenure: Uuid) -> Self {
        Self { tenure, ..self }
    }

    /// What [`Self::of_tenure`] was given; nil on one machine's queue.
    pub fn tenure(&self) -> Uuid {
        self.tenure
    }

    /// What is worked on.
    pub fn batch(&self) -> BatchId {
        self.batch
    }

    /// Who works.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// How often the batch had been acquired by then, this time included.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }
}

/// Who works on a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// Its machine.
    pub host: String,
    /// Since when, as Unix time.
    pub since_ms: i64,
    /// When another process may take over if this one renews its lease no more, as Unix time; `None`: when
    /// it has ended.
    #[serde(skip)]
    pub until_ms: Option<i64>,
}

/// A process at work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    /// Which.
    pub holder: Holder,
    /// On what; `None`: it has not begun yet.
    pub run: Option<(BatchId, RunId)>,
}

impl Holder {
    pub(super) fn unknown() -> Self {
        Self {
            pid: 0,
            host: String::new(),
            since_ms: 0,
            until_ms: None,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("it has not yet said who it is");
        }
        if self.host.is_empty() {
            return write!(f, "process {}; its lock file was removed", self.pid);
        }
        write!(
            f,
            "process {} on {}, since {}",
            self.pid,
            text::brief(&self.host, 64),
            time::human(self.since_ms)
        )?;
        if let Some(until_ms) = self.until_ms {
            write!(
                f,
                "; its lease runs out at {} unless it renews it",
                time::human(until_ms)
            )?;
        }
        Ok(())
    }
}

/// This machine's name.
pub fn host() -> String {
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    if name.is_empty() {
        "this machine".to_owned()
    } else {
        name.into_owned()
    }
}
