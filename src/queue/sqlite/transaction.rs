//! How a transaction begins and ends, and what makes it safe.

use super::files::Files;
use super::handle::SqliteQueue;
use crate::queue::StoreError;

impl SqliteQueue {
    /// Until [`Self::rollback`], everything that is read is of one state of the database.
    pub(super) async fn begin_reading(&mut self) -> Result<(), StoreError> {
        sqlx::query("BEGIN DEFERRED")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Takes the write lock at once: a reading transaction that wants to write later can fail.
    pub(super) async fn begin(&mut self) -> Result<(), StoreError> {
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        let result = match self.files.look(&self.path) {
            Ok(_) => sqlx::query("COMMIT")
                .execute(&mut self.connection)
                .await
                .map(|_| ())
                .map_err(StoreError::from),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.rollback().await;
            return result;
        }
        self.keep_mark().await
    }

    /// Ends an operator's transaction: what succeeded is committed, the rest rolled back.
    pub(super) async fn conclude<T, E: From<StoreError>>(
        &mut self,
        result: Result<T, E>,
    ) -> Result<T, E> {
        if result.is_ok() {
            crate::failpoint!("operate_before_commit");
            self.commit().await?;
            crate::failpoint!("operate_after_commit");
        } else {
            self.rollback().await;
        }
        result
    }

    /// Best effort: SQLite has rolled back by itself after most errors, and a connection that
    /// cannot roll back loses the transaction when it closes.
    pub(super) async fn rollback(&mut self) {
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
    }

    /// Changes how transactions are made safe; returns what SQLite does now.
    pub(super) async fn set_journal(
        &mut self,
        statement: &'static str,
    ) -> Result<String, StoreError> {
        let now = sqlx::query_scalar(statement)
            .fetch_one(&mut self.connection)
            .await?;
        // The log file is created and removed by this, so that it is remembered anew.
        self.files = Files::default();
        Ok(now)
    }

    /// Empties the write-ahead log, where no reader hinders it.
    pub(super) async fn truncate_log(&mut self) -> Result<(), StoreError> {
        match sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut self.connection)
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => match StoreError::from(error) {
                // A reader looks at an older state: the next checkpoint will do it.
                StoreError::Busy => Ok(()),
                other => Err(other),
            },
        }
    }
}
