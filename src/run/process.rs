//! A run in this process: the real clock, the real API, the queue that was opened.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep_until;

use super::driver::{Outside, drive};
use super::hosts::{BootTime, Permit, Trust};
use super::machine::{Call, Finished, Input, LeftInFlight, Machine, Start};
use super::session::Session;
use super::worker::perform;
use super::{Durations, Halt, InstanceList, Now, Options, Signal};
use crate::event::Event;
use crate::job::{BatchId, Control, Counts, Owner, State, Transition};
use crate::queue::{Lease, Queue, Store, StoreError};
use crate::zomro::{Client, Gate};

/// So often a run looks whether it still has its lease.
const LOOK_AT_LEASE: Duration = Duration::from_secs(1);

/// What a run works with.
pub struct Setup<'a> {
    /// The queue; the caller holds its lock.
    pub queue: &'a mut Queue,
    /// The API.
    pub client: Client,
    /// The right to work, and on what.
    pub lease: &'a Lease,
    /// Whose the batch is; `None`: nobody's so far.
    pub owner: Option<Owner>,
    /// The options.
    pub options: Options,
    /// What was read of the account's list already.
    pub list: InstanceList,
    /// How long it took to rebuild with the ordered images before.
    pub durations: Durations,
    /// The lease, where it has to be renewed; `None`: it ends with the process.
    pub trust: Option<Trust>,
    /// Where events go.
    pub events: &'a (dyn Fn(Event) + Send + Sync),
    /// Who wants to know that the loop comes round.
    pub pulse: Option<Pulse<'a>>,
}

/// Somebody who wants to know that the loop comes round.
#[derive(Clone, Copy)]
pub struct Pulse<'a> {
    /// At least this often, though nothing happens.
    pub every: Duration,
    /// Told each time.
    pub beat: &'a (dyn Fn() + Send + Sync),
}

/// The signals that arrive while a run works: the first asks it to stop, the second ends it.
pub type Signals = mpsc::UnboundedReceiver<Signal>;

/// How a run ended.
#[derive(Debug)]
pub struct Ending {
    /// Where the batch stands.
    pub counts: Counts,
    /// Why it ended before the batch, if it did.
    pub halt: Option<Halt>,
    /// The signal that stopped it.
    pub signal: Option<Signal>,
    /// The queue's fault that stopped it.
    pub storage: Option<StoreError>,
    /// What it has learned, and the queue has not taken.
    pub unwritten: Vec<Transition>,
    /// What this process took.
    pub elapsed: Duration,
    /// The database.
    pub database: PathBuf,
}

/// Works until every job of the batch has ended, or the run has to stop.
pub async fn run(setup: Setup<'_>, signals: &mut Signals) -> Result<Ending, StoreError> {
    let started = Now::read();
    let Setup {
        queue,
        client,
        lease,
        owner,
        options,
        list,
        durations,
        trust,
        events,
        pulse,
    } = setup;
    // A run that does not wait takes over only what it may have to call a doubt.
    let states: &[State] = if options.no_wait {
        &[State::Submitting]
    } else {
        &[State::Submitting, State::InProgress, State::InDoubt]
    };
    let mut control = Control::of(Some(lease.run()));
    control.hear_all(&queue.control(lease.batch(), 0).await?);
    let start = Start {
        counts: queue.counts(lease.batch()).await?,
        owner,
        session: Session::new(client.can_login(), client.generation(), started.at)
            .confirmed_by_code(client.can_confirm()),
        list,
        in_flight: LeftInFlight {
            jobs: Store::in_flight(queue, lease.batch(), states).await?,
            senders: queue.senders(lease.batch()).await?,
        },
        failures: queue.failures(lease.batch()).await?,
        durations,
        control,
        seed: fastrand::u64(..),
        options,
    };
    let mut machine = Machine::new(start, started);
    let mut process = Process::new(queue, client, Some(signals), events);
    let batch = lease.batch();
    process.pulse = pulse;
    process.leased = trust.map(|trust| Leased { batch, trust });
    let storage = drive(&mut machine, &mut process, lease, Input::Time).await;
    drop(process);
    let counts = match (queue.counts(lease.batch()).await, &storage) {
        (Ok(counts), _) => counts,
        // What is known of them must not keep from the operator why it ended.
        (Err(_), Some(_)) => machine.counts(),
        (Err(error), None) => return Err(error),
    };
    Ok(Ending {
        counts,
        unwritten: machine.unwritten().cloned().collect(),
        halt: machine.halt().cloned(),
        signal: machine.signal(),
        storage,
        elapsed: started.at.elapsed(),
        database: queue.shown(),
    })
}

