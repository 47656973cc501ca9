//! What operators say of a batch as a whole.

use super::handle::PostgresQueue;
use super::session::Transaction;
use super::text::{json_text, no_nul};
use crate::job::{BatchId, ControlEntry};
use crate::queue::StoreError;
use crate::queue::stored::{ControlRow, control_entry};

pub(super) const CONTROL: &str =
    "SELECT seq, run_id, at_ms, operator, reason, body::text FROM control
     WHERE seq > $2 AND batch_id = $1 ORDER BY seq";

/// The batch $1 is paused, or the run $2 is to start nothing more.
pub(super) const HELD: &str = "SELECT
     coalesce((SELECT max(seq) FROM control WHERE batch_id = $1 AND kind = 'pause'), 0)
         > coalesce((SELECT max(seq) FROM control WHERE batch_id = $1 AND kind = 'go'), 0)
     OR EXISTS (SELECT 1 FROM control WHERE batch_id = $1 AND kind = 'drain' AND run_id = $2)";

/// Keeps intents of the batch away until the instruction is committed, and gives the instructions of one
/// batch their numbers in the order in which they are seen.
const LOCK_BATCH: &str = "SELECT id FROM batch WHERE id = $1 FOR NO KEY UPDATE";

/// What is for a run is written only while that run is at work.
const INSTRUCT: &str = "INSERT INTO control (batch_id, run_id, kind, at_ms, operator, reason, body)
     SELECT $1, $2, $3, $4, $5, $6, $7::json
     WHERE $2 IS NULL OR EXISTS (SELECT 1 FROM run WHERE id = $2 AND batch_id = $1 AND ended_ms IS NULL)";

impl PostgresQueue {
    /// What was said of `batch` after the entry with number `after`, in its order.
    pub async fn control(
        &mut self,
        batch: BatchId,
        after: i64,
    ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
        let control = sqlx::query_as::<_, ControlRow>(CONTROL)
            .bind(batch.0)
            .bind(after);
        let rows = self.session.all(control).await?;
        rows.into_iter().map(control_entry).collect()
    }

    /// Writes down what an operator says of `batch`. Returns whether the run that it is for, if any, is
    /// at work; otherwise nothing is written.
    pub async fn instruct(
        &mut self,
        batch: BatchId,
        entry: &ControlEntry,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.session.begin().await?;
        let written = write_instruction(&mut transaction, batch, entry).await;
        transaction.conclude(written).await
    }
}

pub(super) async fn write_instruction(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    entry: &ControlEntry,
) -> Result<bool, StoreError> {
    let lock = sqlx::query(LOCK_BATCH).bind(batch.0);
    transaction.execute(lock).await?;
    let instruct = sqlx::query(INSTRUCT)
        .bind(batch.0)
        .bind(entry.run.map(|run| run.0))
        .bind(entry.instruction.kind())
        .bind(entry.at_ms)
        .bind(no_nul(&entry.operator))
        .bind(entry.reason.as_deref().map(no_nul))
        .bind(json_text(&entry.instruction));
    let written = transaction.execute(instruct).await?;
    Ok(written > 0)
}
