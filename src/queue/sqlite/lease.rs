//! Beginning to work on a batch, and ending it: what a run writes of itself, and whose the batch is.

use super::handle::SqliteQueue;
use crate::job::{BatchId, Owner, RunId};
use crate::queue::lease::host;
use crate::queue::stored::{damaged, json, owner};
use crate::queue::{Lease, NewRun, StoreError};

impl SqliteQueue {
    /// Records that this process begins to work, in the main file too: who later finds that file
    /// without its log is to know that something is missing. The caller holds the lock
    /// ([`super::QueueLock`]); where the lock does not do what it should, the lease's epoch still
    /// keeps an earlier run from writing.
    pub async fn acquire(&mut self, run: &NewRun) -> Result<Lease, StoreError> {
        self.begin().await?;
        let lease = match self.write_run(run).await {
            Ok(lease) => lease,
            Err(error) => {
                self.rollback().await;
                return Err(error);
            }
        };
        self.commit().await?;
        self.mark_work().await?;
        Ok(lease)
    }

    async fn write_run(&mut self, run: &NewRun) -> Result<Lease, StoreError> {
        let epoch: i64 =
            sqlx::query_scalar("UPDATE batch SET epoch = epoch + 1 WHERE id = ?1 RETURNING epoch")
                .bind(run.batch.0)
                .fetch_one(&mut self.connection)
                .await?;
        let id = sqlx::query_scalar(
            "INSERT INTO run (batch_id, started_ms, pid, host, version, options)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
        )
        .bind(run.batch.0)
        .bind(run.started_ms)
        .bind(std::process::id())
        .bind(host())
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(json(&run.options))
        .fetch_one(&mut self.connection)
        .await?;
        Ok(Lease::new(run.batch, RunId(id), epoch))
    }

    /// Whether `lease` still holds. It ends with the process, and not with time.
    pub async fn renew(&mut self, lease: &Lease) -> Result<(), StoreError> {
        let epoch: Option<i64> = sqlx::query_scalar("SELECT epoch FROM batch WHERE id = ?1")
            .bind(lease.batch().0)
            .fetch_optional(&mut self.connection)
            .await?;
        if epoch == Some(lease.epoch()) {
            Ok(())
        } else {
            Err(lost(lease.batch()))
        }
    }

    /// The batch belongs to `wanted` from now on, unless it belongs to somebody already.
    pub(super) async fn bind_batch(
        &mut self,
        batch: BatchId,
        wanted: &Owner,
    ) -> Result<Owner, StoreError> {
        sqlx::query(
            "UPDATE batch SET account = ?2, account_label = ?3 WHERE id = ?1 AND account IS NULL",
        )
        .bind(batch.0)
        .bind(wanted.id.as_str())
        .bind(wanted.label.as_deref())
        .execute(&mut self.connection)
        .await?;
        let (account, label) =
            sqlx::query_as("SELECT account, account_label FROM batch WHERE id = ?1")
                .bind(batch.0)
                .fetch_one(&mut self.connection)
                .await?;
        owner(account, label).ok_or_else(|| damaged("a batch's account"))
    }

    /// Records how the run ended.
    pub async fn release(
        &mut self,
        lease: Lease,
        ended_ms: i64,
        exit_code: u8,
        halted: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE run SET ended_ms = ?2, exit_code = ?3, halted = ?4
             WHERE id = ?1 AND ended_ms IS NULL",
        )
        .bind(lease.run().0)
        .bind(ended_ms)
        .bind(exit_code)
        .bind(halted)
        .execute(&mut self.connection)
        .await?;
        Ok(())
    }
}

pub(super) fn lost(batch: BatchId) -> StoreError {
    StoreError::LeaseLost { batch }
}