/// The real clock and the real API around a machine, and a store.
pub(super) struct Process<'a, S> {
    store: &'a mut S,
    client: Client,
    calls: JoinSet<Finished>,
    /// `None`: nobody can send one any more.
    signals: Option<&'a mut Signals>,
    events: &'a (dyn Fn(Event) + Send + Sync),
    /// The lease, where it has to be renewed.
    leased: Option<Leased>,
    /// The last commit was begun then.
    commit_began: BootTime,
    pulse: Option<Pulse<'a>>,
}

/// A lease that has to be renewed.
struct Leased {
    batch: BatchId,
    trust: Trust,
}

impl<'a, S> Process<'a, S> {
    pub(super) fn new(
        store: &'a mut S,
        client: Client,
        signals: Option<&'a mut Signals>,
        events: &'a (dyn Fn(Event) + Send + Sync),
    ) -> Self {
        Self {
            store,
            client,
            calls: JoinSet::new(),
            signals,
            events,
            leased: None,
            commit_began: BootTime::now(),
            pulse: None,
        }
    }
}

impl<S: Store> Outside for Process<'_, S> {
    type Store = S;

    fn store(&mut self) -> &mut S {
        self.store
    }

    fn now(&self) -> Now {
        Now::read()
    }

    fn tell(&mut self, event: Event) {
        (self.events)(event);
    }

    fn call(&mut self, call: Call) {
        let gate = self.leased.as_ref().map(|leased| {
            let permit = Permit::leased(self.commit_began, leased.trust.clone());
            let ask = move || permit.allows(BootTime::now());
            Arc::new(move || ask().map_err(|refusal| refusal.to_string())) as Gate
        });
        self.calls.spawn(perform(self.client.clone(), call, gate));
    }

    fn committing(&mut self) {
        self.commit_began = BootTime::now();
    }

    fn evicted(&mut self) -> Option<StoreError> {
        let Leased { batch, trust } = self.leased.as_ref()?;
        if trust.holds(BootTime::now()) {
            return None;
        }
        Some(if trust.is_lost() {
            StoreError::LeaseLost { batch: *batch }
        } else {
            StoreError::away("the lease of the account could not be renewed in time".to_owned())
        })
    }

    async fn next(&mut self, until: Instant) -> Input {
        // A lease may be lost while nothing else happens.
        let until = match &self.leased {
            Some(_) => until.min(Instant::now() + LOOK_AT_LEASE),
            None => until,
        };
        let until = match &self.pulse {
            Some(Pulse { every, beat }) => {
                beat();
                until.min(Instant::now() + *every)
            }
            None => until,
        };
        let signal = async {
            match &mut self.signals {
                Some(signals) => signals.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(finished) = self.calls.join_next() => {
                let mut ended = vec![joined(finished)];
                while let Some(finished) = self.calls.try_join_next() {
                    ended.push(joined(finished));
                }
                Input::Finished(ended)
            }
            signal = signal => {
                if signal.is_none() {
                    self.signals = None;
                }
                signal.map_or(Input::Time, Input::Signal)
            },
            () = sleep_until(until.into()) => Input::Time,
        }
    }
}

/// A worker that panicked has a bug; its submission's outcome is unknown, and a restart will say so.
fn joined(result: Result<Finished, JoinError>) -> Finished {
    match result {
        Ok(finished) => finished,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
