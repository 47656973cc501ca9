//! Which rows of an order become jobs, by what their services have been through. Pure: a store reads
//! the facts, and these rules are the same for every store.

use std::collections::HashSet;

use super::order::{Conflict, DonePolicy, Due, EnqueuePolicy, LeftOut, Live, Touched, Undatable};
use crate::job::{Action, BatchId, Executed, NewJob, ServiceId, State};
use crate::time;

/// How many conflicting services are remembered by name.
const CONFLICTS_MAX: usize = 100_000;

/// A clock that went back, by the ledger's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SetBack {
    /// The latest date before, as Unix time.
    pub from_ms: i64,
    /// The first one after, as Unix time.
    pub to_ms: i64,
}

/// A service's last submission of the action that is ordered, among those that may have touched it. Which one was the last, the
/// ledger's order says and no clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastSubmission {
    /// What it was submitted for.
    pub batch: BatchId,
    /// Where that job stands.
    pub state: State,
    /// Whether it touched the instance.
    pub executed: Executed,
    /// Its date, as Unix time.
    pub intent_ms: i64,
    /// It asked for the image that the row asks for.
    pub is_same_image: bool,
    /// The clock had gone back before it.
    pub set_back: Option<SetBack>,
}

/// Takes the rows out of an order that the past of their services forbids or makes needless.
///
/// A store hands in the facts of a set of rows in this order, since each rule leaves alone what an
/// earlier one has settled: [`Self::live`], [`Self::submitted`] where [`Self::due`] asks for it,
/// [`Self::ended`] where [`Self::asks_ended`] does. Then it asks which rows [`Self::keep`] leaves.
#[derive(Debug)]
pub(super) struct Sieve {
    policy: EnqueuePolicy,
    /// Services of the present set of rows that do not become jobs.
    settled: HashSet<ServiceId>,
    live: Vec<Live>,
    touched: Vec<Touched>,
    future: Vec<(ServiceId, i64)>,
    undatable: Vec<Undatable>,
    left_out: LeftOut,
}

impl Sieve {
    /// Of an order of `action`: where that does no harm if it is done twice, only what the operator
    /// wants to leave out is left out.
    pub fn new(action: Action, policy: EnqueuePolicy) -> Self {
        let is_repeatable = action.is_repeatable();
        let done = match policy.done {
            DonePolicy::Refuse if is_repeatable => DonePolicy::Again,
            done => done,
        };
        Self {
            policy: EnqueuePolicy {
                done,
                touched: policy.touched || is_repeatable,
                ..policy
            },
            settled: HashSet::new(),
            live: Vec::new(),
            touched: Vec::new(),
            future: Vec::new(),
            undatable: Vec::new(),
            left_out: LeftOut::default(),
        }
    }

    /// Set where [`Self::submitted`] is to be told of submissions that may not be due again.
    pub fn due(&self) -> Option<Due> {
        self.policy.due
    }

    /// [`Self::ended`] is to be told of the last submissions.
    pub fn asks_ended(&self) -> bool {
        self.policy.done != DonePolicy::Again || !self.policy.touched
    }

    /// A service has a live job in another batch.
    pub fn live(&mut self, live: Live) {
        self.settled.insert(live.service);
        if live.is_held && self.policy.leave_out_held {
            self.left_out.held.push((live.service, live.batch));
        } else if self.policy.beside != Some(live.batch) && self.live.len() < CONFLICTS_MAX {
            self.live.push(live);
        }
    }

    /// Of an order by the clock: when `service` was last submitted.
    pub fn submitted(&mut self, service: ServiceId, last: &LastSubmission) {
        let Some(due) = self.policy.due else { return };
        if self.settled.contains(&service) {
            return;
        }
        let at_least_ms = last
            .set_back
            .map_or(last.intent_ms, |it| it.from_ms.max(last.intent_ms));
        if last.intent_ms > due.now_ms + time::CLOCK_STEP_MS {
            if self.future.len() < CONFLICTS_MAX {
                self.future.push((service, last.intent_ms));
            }
        } else if at_least_ms > due.before_ms() {
            self.left_out.not_due.push(service);
            if !last.is_same_image {
                self.left_out.other_image.push(service);
            }
            if last.state == State::Failed {
                self.left_out.failed.push((service, last.batch));
            }
        } else if let Some(set_back) = last.set_back {
            if self.undatable.len() < CONFLICTS_MAX {
                self.undatable.push(Undatable {
                    service,
                    batch: last.batch,
                    dated_ms: last.intent_ms,
                    from_ms: set_back.from_ms,
                    to_ms: set_back.to_ms,
                });
            }
        } else {
            return;
        }
        self.settled.insert(service);
    }

    /// How the last submission of `service` ended. `has_image`: one of its submissions made it the
    /// image that the row asks for.
    pub fn ended(&mut self, service: ServiceId, last: &LastSubmission, has_image: bool) {
        if self.settled.contains(&service) {
            return;
        }
        if last.state != State::Done {
            if self.policy.touched {
                return;
            }
            if self.touched.len() < CONFLICTS_MAX {
                self.touched.push(Touched {
                    service,
                    batch: last.batch,
                    state: last.state,
                    executed: last.executed,
                });
            }
        } else if has_image && self.policy.done != DonePolicy::Again {
            self.left_out.done.push(service);
            if !last.is_same_image {
                self.left_out.replaced.push(service);
            }
        } else {
            return;
        }
        self.settled.insert(service);
    }

    /// Leaves in `rows`, the set whose facts were told, those that become jobs.
    pub fn keep(&mut self, rows: &mut Vec<NewJob>) {
        if !self.settled.is_empty() {
            rows.retain(|row| !self.settled.contains(&row.service));
            self.settled.clear();
        }
    }

    /// Once all rows are told: what was left out, or what forbids the order. What is live comes
    /// first, since until that has ended nobody can tell the rest.
    pub fn conclude(self) -> Result<LeftOut, Conflict> {
        let already_done = match self.policy.done {
            DonePolicy::Refuse => self.left_out.done.len() as u64,
            DonePolicy::Skip | DonePolicy::Again => 0,
        };
        if !self.live.is_empty() {
            Err(Conflict::Live(self.live))
        } else if !self.future.is_empty() {
            Err(Conflict::Future(self.future))
        } else if !self.undatable.is_empty() {
            Err(Conflict::Undatable(self.undatable))
        } else if !self.touched.is_empty() {
            Err(Conflict::Touched {
                touched: self.touched,
                already_done,
            })
        } else if already_done > 0 {
            Err(Conflict::AlreadyDone(already_done))
        } else {
            Ok(self.left_out)
        }
    }
}

impl Due {
    /// What was submitted before is due, as Unix time.
    pub(super) fn before_ms(self) -> i64 {
        let every_ms = i64::try_from(self.every.as_millis()).unwrap_or(i64::MAX);
        self.now_ms.saturating_sub(every_ms)
    }
}
