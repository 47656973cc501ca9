//! The shell of a run: one loop that owns the queue. It does all I/O and decides nothing.
//!
//! Each turn hands the finished calls to the machine, asks the queue for due jobs if the machine wants
//! some, commits the machine's entries in one transaction, and only then makes the calls that rest on
//! them. After the first commit that fails nothing is sent any more: what is still on the wire is
//! waited for, and its outcomes are written as soon as the database lets them.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::machine::{Call, Finished, Machine, Step};
use super::session::Session;
use super::{Ending, InstanceList, Now, Options, Signal};
use crate::event::{Event, JobEvent};
use crate::job::{BatchId, Counts, JobId, LedgerEntry, RunId, State};
use crate::queue::{Queue, QueueError};
use crate::zomro::Client;
use crate::{text, time};

/// How long another program may hold the database before the run gives up.
const BUSY_MAX: Duration = Duration::from_mins(2);

/// The pause before a database that did not answer is tried again.
const HINDERED: Duration = Duration::from_millis(500);

/// How often the queue is asked whether other commands have moved jobs of this batch.
const RECOUNT: Duration = Duration::from_secs(1);

/// What a run works with.
pub struct Setup<'a> {
    /// The queue; the caller holds its lock.
    pub queue: &'a mut Queue,
    /// The API.
    pub client: Client,
    /// What to work on.
    pub batch: BatchId,
    /// This process, in the records.
    pub run: RunId,
    /// The options.
    pub options: Options,
    /// What was read of the account's list already.
    pub list: InstanceList,
    /// Where events go.
    pub events: &'a (dyn Fn(Event) + Send + Sync),
}

/// The signals that arrive while a run works: the first asks it to stop, the second ends it.
pub type Signals = mpsc::UnboundedReceiver<Signal>;

/// Works until every job of the batch has ended, or the run has to stop.
pub async fn run(setup: Setup<'_>, signals: &mut Signals) -> Result<Ending, QueueError> {
    let started = Now::read();
    let Setup {
        queue,
        client,
        batch,
        run,
        options,
        list,
        events,
    } = setup;
    let counts = batch_counts(queue, batch).await?;
    let jobs = counts.total();
    let waits = !options.no_wait;
    let session = Session::new(client.can_login(), client.generation(), started.at);
    let core = Machine::new(options, jobs, session, list, fastrand::u64(..), started);
    let mut shell = Shell {
        queue,
        client,
        batch,
        run,
        core,
        calls: JoinSet::new(),
        events,
        unwritten: Vec::new(),
        busy_since: None,
        storage: None,
        counts,
        recount_at: Instant::now() + RECOUNT,
    };
    // A run that does not wait takes over only what it may have to call a doubt.
    let states: &[State] = if waits {
        &[State::Submitting, State::Rebuilding, State::InDoubt]
    } else {
        &[State::Submitting]
    };
    let in_flight = shell.queue.in_flight(batch, states).await?;
    let harm = shell.queue.harm(batch).await?;
    shell.core.recover(in_flight, &harm, started);
    let stopped_hard = shell.work(signals).await;
    shell.calls.abort_all();
    let (signal, halt) = (
        shell.core.signal().or(stopped_hard),
        shell.core.halt().cloned(),
    );
    let storage = shell.storage.take();
    let counts = batch_counts(queue, batch).await?;
    Ok(Ending {
        counts,
        halt,
        signal,
        storage,
        elapsed: Now::read().at.saturating_duration_since(started.at),
        database: queue.path().to_owned(),
    })
}

async fn batch_counts(queue: &mut Queue, batch: BatchId) -> Result<Counts, QueueError> {
    let batches = queue.batches().await?;
    Ok(batches
        .iter()
        .find(|known| known.id == batch)
        .map(|known| known.counts)
        .unwrap_or_default())
}

struct Shell<'a> {
    queue: &'a mut Queue,
    client: Client,
    batch: BatchId,
    run: RunId,
    core: Machine,
    calls: JoinSet<Finished>,
    events: &'a (dyn Fn(Event) + Send + Sync),
    /// Steps whose commit failed: whether they were written is unknown. To write them again is safe.
    unwritten: Vec<Step>,
    busy_since: Option<Instant>,
    storage: Option<QueueError>,
    /// Where the batch stands by what this run has written and read.
    counts: Counts,
    recount_at: Instant,
}

