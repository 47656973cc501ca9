//! The hooks of a run, which are carried out beside it, and beside what follows it in the same process.
//!
//! Each order has a pool of its own, a task of the local set. A run that nothing follows waits for its pool, so that
//! its summary tells how the hooks have ended; another one leaves it at work, and the process waits for all of them
//! before it ends.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::watch;

use crate::cli::error::CliError;
use crate::cli::output::tell_prose;
use crate::cli::systemd::Rounds;
use crate::hook::{Asked, Phase, Pool, Settings};
use crate::job::BatchId;
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Queue};
use crate::run::{Signal, Signals};

/// What it takes to carry out the hooks of an order.
pub struct Hooks {
    settings: Settings,
    queue: Queue,
    batch: BatchId,
    /// For how long after a success the run looks for the new host key.
    keys_take: Duration,
    /// How to call refleet on this queue again.
    command: String,
    verbosity: Verbosity,
}

impl Hooks {
    /// Those of `batch`, by `settings`; `None`: it has none.
    pub async fn of(
        queue: &Queue,
        batch: BatchId,
        settings: Option<Settings>,
        keys_take: Duration,
        (command, verbosity): (String, Verbosity),
    ) -> Result<Option<Self>, CliError> {
        Ok(match settings {
            None => None,
            Some(settings) => Some(Self {
                settings,
                queue: queue.another().await?,
                batch,
                keys_take,
                command,
                verbosity,
            }),
        })
    }

    /// Carries out what is there, in the phase that is set. What goes wrong the run is told while it is at work, and
    /// the screen after that.
    async fn carry_out(mut self, phases: watch::Receiver<Phase>, run: UnboundedSender<String>) {
        let tell = |message| {
            if let Err(SendError(message)) = run.send(message) {
                tell_prose(&format!("{message}\n"));
            }
        };
        let (batch, settings) = (self.batch, self.settings);
        let keys_take = self.keys_take;
        let asked = Asked::Pending { keys_take };
        let pool = Pool::new(&mut self.queue, batch, settings, asked, &tell);
        // Its own end is that of the pool as others see it.
        if let Err(error) = pool.work(phases.clone()).await {
            tell(format!("hooks are carried out no more: {error}"));
        }
        // Its summary did not tell.
        if run.is_closed()
            && let Ok(counts) = self.queue.hook_counts(batch).await
        {
            match counts.words() {
                Some(words) => tell_prose(&format!(
                    "hooks of batch {batch}: {words}: `{} hooks --batch {batch}` says more\n",
                    self.command
                )),
                None if self.verbosity == Verbosity::Quiet => {}
                None => tell_prose(&format!("hooks of batch {batch}: all have ended well\n")),
            }
        }
        // Erased passwords leave the log with the run's own end at the latest.
        let _ = self.queue.close().await;
    }
}

/// The pools of a process, each of one order.
#[derive(Default)]
pub struct Pools(Mutex<Carrying>);

#[derive(Default)]
struct Carrying {
    /// A pool that has ended hears its phase no more.
    pools: Vec<(BatchId, watch::Sender<Phase>)>,
    /// How far those go that are still to come.
    phase: Option<Phase>,
}

