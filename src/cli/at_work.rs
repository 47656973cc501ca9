//! Which run is at work.

use crate::cli::error::CliError;
use crate::job::{BatchId, RunId};
use crate::queue::{Overview as _, Queue};

/// The run that works on `batch` now; else one that works on another batch.
pub async fn at_work(
    queue: &mut Queue,
    batch: BatchId,
) -> Result<Option<(BatchId, RunId)>, CliError> {
    let at_work = queue.at_work().await?;
    let runs: Vec<_> = at_work.into_iter().filter_map(|it| it.run).collect();
    let on_it = runs.iter().find(|(on, _)| *on == batch);
    Ok(on_it.or(runs.first()).copied())
}

/// The run that works on `batch` now.
pub async fn at_work_on(queue: &mut Queue, batch: BatchId) -> Result<Option<RunId>, CliError> {
    let at_work = at_work(queue, batch).await?;
    Ok(at_work.and_then(|(on, run)| (on == batch).then_some(run)))
}
