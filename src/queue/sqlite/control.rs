//! What operators say of a batch as a whole.

use super::handle::SqliteQueue;
use crate::job::{BatchId, ControlEntry};
use crate::queue::stored::{ControlRow, control_entry, flaw_of_control, json};
use crate::queue::{Lease, StoreError};

/// Its numbers are the table's own, so that only what is new is read.
pub(super) const CONTROL: &str = "SELECT seq, run_id, at_ms, operator, reason, body FROM control
     WHERE seq > ?2 AND +batch_id = ?1 ORDER BY seq";

/// The batch ?1 is paused, or the run `$run` is to start nothing more.
macro_rules! held {
    ($run:literal) => {
        concat!(
            "(coalesce((SELECT max(seq) FROM control WHERE batch_id = ?1 AND kind = 'pause'), 0)
              > coalesce((SELECT max(seq) FROM control WHERE batch_id = ?1 AND kind = 'go'), 0)
              OR EXISTS (SELECT 1 FROM control WHERE batch_id = ?1 AND kind = 'drain' AND run_id = ",
            $run,
            "))"
        )
    };
}

pub(super) const HELD: &str = concat!("SELECT ", held!("?2"));

/// What is for a run is written only while that run is at work.
const INSTRUCT: &str = "INSERT INTO control (batch_id, run_id, kind, at_ms, operator, reason, body)
     SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
     WHERE ?2 IS NULL OR EXISTS (SELECT 1 FROM run WHERE id = ?2 AND batch_id = ?1 AND ended_ms IS NULL)";

impl SqliteQueue {
    /// What was said of `batch` after the entry with number `after`, in its order.
    pub async fn control(
        &mut self,
        batch: BatchId,
        after: i64,
    ) -> Result<Vec<(i64, ControlEntry)>, StoreError> {
        let rows: Vec<ControlRow> = sqlx::query_as(CONTROL)
            .bind(batch.0)
            .bind(after)
            .fetch_all(&mut self.connection)
            .await?;
        rows.into_iter().map(control_entry).collect()
    }

    /// Writes down what an operator says of `batch`. Returns whether the run that it is for, if any, is
    /// at work; otherwise nothing is written.
    pub async fn instruct(
        &mut self,
        batch: BatchId,
        entry: &ControlEntry,
    ) -> Result<bool, StoreError> {
        self.begin().await?;
        let written = sqlx::query(INSTRUCT)
            .bind(batch.0)
            .bind(entry.run.map(|run| run.0))
            .bind(entry.instruction.kind())
            .bind(entry.at_ms)
            .bind(&entry.operator)
            .bind(&entry.reason)
            .bind(json(&entry.instruction))
            .execute(&mut self.connection)
            .await
            .map(|written| written.rows_affected() > 0)
            .map_err(StoreError::from);
        self.conclude(written).await
    }

    /// Nothing of the lease's batch may be started by its run.
    pub(super) async fn is_held(&mut self, lease: &Lease) -> Result<bool, StoreError> {
        let is_held = sqlx::query_scalar(HELD)
            .bind(lease.batch().0)
            .bind(lease.run().0)
            .fetch_one(&mut self.connection)
            .await?;
        Ok(is_held)
    }

    /// Instructions that cannot have been written by a sound program.
    pub(super) async fn flaws_of_control(&mut self) -> Result<Vec<String>, StoreError> {
        let rows: Vec<(i64, String, String, bool)> = sqlx::query_as(
            "SELECT control.seq, control.kind, control.body, run.id IS NOT NULL AND run.batch_id <> control.batch_id
             FROM control LEFT JOIN run ON run.id = control.run_id ORDER BY control.seq",
        )
        .fetch_all(&mut self.connection)
        .await?;
        Ok(rows.into_iter().filter_map(flaw_of_control).collect())
    }
}
