//! Which batch a command speaks of: the newest, unless `--batch` says otherwise.

use super::error::CliError;
use super::global::Global;
use crate::job::{BatchId, KeyPlaces, ResultRow};
use crate::queue::{Backend as _, Batch, Open, Queue, StoreError};

#[derive(Debug, Clone, clap::Args)]
pub struct BatchArg {
    /// Number of the batch [default: the newest]
    #[arg(long, value_name = "ID")]
    pub batch: Option<i64>,
}

/// Opens the database of `global` and finds the batch that `arg` names.
pub async fn open(global: &Global, arg: &BatchArg, mode: Open) -> Result<(Queue, Batch), CliError> {
    let mut queue = super::database::open(global, mode).await?;
    let batch = find(&mut queue, arg.batch.map(BatchId)).await?;
    Ok((queue, batch))
}

/// The batch `wanted`, or the newest.
pub async fn find(queue: &mut Queue, wanted: Option<BatchId>) -> Result<Batch, CliError> {
    match wanted {
        Some(id) => (queue.batch(id).await?).ok_or(CliError::NoSuchBatch(id)),
        None => {
            (queue.batches().await?.pop()).ok_or_else(|| CliError::NothingLoaded(queue.shown()))
        }
    }
}

/// Where the host keys of `batch` were shown.
pub async fn key_places(queue: &mut Queue, batch: BatchId) -> Result<KeyPlaces, StoreError> {
    let mut places = KeyPlaces::default();
    let mut note = |row: ResultRow| {
        for shown in [&row.host_key_before, &row.host_key].into_iter().flatten() {
            places.note(shown);
        }
        Ok(())
    };
    // Nothing is written, so nothing can fail to be.
    let _ = queue.results(batch, &[], &mut note).await?;
    Ok(places)
}
