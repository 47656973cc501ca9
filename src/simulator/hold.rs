//! Holds submissions back until a test releases them.
//!
//! A test that has to do something "while a submission is under way" holds it here, so that nothing
//! depends on how quick the client or the test is.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

/// Holds nothing, or all submissions but the next few.
#[derive(Debug, Default)]
pub(super) struct Hold(Mutex<State>);

#[derive(Debug, Default)]
enum State {
    #[default]
    Off,
    On {
        /// So many more submissions go through.
        passes_left: u64,
        /// What is held waits for this sender to be dropped.
        release: watch::Sender<()>,
    },
}

/// Belongs to a submission that is held.
#[derive(Debug, Clone)]
pub(super) struct Ticket(watch::Receiver<()>);

impl Ticket {
    /// Returns when the hold has been released.
    pub(super) async fn released(mut self) {
        // Nothing is ever sent: the end of the sender is the release.
        while self.0.changed().await.is_ok() {}
    }
}

impl Hold {
    /// Holds what arrives from now on, after `passes` more submissions. What is held already stays
    /// so.
    pub(super) fn begin(&self, passes: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Off => {
                *state = State::On {
                    passes_left: passes,
                    release: watch::Sender::new(()),
                };
            }
            State::On { passes_left, .. } => *passes_left = passes,
        }
    }

    /// Lets everything through that is held, and whatever arrives later.
    pub(super) fn release(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::Off;
    }

    /// A submission has arrived; `None`: it goes through.
    pub(super) fn arrive(&self) -> Option<Ticket> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Off => None,
            State::On {
                passes_left: 0,
                release,
            } => Some(Ticket(release.subscribe())),
            State::On { passes_left, .. } => {
                *passes_left -= 1;
                None
            }
        }
    }
}
