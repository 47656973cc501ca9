//! A main file whose log is lost: what is known, and what has to be doubted.

use super::handle::SqliteQueue;
use super::record::write_all;
use super::settings::{ROLLBACK_JOURNAL, WRITE_AHEAD_LOG};
use crate::job::{BatchId, JobId, State, Transition};
use crate::queue::StoreError;
use crate::queue::operator::doubted;

impl SqliteQueue {
    /// Puts all jobs that may have been sent since the main file was written in doubt, and holds
    /// them: those of the batch that the last run worked on, since no other can have been. Returns
    /// that batch and how many they are; `None`: no run has ever worked.
    ///
    /// Nothing of it is sent again without the operator's word; what is done stays done.
    ///
    /// It happens in the main file itself, without a log, and in one transaction: a process that dies
    /// in between leaves either a main file whose log is still missing, or an adopted one.
    pub async fn adopt(
        &mut self,
        reason: &str,
        at_ms: i64,
    ) -> Result<Option<(BatchId, u64)>, StoreError> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT batch_id FROM run ORDER BY id DESC LIMIT 1")
                .fetch_optional(&mut self.connection)
                .await?;
        let Some(batch) = last.map(BatchId) else {
            return Ok(None);
        };
        if self.set_journal(ROLLBACK_JOURNAL).await? != "truncate" {
            return Err(StoreError::Busy);
        }
        let queued = self.pending(batch, None, usize::MAX).await?;
        let queued: Vec<JobId> = queued.iter().map(|job| job.id).collect();
        let mut jobs = self.queued_of(&queued).await?;
        let sent = [State::Submitting, State::InDoubt];
        jobs.extend(self.unsettled(batch, &sent).await?);
        jobs.retain(|job| !job.record.held);
        let count = jobs.len() as u64;
        let mut steps = Vec::new();
        for job in jobs {
            let why = format!("the log of the run that may have sent it is lost: {reason}");
            steps.extend(doubted(job, why, at_ms)?);
        }
        self.begin().await?;
        match self.adopt_all(batch, &steps).await {
            Ok(()) => self.commit().await?,
            Err(error) => {
                self.rollback().await;
                return Err(error);
            }
        }
        crate::failpoint!("after_commit");
        self.set_journal(WRITE_AHEAD_LOG).await?;
        Ok(Some((batch, count)))
    }

    /// Inside a transaction: writes the doubts, and that the main file awaits no log any more.
    async fn adopt_all(&mut self, batch: BatchId, steps: &[Transition]) -> Result<(), StoreError> {
        write_all(&mut self.connection, batch, steps).await?;
        sqlx::query("PRAGMA user_version = 0")
            .execute(&mut self.connection)
            .await?;
        crate::failpoint!("before_commit");
        Ok(())
    }
}
