//! What is on the wire when a batch is paused.

use std::time::Duration;

use tokio::time::sleep;

use crate::cli::at_work::at_work_on;
use crate::cli::error::CliError;
use crate::job::BatchId;
use crate::queue::{Queue, Store as _};

/// How often the ledger is looked at while answers are outstanding.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Waits until the run at work has recorded an answer to everything that it had sent. `outstanding` is
/// told first how many there are. Returns how many were left without one: their run is gone.
pub async fn answered(
    queue: &mut Queue,
    batch: BatchId,
    outstanding: impl FnOnce(u64),
) -> Result<u64, CliError> {
    let mut outstanding = Some(outstanding);
    loop {
        // Asked in this order: a run that ends has recorded its answers before.
        let is_at_work = at_work_on(queue, batch).await?.is_some();
        let left = queue.counts(batch).await?.submitting;
        if left == 0 || !is_at_work {
            return Ok(left);
        }
        if let Some(outstanding) = outstanding.take() {
            outstanding(left);
        }
        sleep(LOOK_AGAIN).await;
    }
}