impl Shell<'_> {
    /// The loop. Returns the second signal, if that ended it.
    async fn work(&mut self, signals: &mut Signals) -> Option<Signal> {
        let mut first_signal = None;
        let mut signals_open = true;
        loop {
            while let Some(finished) = self.calls.try_join_next() {
                self.core.finished(joined(finished), Now::read());
            }
            let mut is_hindered = false;
            if let Err(error) = self.supply().await {
                self.fail(error);
                is_hindered = true;
            }
            crate::failpoint!("outcome_taken");
            let now = Now::read();
            let tick = self.core.tick(now);
            for event in self.core.take_events() {
                (self.events)(event);
            }
            let conflicts = self.commit(tick.steps).await;
            self.recount().await;
            for call in tick.calls {
                self.make(call, conflicts.as_ref());
            }
            if self.is_over() {
                match self.was_given_more().await {
                    Ok(false) => return None,
                    Ok(true) => continue,
                    Err(error) => {
                        self.fail(error);
                        is_hindered = true;
                    }
                }
            }
            // Before the queue is tried again, signals and answers have their turn.
            let wake_at = if is_hindered || !self.unwritten.is_empty() {
                Instant::now() + HINDERED
            } else {
                self.busy_since = None;
                if self.storage.is_none() && self.core.asks_the_queue(Now::read()) {
                    continue;
                }
                Instant::from_std(self.core.wake_at(now.at))
            };
            tokio::select! {
                Some(finished) = self.calls.join_next() => self.core.finished(joined(finished), Now::read()),
                signal = signals.recv(), if signals_open => match signal {
                    Some(signal) if first_signal.is_some() => return Some(signal),
                    Some(signal) => {
                        first_signal = Some(signal);
                        self.core.stop(signal);
                    }
                    None => signals_open = false,
                },
                () = sleep_until(wake_at) => {}
            }
        }
    }

    fn is_over(&self) -> bool {
        if self.storage.is_some() {
            // Nothing is sent any more; what was on the wire has been waited for, and written
            // again as far as the database lets it.
            return self.core.submissions_out() == 0;
        }
        self.core.is_over() && self.unwritten.is_empty()
    }

    /// An operator beside the run may have put jobs back since the queue was asked last: then the
    /// run is not over.
    async fn was_given_more(&mut self) -> Result<bool, QueueError> {
        if self.storage.is_some() || self.core.is_ending() {
            return Ok(false);
        }
        let more = self.queue.has_queued(self.batch).await?;
        if more {
            self.core.look_again();
        }
        Ok(more)
    }

    /// Hands the machine the jobs it wants, and what else it asks of the queue.
    async fn supply(&mut self) -> Result<(), QueueError> {
        if self.storage.is_some() || !self.unwritten.is_empty() {
            return Ok(());
        }
        let now = Now::read();
        if self.core.wants_harm(now) {
            let harm = self.queue.harm(self.batch).await?;
            self.core.bears(&harm, now);
        }
        if self.core.wants_order() {
            let queued = self.queue.queued_services(self.batch).await?;
            let missing = self.core.check_order(&queued);
            let missing = self.queue.queued_jobs(&missing).await?;
            self.core.leave_out(missing, now);
        }
        let Some((limit, until_ms)) = self.core.wants_jobs(now) else {
            return Ok(());
        };
        let jobs = self.queue.ready(self.batch, until_ms, limit).await?;
        let exhausted = jobs.len() < limit;
        let next_ready_ms = if exhausted {
            self.queue.next_ready_ms(self.batch, until_ms).await?
        } else {
            None
        };
        self.core.supplied(jobs, exhausted, next_ready_ms, now);
        Ok(())
    }

    /// Writes what could not be written before, and `steps`. Returns the jobs that somebody else
    /// had moved; `None`: not everything is written, and nothing that rests on it may be sent.
    async fn commit(&mut self, steps: Vec<Step>) -> Option<HashSet<JobId>> {
        let mut steps: Vec<Step> = self.unwritten.drain(..).chain(steps).collect();
        let transitions = steps.iter().map(|step| &step.transition);
        match self
            .queue
            .record(self.batch, Some(self.run), transitions)
            .await
        {
            Ok(conflicts) => {
                self.core.conflicts(&conflicts);
                steps.retain(|step| !conflicts.contains(&step.transition.job));
                for step in &steps {
                    count(&mut self.counts, step);
                    (self.events)(Event::Job(job_event(step)));
                }
                self.storage.is_none().then_some(conflicts)
            }
            Err(error) => {
                // An intent whose commit failed must not be sent, whatever the disk says of it
                // later: its job is given up here, and the next run finds it in doubt at worst.
                let unsent: HashSet<JobId> = steps
                    .iter()
                    .filter(|step| matches!(step.transition.entry, LedgerEntry::Intent { .. }))
                    .map(|step| step.transition.job)
                    .collect();
                self.core.conflicts(&unsent);
                steps.retain(|step| !unsent.contains(&step.transition.job));
                self.unwritten = steps;
                self.fail(error);
                None
            }
        }
    }

    /// Tells what other commands have done to the batch. Nothing rests on it but the display, so a
    /// database that cannot be read now is no fault yet.
    async fn recount(&mut self) {
        let now = Instant::now();
        if now < self.recount_at || self.storage.is_some() || !self.unwritten.is_empty() {
            return;
        }
        self.recount_at = now + RECOUNT;
        if let Ok(counts) = batch_counts(self.queue, self.batch).await
            && counts != self.counts
        {
            self.counts = counts;
            (self.events)(Event::Recounted { counts });
        }
    }

    fn fail(&mut self, error: QueueError) {
        if matches!(error, QueueError::Busy) && self.storage.is_none() {
            let since = *self.busy_since.get_or_insert_with(|| {
                (self.events)(Event::Warning {
                    message: "another program holds the database; nothing is sent until it lets go"
                        .to_owned(),
                });
                Instant::now()
            });
            if since.elapsed() < BUSY_MAX {
                return;
            }
        }
        if self.storage.is_none() {
            (self.events)(Event::Halting {
                reason: error.to_string(),
            });
            self.storage = Some(error);
        }
    }

    fn make(&mut self, call: Call, conflicts: Option<&HashSet<JobId>>) {
        if let Call::Submit(job, _) = &call
            && conflicts.is_none_or(|conflicts| conflicts.contains(job))
        {
            return;
        }
        let client = self.client.clone();
        self.calls.spawn(perform(client, call));
    }
}

