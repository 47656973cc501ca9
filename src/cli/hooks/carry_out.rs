//! Hooks carried out by a process of their own.

use tokio::sync::watch;

use crate::hook::{Asked, Outcome, Phase, Pool, Settings};
use crate::job::BatchId;
use crate::queue::{Queue, StoreError};
use crate::run::{Signal, Signals};

/// Carries out those that are `asked` for, and no others. A first signal starts no more, a second one ends those
/// that were started.
pub async fn carry_out(
    queue: &mut Queue,
    batch: BatchId,
    (settings, asked): (Settings, Asked),
    tell: &(dyn Fn(String) + Sync),
    signals: &mut Signals,
) -> Result<(Outcome, Option<Signal>), StoreError> {
    let (phase, phases) = watch::channel(Phase::Finish);
    let pool = Pool::new(queue, batch, settings, asked, tell);
    let mut work = std::pin::pin!(pool.work(phases));
    let mut stopped_by = None;
    loop {
        tokio::select! {
            biased;
            Some(signal) = signals.recv() => {
                let next = if stopped_by.is_none() { Phase::Stop } else { Phase::Kill };
                phase.send_replace(next);
                stopped_by = Some(signal);
            }
            worked = &mut work => return Ok((worked?, stopped_by)),
        }
    }
}
