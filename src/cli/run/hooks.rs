//! The hooks of a run, which are carried out beside it and waited for after it.

use std::time::Duration;

use tokio::sync::mpsc::error::SendError;
use tokio::sync::{Notify, mpsc, watch};

use super::context::Invocation;
use crate::cli::error::CliError;
use crate::cli::hooks::carry_out;
use crate::cli::output::tell_prose;
use crate::cli::systemd::Rounds;
use crate::hook::{Asked, Phase, Pool, Settings};
use crate::job::BatchId;
use crate::progress::Verbosity;
use crate::queue::{Backend as _, Overview as _, Queue};
use crate::run::{Signal, Signals};

/// What it takes to carry out hooks beside a run.
pub struct Hooks {
    settings: Settings,
    queue: Queue,
    batch: BatchId,
    /// For how long after a success the run looks for the new host key.
    keys_take: Duration,
}

impl Hooks {
    /// Those of `batch`, by `settings`; `None`: it has none.
    pub async fn of(
        queue: &Queue,
        batch: BatchId,
        settings: Option<Settings>,
        keys_take: Duration,
    ) -> Result<Option<Self>, CliError> {
        Ok(match settings {
            None => None,
            Some(settings) => Some(Self {
                settings,
                queue: queue.another().await?,
                batch,
                keys_take,
            }),
        })
    }

    /// Carries out what is there, in the phase that is set, and says what went wrong.
    async fn carry_out(mut self, phases: watch::Receiver<Phase>, tell: &(dyn Fn(String) + Sync)) {
        let (batch, settings) = (self.batch, self.settings);
        let keys_take = self.keys_take;
        let asked = Asked::Pending { keys_take };
        let pool = Pool::new(&mut self.queue, batch, settings, asked, tell);
        if let Err(error) = pool.work(phases).await {
            tell(format!("hooks are carried out no more: {error}"));
        }
        // Erased passwords leave the log with the run's own end at the latest.
        let _ = self.queue.close().await;
    }
}

/// Carries out what an earlier run has left of the hooks of `batch`, which has ended.
pub async fn left_behind(
    invocation: &Invocation<'_>,
    queue: &mut Queue,
    batch: BatchId,
    signals: &mut Signals,
) -> Result<(), CliError> {
    let pending = queue.hook_counts(batch).await?.pending;
    let recorded = queue.options(batch).await?;
    let Invocation { global, args, .. } = invocation;
    let settings = args.hooks.settings(&global.configured, recorded.as_ref());
    let Some(settings) = settings.filter(|_| pending > 0) else {
        return Ok(());
    };
    let tell = |message: String| tell_prose(&format!("{message}\n"));
    // No run looks for keys any more.
    let keys_take = Duration::ZERO;
    let work = (settings, Asked::Pending { keys_take });
    let (outcome, _) = carry_out(queue, batch, work, &tell, signals).await?;
    let (done, failed) = (outcome.done, outcome.failed);
    if global.verbosity() != Verbosity::Quiet || failed > 0 {
        tell_prose(&format!(
            "hooks that batch {batch} had left: {done} ended well, {failed} failed\n"
        ));
    }
    Ok(())
}

/// Lets `run` work, and the hooks beside it; when it has ended, and `is_sound` of that, what still waits of them is
/// carried out: where the queue was lost, or is another one by now, nobody knows what was started before. A
/// first signal starts no more of them, a second one ends those that were started.
pub async fn beside<T>(
    hooks: Option<Hooks>,
    tell: &(dyn Fn(String) + Sync),
    rounds: &Rounds,
    signals: &mut Signals,
    run: impl AsyncFnOnce(&mut Signals) -> T,
    is_sound: impl Fn(&T) -> bool,
) -> T {
    let Some(hooks) = hooks else {
        return run(signals).await;
    };
    let (phase, phases) = watch::channel(Phase::Work);
    let (sender, mut forwarded) = mpsc::unbounded_channel();
    let run_ended = Notify::new();
    let run = async {
        let ended = run(&mut forwarded).await;
        run_ended.notify_one();
        phase.send_if_modified(|phase| {
            let works = *phase == Phase::Work;
            if works {
                *phase = if is_sound(&ended) {
                    Phase::Finish
                } else {
                    Phase::Stop
                };
            }
            works
        });
        ended
    };
    let both = async { tokio::join!(run, hooks.carry_out(phases, tell)).0 };
    let mut both = std::pin::pin!(both);
    // The run comes round by itself, and what follows it does not.
    let after = async {
        run_ended.notified().await;
        rounds.keep_coming().await;
    };
    let mut after = std::pin::pin!(after);
    let mut signalled = Phase::Stop;
    loop {
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => {
                phase.send_replace(signalled);
                signalled = Phase::Kill;
                // The run may be over.
                let _: Result<(), SendError<Signal>> = sender.send(signal);
            }
            ended = &mut both => return ended,
            () = &mut after => {}
        }
    }
}