/// A worker: makes one call.
async fn perform(client: Client, call: Call) -> Finished {
    match call {
        Call::Login => Finished::Login(client.login().await),
        Call::Keepalive => Finished::Keepalive(client.keepalive().await),
        Call::Whoami => Finished::Whoami(client.whoami().await),
        Call::Page(page) => Finished::Page(page, client.list_page(page).await),
        Call::Preview(image, service) => {
            Finished::Preview(image, service, client.preview(service).await)
        }
        Call::Submit(_, rebuild) => {
            crate::failpoint!("before_send");
            let submitted = client.submit(&rebuild).await;
            crate::failpoint!("after_answer");
            Finished::Submit(rebuild.service, Box::new(submitted))
        }
    }
}

/// A worker that panicked has a bug; its submission's outcome is unknown, and a restart will say so.
fn joined(result: Result<Finished, tokio::task::JoinError>) -> Finished {
    match result {
        Ok(finished) => finished,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// Moves the step's job from one state to the other in `counts`.
fn count(counts: &mut Counts, step: &Step) {
    let (from, to) = (&step.transition.from, &step.transition.to);
    let left = counts.of_mut(from.state);
    *left = left.saturating_sub(1);
    counts.held = counts.held.saturating_sub(u64::from(from.held));
    *counts.of_mut(to.state) += 1;
    counts.held += u64::from(to.held);
}

fn job_event(step: &Step) -> JobEvent {
    let Step {
        service,
        line,
        transition,
    } = step;
    let to = &transition.to;
    let failure = transition.entry.failure();
    let rebuild = match (&transition.entry, to.submitted_ms) {
        (LedgerEntry::Completed { .. }, Some(submitted_ms)) => {
            Some(time::between(submitted_ms, transition.at_ms))
        }
        _ => None,
    };
    let error = match &transition.entry {
        LedgerEntry::Held { reason } => Some(reason.as_str()),
        _ => failure.map(|failure| failure.error.as_str()),
    };
    let baseline = to.baseline.as_ref();
    JobEvent {
        service: *service,
        name: baseline.and_then(|baseline| baseline.name.clone()),
        ip: baseline.and_then(|baseline| baseline.ip.clone()),
        line: *line,
        attempt: to.attempt,
        kind: transition.entry.kind(),
        from: transition.from.state,
        to: to.state,
        executed: to.executed(),
        held: to.held,
        evidence: to.evidence,
        error_kind: failure.map(|failure| failure.error_kind.clone()),
        error: error.map(|error| text::brief(error, text::MESSAGE_CHARS_MAX)),
        rebuild,
    }
}
