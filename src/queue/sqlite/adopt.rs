//! A main file whose log is lost: what is known, and what has to be doubted.

use super::Queue;
use crate::job::{BatchId, Entry, State, Transition};
use crate::queue::{QueueError, QueuedJob};

impl Queue {
    /// Puts all jobs that may have been sent since the main file was written in doubt, and holds
    /// them: those of the batch that the last run worked on, since no other can have been. Returns
    /// that batch and how many they are; `None`: no run has ever worked.
    ///
    /// Nothing of it is sent again without the operator's word; what is done stays done.
    pub async fn adopt(
        &mut self,
        reason: &str,
        at_ms: i64,
    ) -> Result<Option<(BatchId, u64)>, QueueError> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT batch_id FROM run ORDER BY id DESC LIMIT 1")
                .fetch_optional(&mut self.connection)
                .await?;
        let Some(batch) = last.map(BatchId) else {
            return Ok(None);
        };
        let mut jobs = self.due(batch, i64::MAX, usize::MAX).await?;
        let sent = [State::Submitting, State::InDoubt];
        jobs.extend(self.unsettled(batch, &sent).await?);
        jobs.retain(|job| !job.standing.held);
        let count = jobs.len() as u64;
        let steps: Result<Vec<Vec<Transition>>, QueueError> = jobs
            .into_iter()
            .map(|job| doubted(job, reason, at_ms))
            .collect();
        let missed = self.record(batch, None, steps?.iter().flatten()).await?;
        if !missed.is_empty() {
            return Err(QueueError::Bug(
                "jobs moved while nobody could move them".to_owned(),
            ));
        }
        self.unmark().await?;
        Ok(Some((batch, count)))
    }
}

/// The steps by which `job` comes into a doubt that is held.
fn doubted(job: QueuedJob, reason: &str, at_ms: i64) -> Result<Vec<Transition>, QueueError> {
    let mut entries = Vec::with_capacity(3);
    if job.standing.state == State::Queued {
        entries.push(Entry::Intent {
            zone: job.zone.unwrap_or_else(|| "image".to_owned()),
            baseline: None,
            target: None,
        });
    }
    if job.standing.state != State::InDoubt {
        entries.push(Entry::Interrupted);
    }
    entries.push(Entry::Held {
        reason: format!("the log of the run that may have sent it is lost: {reason}"),
    });
    let mut standing = job.standing;
    let mut steps = Vec::with_capacity(entries.len());
    for entry in entries {
        let step = Transition::new(job.id, standing, entry, at_ms)
            .map_err(|illegal| QueueError::Bug(illegal.to_string()))?;
        standing = step.to.clone();
        steps.push(step);
    }
    Ok(steps)
}