impl Pools {
    /// Lets `hooks` be carried out beside a run that is about to begin.
    pub fn start(&self, hooks: Option<Hooks>) -> OfRun<'_> {
        let (told, said) = mpsc::unbounded_channel();
        let pool = hooks.map(|hooks| {
            let mut carrying = self.carrying();
            let (phase, phases) = watch::channel(carrying.phase.unwrap_or(Phase::Work));
            let (batch, phase) = (hooks.batch, phase);
            carrying.pools.retain(|(_, phase)| !phase.is_closed());
            carrying.pools.push((batch, phase.clone()));
            tokio::task::spawn_local(hooks.carry_out(phases, told));
            (batch, phase)
        });
        OfRun {
            pools: self,
            pool,
            said,
            next: Phase::Stop,
        }
    }

    /// Lets those of `hooks` that are there be carried out: no run looks after them any more.
    pub fn finish(&self, hooks: Hooks) {
        let OfRun { pool, .. } = self.start(Some(hooks));
        if let Some((_, of_pool)) = pool {
            limit(&of_pool, Phase::Finish);
        }
    }

    /// One of them carries out hooks of `batch`.
    pub fn work_for(&self, batch: BatchId) -> bool {
        let carrying = self.carrying();
        let mut pools = carrying.pools.iter();
        pools.any(|(of, phase)| *of == batch && !phase.is_closed())
    }

    /// All of them go so far at most, and those that are still to come.
    pub fn go_no_further_than(&self, phase: Phase) {
        let mut carrying = self.carrying();
        carrying.phase = carrying.phase.max(Some(phase));
        for (_, of_pool) in &carrying.pools {
            limit(of_pool, phase);
        }
    }

    /// None of them is at work.
    pub fn have_ended(&self) -> bool {
        self.carrying().pools.iter().all(|(_, it)| it.is_closed())
    }

    /// Until none of them is at work any more.
    pub async fn ended(&self) {
        loop {
            let phase = {
                let carrying = self.carrying();
                let at_work = carrying.pools.iter().find(|(_, it)| !it.is_closed());
                let Some((_, phase)) = at_work else {
                    return;
                };
                phase.clone()
            };
            phase.closed().await;
        }
    }

    fn carrying(&self) -> MutexGuard<'_, Carrying> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`ended`](Self::ended): a first signal starts no more hooks, a second one ends those that were started.
    pub async fn until_ended(&self, rounds: &Rounds, signals: &mut Signals) {
        let mut coming = pin!(rounds.keep_coming());
        let mut ended = pin!(self.ended());
        let mut next = Phase::Stop;
        loop {
            tokio::select! {
                biased;
                Some(_) = signals.recv() => {
                    self.go_no_further_than(next);
                    next = Phase::Kill;
                }
                () = &mut ended => return,
                () = &mut coming => {}
            }
        }
    }
}

fn limit(of_pool: &watch::Sender<Phase>, limit: Phase) {
    of_pool.send_if_modified(|phase| {
        let is_nearer = *phase < limit;
        if is_nearer {
            *phase = limit;
        }
        is_nearer
    });
}

/// A run, as the pools see it.
pub struct OfRun<'a> {
    pools: &'a Pools,
    /// Its own; `None`: its order has no hooks.
    pool: Option<(BatchId, watch::Sender<Phase>)>,
    /// What went wrong with its hooks.
    said: UnboundedReceiver<String>,
    /// What the next signal means.
    next: Phase,
}

impl OfRun<'_> {
    /// Lets `run` work, and the hooks beside it. A first signal starts no more of them, a second one ends those that
    /// were started.
    pub async fn beside<T>(
        &mut self,
        tell: &dyn Fn(String),
        signals: &mut Signals,
        run: impl AsyncFnOnce(&mut Signals) -> T,
    ) -> T {
        let (sender, mut forwarded) = mpsc::unbounded_channel();
        let mut run = pin!(run(&mut forwarded));
        loop {
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => {
                    self.heed_signal();
                    // The run may be over.
                    let _: Result<(), SendError<Signal>> = sender.send(signal);
                }
                Some(message) = self.said.recv() => tell(message),
                ended = &mut run => return ended,
            }
        }
    }

    /// The run has ended, and `is_sound` of that: what still waits of the hooks is carried out. Where the queue was
    /// lost, or is another one by now, nobody knows what was started before. All are waited for, unless something
    /// follows the run, `followed_on` this queue. Returns how many go on.
    pub async fn end(
        self,
        is_sound: bool,
        followed_on: Option<&mut Queue>,
        tell: &dyn Fn(String),
        rounds: &Rounds,
        signals: &mut Signals,
    ) -> u64 {
        if let Some((batch, of_pool)) = &self.pool {
            let phase = if is_sound { Phase::Finish } else { Phase::Stop };
            limit(of_pool, phase);
            if let Some(queue) = followed_on {
                let counts = queue.hook_counts(*batch).await;
                // What nobody can count is not waited for either.
                let going_on = counts.map_or(1, |counts| counts.pending + counts.started);
                if going_on > 0 {
                    self.leave(tell);
                    return going_on;
                }
            }
        }
        self.until_ended(tell, rounds, signals).await;
        0
    }

    /// The pool tells the screen from now on.
    fn leave(mut self, tell: &dyn Fn(String)) {
        self.said.close();
        while let Ok(message) = self.said.try_recv() {
            tell(message);
        }
    }

    async fn until_ended(mut self, tell: &dyn Fn(String), rounds: &Rounds, signals: &mut Signals) {
        let mut coming = pin!(rounds.keep_coming());
        loop {
            tokio::select! {
                biased;
                Some(_) = signals.recv() => self.heed_signal(),
                message = self.said.recv() => match message {
                    Some(message) => tell(message),
                    None => return,
                },
                () = &mut coming => {}
            }
        }
    }

    fn heed_signal(&mut self) {
        self.pools.go_no_further_than(self.next);
        self.next = Phase::Kill;
    }
}
