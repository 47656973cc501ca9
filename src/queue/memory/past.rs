//! What the past of its services leaves of an order.

use std::error::Error;

use super::{MemoryStore, StoredJob, all};
use crate::job::{Action, BatchId, Executed, LedgerEntry, NewJob, ServiceId, State};
use crate::queue::past::{LastSubmission, Sieve};
use crate::queue::{Conflict, EnqueueError, EnqueuePolicy, Live, NewBatch, Preview, Rows};

impl MemoryStore {
    fn other_provider(&self, order: &NewBatch) -> Option<Conflict> {
        let others = (1..).map(BatchId).zip(&self.batches);
        let others = others.filter(|(_, batch)| batch.order.provider != order.provider);
        let bound = others.filter_map(|(id, batch)| {
            let sent = self.of(id).any(|job| job.record.attempt > 0);
            let live = self.of(id).any(|job| !job.record.state.is_final());
            (sent || live).then_some((sent, id, batch))
        });
        let (sent, batch, other) = bound.max_by_key(|(sent, id, _)| (*sent, *id))?;
        Some(Conflict::OtherProvider {
            batch,
            theirs: other.order.api_url.clone(),
            ours: order.api_url.clone(),
            sent,
        })
    }

    /// The jobs of batches of `action` for a service.
    pub(super) fn of_action(
        &self,
        action: Action,
        service: ServiceId,
    ) -> impl Iterator<Item = &StoredJob> {
        let jobs = self.of_service(service);
        jobs.filter(move |stored| stored.job.order.action() == action)
    }

    /// The last submission of what a row orders for its service, among those that may have touched it.
    fn last_submission(&self, row: &NewJob) -> Option<LastSubmission> {
        let intent = |stored: &StoredJob| {
            self.ledger.iter().position(|entry| {
                entry.job == stored.job.id
                    && entry.line.attempt == stored.job.record.attempt
                    && matches!(entry.line.entry, LedgerEntry::Intent { .. })
            })
        };
        let touched = self.of_action(row.order.action(), row.service);
        let touched = touched.filter(|stored| stored.job.record.executed() != Executed::No);
        let last = touched.max_by_key(|stored| intent(stored))?;
        let record = &last.job.record;
        Some(LastSubmission {
            batch: last.batch,
            state: record.state,
            executed: record.executed(),
            intent_ms: record.intent_ms.unwrap_or(0),
            is_same_image: last.job.order.image() == row.order.image(),
            set_back: None,
        })
    }

    /// What the past of their services leaves of `rows`.
    pub(super) fn sift<E: Error + 'static>(
        &self,
        order: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
    ) -> Result<(Vec<NewJob>, Preview), EnqueueError<E>> {
        if let Some(conflict) = self.other_provider(order) {
            return Err(EnqueueError::Conflict(conflict));
        }
        let mut rows = all(rows)?;
        let mut sieve = Sieve::new(order.action, policy);
        for row in &rows {
            let live = self.of_service(row.service);
            for live in live.filter(|stored| !stored.job.record.state.is_final()) {
                sieve.live(Live {
                    service: row.service,
                    batch: live.batch,
                    is_held: live.job.record.held,
                });
            }
            let Some(last) = self.last_submission(row) else {
                continue;
            };
            if sieve.due().is_some() {
                sieve.submitted(row.service, &last);
            }
            if sieve.asks_ended() {
                let mut past = self.of_action(order.action, row.service);
                let done = past.any(|stored| {
                    stored.job.record.state == State::Done
                        && stored.job.order.image() == row.order.image()
                });
                sieve.ended(row.service, &last, done);
            }
        }
        sieve.keep(&mut rows);
        let preview = Preview {
            queued: rows.len() as u64,
            left_out: sieve.conclude().map_err(EnqueueError::Conflict)?,
        };
        Ok((rows, preview))
    }
}
