//! Which run is at work.

use crate::cli::error::CliError;
use crate::job::{BatchId, RunId};
use crate::queue::{Queue, QueueLock};

/// The run that works now, and its batch.
pub async fn at_work(queue: &mut Queue) -> Result<Option<(BatchId, RunId)>, CliError> {
    let Some(process) = QueueLock::holder(queue.path()) else {
        return Ok(None);
    };
    let Some(batch) = queue.worked_on_by(&process).await? else {
        return Ok(None);
    };
    let last = queue.runs(batch, 1).await?.pop();
    let run = last.filter(|run| run.ended_ms.is_none());
    Ok(run.map(|run| (batch, run.id)))
}

/// The run that works on `batch` now.
pub async fn at_work_on(queue: &mut Queue, batch: BatchId) -> Result<Option<RunId>, CliError> {
    let at_work = at_work(queue).await?;
    Ok(at_work.and_then(|(on, run)| (on == batch).then_some(run)))
}
