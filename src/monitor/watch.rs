//! What a run tells of itself.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;

use super::standing::{Previous, Run, Standing};
use crate::event::Event;
use crate::exit::Exit;
use crate::job::{Action, BatchId, Counts, RunId};
use crate::time;

/// Tells the monitors how it stands. Cheap to clone; telling never waits and never fails. Where there is no
/// monitor, nothing is kept.
#[derive(Clone, Default)]
pub struct Watch(pub(super) Option<Shared>);

/// What the herald is to do.
pub(super) enum Order {
    /// The work has begun.
    Begun,
    /// The process ends.
    End(Box<Ending>),
}

/// How the process ends.
pub(super) struct Ending {
    pub(super) exit: Exit,
    /// What a person was told, where it was not a summary.
    pub(super) said: String,
}

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) standing: Arc<Mutex<Standing>>,
    pub(super) orders: UnboundedSender<Order>,
}

impl Shared {
    /// What is known, also where whoever told it last has panicked.
    pub(super) fn standing(&self) -> MutexGuard<'_, Standing> {
        lock(&self.standing)
    }
}

pub(super) fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "on" } else { "off" })
    }
}

/// What a run is, when it begins.
pub struct Begun {
    pub run: RunId,
    pub batch: BatchId,
    /// The file's name, without its folder.
    pub manifest: String,
    pub action: Action,
    /// The one that worked on the batch before.
    pub previous: Option<Previous>,
    /// API calls so far.
    pub calls: Box<dyn Fn() -> u64 + Send>,
}

impl Watch {
    /// Somebody wants to know.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A service has begun, which need not have anything to do.
    pub fn serves(&self) {
        if let Some(shared) = &self.0 {
            // The herald may have ended with the process.
            let _ = shared.orders.send(Order::Begun);
        }
    }

    /// A service has looked at its queue.
    pub fn looked(&self) {
        if let Some(shared) = &self.0 {
            shared.standing().progress_ms = time::now_ms();
        }
    }

    /// A run begins. Its work is over when what this gives is dropped.
    pub fn begin(&self, begun: Begun) -> Watched {
        let run = begun.run;
        if let Some(shared) = &self.0 {
            let Begun {
                run,
                batch,
                manifest,
                action,
                previous,
                calls,
            } = begun;
            let of_run = Run {
                id: run,
                batch,
                manifest,
                action,
                account: None,
                is_simulated: false,
                counts: Counts::default(),
                calls,
                is_at_work: true,
                exit: None,
            };
            shared.standing().begin(of_run, previous);
        }
        Watched {
            shared: self.0.clone(),
            run,
        }
    }
}

/// One run that is watched.
pub struct Watched {
    shared: Option<Shared>,
    run: RunId,
}

impl Watched {
    pub fn hear(&self, event: &Event) {
        let Some(shared) = &self.shared else {
            return;
        };
        shared.standing().hear(self.run, event);
        if matches!(event, Event::RunStarted { .. }) {
            let _ = shared.orders.send(Order::Begun);
        }
    }

    /// How it has ended, as a person is told.
    pub fn summary(&self, text: impl FnOnce() -> String) {
        if let Some(shared) = &self.shared {
            let text = text();
            shared.standing().summary = Some(text);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(shared) = &self.shared {
            shared.standing().leave(self.run);
        }
    }
}
