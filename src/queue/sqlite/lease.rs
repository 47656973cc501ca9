//! Beginning to work on a batch, and ending it: what a run writes of itself.

use super::Queue;
use super::lock::host;
use crate::job::RunId;
use crate::queue::{NewRun, QueueError};

impl Queue {
    /// Records that this process begins to work, in the main file too: who later finds that file
    /// without its log is to know that something is missing.
    pub async fn begin_run(&mut self, run: &NewRun) -> Result<RunId, QueueError> {
        let id = sqlx::query_scalar(
            "INSERT INTO run (batch_id, started_ms, pid, host, version, options)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
        )
        .bind(run.batch.0)
        .bind(run.started_ms)
        .bind(std::process::id())
        .bind(host())
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(run.options.to_string())
        .fetch_one(&mut self.connection)
        .await?;
        self.mark_work().await?;
        Ok(RunId(id))
    }

    /// Records how it ended.
    pub async fn end_run(
        &mut self,
        run: RunId,
        ended_ms: i64,
        exit_code: u8,
    ) -> Result<(), QueueError> {
        sqlx::query(
            "UPDATE run SET ended_ms = ?2, exit_code = ?3 WHERE id = ?1 AND ended_ms IS NULL",
        )
        .bind(run.0)
        .bind(ended_ms)
        .bind(exit_code)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}
