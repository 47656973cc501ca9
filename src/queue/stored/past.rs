//! What was read of services that are ordered anew, on its way into the sieve of [`crate::queue::past`].

use super::clock::SetBacks;
use super::decode::{from_json, json, service_id};
use crate::job::{Action, BatchId, Executed, ImageId, NewJob, RunId, ServiceId, State};
use crate::queue::past::{LastSubmission, Sieve};
use crate::queue::{Conflict, Due, EnqueuePolicy, LeftOut, Live, StoreError};

/// A service's last submission, as a backend gives it.
#[derive(serde::Deserialize)]
struct StoredSubmission {
    batch: i64,
    state: State,
    executed: Executed,
    intent_ms: i64,
    /// 1: it asked for the same image.
    same_image: u8,
    /// The run that submitted it, and the intent's number in the ledger.
    run: Option<i64>,
    seq: Option<i64>,
}

/// What the services of an order have been through, read set by set. A job of any action that is live is
/// in the way of every order; what has ended is the past of its own action alone.
pub struct Past {
    /// What is ordered.
    pub action: Action,
    sieve: Sieve,
    /// Other batches exist, so that services may have a past.
    exists: bool,
    /// Under [`EnqueuePolicy::due`]: the batches that hold a recent submission, as JSON.
    pub recent: String,
    /// Under [`EnqueuePolicy::due`]: the runs whose clock had gone back.
    set_back: SetBacks,
}

impl Past {
    /// Of an order of `action`. `exists`: there are other batches.
    pub fn new(action: Action, policy: EnqueuePolicy, exists: bool) -> Self {
        Self {
            action,
            sieve: Sieve::new(action, policy),
            exists,
            recent: String::new(),
            set_back: SetBacks::default(),
        }
    }

    /// Of an order by the clock: the batches that hold a recent submission, as JSON, and which runs'
    /// clock had gone back.
    pub fn dated(self, recent: String, set_back: SetBacks) -> Self {
        Self {
            recent,
            set_back,
            ..self
        }
    }

    /// The services of `rows` and the images that they ask for, as JSON, if they may have a past.
    pub fn pairs(&self, rows: &[NewJob]) -> Option<String> {
        let pair = |row: &NewJob| (row.service, row.order.image());
        let pairs = || -> Vec<(ServiceId, Option<ImageId>)> { rows.iter().map(pair).collect() };
        (self.exists && !rows.is_empty()).then(|| json(&pairs()))
    }

    /// Set where [`Self::submitted`] is to be told.
    pub fn due(&self) -> Option<Due> {
        self.sieve.due()
    }

    /// [`Self::ended`] is to be told.
    pub fn asks_ended(&self) -> bool {
        self.sieve.asks_ended()
    }

    /// Services that are live in another batch: service, batch, whether held.
    pub fn live(&mut self, rows: Vec<(i64, i64, bool)>) -> Result<(), StoreError> {
        for (service, batch, is_held) in rows {
            self.sieve.live(Live {
                service: service_id(service)?,
                batch: BatchId(batch),
                is_held,
            });
        }
        Ok(())
    }

    /// Services and their last submission.
    pub fn submitted(&mut self, rows: Vec<(i64, String)>) -> Result<(), StoreError> {
        for (service, last) in rows {
            let last = self.last_submission(&last)?;
            self.sieve.submitted(service_id(service)?, &last);
        }
        Ok(())
    }

    /// Services, their last submission, and whether one made it the image that is asked for.
    pub fn ended(&mut self, rows: Vec<(i64, String, bool)>) -> Result<(), StoreError> {
        for (service, last, has_image) in rows {
            let last = self.last_submission(&last)?;
            self.sieve.ended(service_id(service)?, &last, has_image);
        }
        Ok(())
    }

    /// Leaves in `rows`, whose past was told, those that become jobs.
    pub fn keep(&mut self, rows: &mut Vec<NewJob>) {
        self.sieve.keep(rows);
    }

    /// What was left out, or what forbids the order.
    pub fn conclude(self) -> Result<LeftOut, Conflict> {
        self.sieve.conclude()
    }

    fn last_submission(&self, text: &str) -> Result<LastSubmission, StoreError> {
        let stored: StoredSubmission = from_json(text, "a service's last submission")?;
        let set_back = stored
            .run
            .zip(stored.seq)
            .and_then(|(run, seq)| self.set_back.before(RunId(run), seq));
        Ok(LastSubmission {
            batch: BatchId(stored.batch),
            state: stored.state,
            executed: stored.executed,
            intent_ms: stored.intent_ms,
            is_same_image: stored.same_image != 0,
            set_back,
        })
    }
}
