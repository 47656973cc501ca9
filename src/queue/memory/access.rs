//! What a manifest gives the jobs of the store in memory.

use super::MemoryStore;
use crate::job::{BatchId, JobId, NewJob, Order, State};
use crate::queue::order::RowNews;
use crate::queue::{AccessNews, QueuedJob};

impl MemoryStore {
    /// What `rows` say of the access of the batch's jobs, and what which of them take.
    pub(super) fn look_at_access(
        &self,
        batch: BatchId,
        rows: &[NewJob],
    ) -> (AccessNews, Vec<(QueuedJob, Order, RowNews)>) {
        let mut news = AccessNews {
            rows: rows.len() as u64,
            ..AccessNews::default()
        };
        let mut taken = Vec::new();
        for row in rows {
            let mut jobs = self.of(batch);
            let same = |job: &&QueuedJob| {
                job.service == row.service && job.order.is_same_but_for_access(&row.order)
            };
            let Some(job) = jobs.find(same) else { continue };
            let state = job.record.state;
            news.matched += 1;
            news.queued += u64::from(state == State::Queued);
            news.done += u64::from(state == State::Done);
            let of_row = news.look(job, row);
            taken.push((job.clone(), row.order.clone(), of_row));
        }
        (news, taken)
    }

    /// Gives a job what it takes of a row.
    pub(super) fn set(&mut self, job: JobId, order: Order, of_row: RowNews) {
        let stored = self.jobs.get_mut(&job).expect("it was read");
        if of_row.access {
            stored.job.order = order.into();
        }
        if let Some(expected) = of_row.expected {
            stored.job.expected = expected;
        }
        if let Some(moved) = of_row.moved {
            stored.job.group = moved.to;
            stored.job.ssh_port = moved.ssh_port;
        }
    }
}
