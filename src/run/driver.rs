//! The one loop of a run: does what the machine says, and decides nothing.
//!
//! It is generic over what is outside, so that the binary, the tests' world and the bench all drive
//! the machine in the same way.

use std::time::Instant;

use super::Now;
use super::machine::{Answer, Call, Input, Machine, Next, Output, Question, StoreFault};
use crate::event::Event;
use crate::job::BatchId;
use crate::queue::{Lease, Store, StoreError};

/// Everything around a machine: the store, the API, the clock, and who listens.
pub trait Outside {
    /// Where jobs and their ledger are kept.
    type Store: Store;

    /// The store.
    fn store(&mut self) -> &mut Self::Store;

    /// The time.
    fn now(&self) -> Now;

    /// Tells those who listen.
    fn tell(&mut self, event: Event);

    /// Begins to make `call`; how it ends is told by [`Outside::next`].
    fn call(&mut self, call: Call);

    /// Waits until calls have ended or a signal comes, and no longer than until `until`.
    fn next(&mut self, until: Instant) -> impl Future<Output = Input>;

    /// Steps are about to be committed: what is submitted next rests on that.
    fn committing(&mut self) {}

    /// The right to work on the batch was lost meanwhile, though no write has met that yet.
    fn evicted(&mut self) -> Option<StoreError> {
        None
    }
}

/// Goes on from `input` until the run is over. Returns the store's fault, if that ended it.
pub async fn drive<O: Outside>(
    machine: &mut Machine,
    outside: &mut O,
    lease: &Lease,
    mut input: Input,
) -> Option<StoreError> {
    let mut fault = None;
    while let Some(until) = turn(machine, outside, lease, input, &mut fault).await {
        let evicted = outside.evicted().filter(|_| !machine.lost_its_store());
        input = match evicted {
            Some(error) => Input::Evicted(known(&mut fault, error)),
            None => outside.next(until).await,
        };
    }
    fault.filter(|_| machine.lost_its_store())
}

/// One turn: hands `input` to the machine and does what it says, until it waits. Returns until when;
/// `None`: the run is over. `fault` is the store's last one.
pub async fn turn<O: Outside>(
    machine: &mut Machine,
    outside: &mut O,
    lease: &Lease,
    mut input: Input,
    fault: &mut Option<StoreError>,
) -> Option<Instant> {
    loop {
        let now = outside.now();
        let Output {
            events,
            calls,
            next,
        } = machine.handle(input, now);
        for event in events {
            outside.tell(event);
        }
        for call in calls {
            outside.call(call);
        }
        let is_lost = machine.lost_its_store();
        // The one that ends the run is told in the end, and none that comes after it.
        let mut after = None;
        let mut why = |error| known(if is_lost { &mut after } else { fault }, error);
        input = match next {
            Next::Ask(question) => {
                let answer = ask(outside.store(), lease.batch(), question).await;
                Input::Answered(answer.map_err(&mut why))
            }
            Next::Record(steps) => {
                crate::failpoint!("outcome_taken");
                outside.committing();
                let transitions: Vec<_> = steps.iter().map(|step| &step.transition).collect();
                let store = outside.store();
                let recorded = store.record(lease, &transitions).await;
                Input::Recorded(steps, recorded.map_err(&mut why))
            }
            Next::Wait(until) => return Some(until),
            Next::Over => return None,
        };
    }
}

/// What the machine is told of `error`, which becomes the last one.
fn known(last: &mut Option<StoreError>, error: StoreError) -> StoreFault {
    let fault = StoreFault {
        is_busy: matches!(error, StoreError::Busy),
        message: error.to_string(),
    };
    *last = Some(error);
    fault
}

async fn ask(
    store: &mut impl Store,
    batch: BatchId,
    question: Question,
) -> Result<Answer, StoreError> {
    Ok(match question {
        Question::Control { after } => Answer::Control(store.control(batch, after).await?),
        Question::Failures => Answer::Failures(store.failures(batch).await?),
        Question::Queued { after, limit } => {
            Answer::Queued(store.queued(batch, after, limit).await?)
        }
        Question::QueuedJobs(jobs) => Answer::QueuedJobs(store.queued_jobs(&jobs).await?),
        Question::Bind(owner) => Answer::Bound(store.bind(batch, &owner).await?),
        Question::Rollout(canaries) => Answer::Rollout(store.rollout(batch, canaries).await?),
        Question::Strays => Answer::Strays(store.strays(batch).await?),
        Question::Ready {
            until_ms,
            limit,
            admission,
        } => Answer::Ready(store.ready(batch, until_ms, limit, &admission).await?),
        Question::Counts => Answer::Counts(store.counts(batch).await?),
        Question::HasQueued => Answer::HasQueued(store.has_queued(batch).await?),
    })
}
