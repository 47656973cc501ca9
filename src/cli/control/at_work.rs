//! Which run is at work.

use crate::cli::error::CliError;
use crate::job::{BatchId, RunId};
use crate::queue::{Queue, QueueLock};

/// The run that works on `batch` now.
pub async fn at_work(queue: &mut Queue, batch: BatchId) -> Result<Option<RunId>, CliError> {
    let Some(process) = QueueLock::holder(queue.path()) else {
        return Ok(None);
    };
    if queue.worked_on_by(&process).await? != Some(batch) {
        return Ok(None);
    }
    let last = queue.runs(batch, 1).await?.pop();
    Ok(last.filter(|run| run.ended_ms.is_none()).map(|run| run.id))
}
