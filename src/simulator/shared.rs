//! What all connections share.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::account::Account;
use super::hold::{Hold, Ticket};

#[derive(Debug)]
pub(super) struct Shared {
    account: Mutex<Account>,
    /// Becomes `true` when the simulator stops.
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) hold: Hold,
}

impl Shared {
    pub(super) fn new(account: Account, stopping: watch::Receiver<bool>) -> Self {
        Self {
            account: Mutex::new(account),
            stopping,
            hold: Hold::default(),
        }
    }

    /// Held for one step only, never across an await.
    pub(super) fn account(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns after `pause`, or earlier when the simulator stops.
    pub(super) async fn pause(&self, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        let mut stopping = self.stopping.clone();
        tokio::select! {
            () = sleep(pause) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
    }

    /// Returns when the call is not held any more; `Err`: the simulator stops first.
    pub(super) async fn pass(&self, ticket: Option<Ticket>) -> Result<(), Stopped> {
        let Some(ticket) = ticket else {
            return Ok(());
        };
        let mut stopping = self.stopping.clone();
        tokio::select! {
            () = ticket.released() => Ok(()),
            _ = stopping.wait_for(|stopping| *stopping) => Err(Stopped),
        }
    }
}

/// The simulator stops before the call has been let through: nothing is executed.
pub(super) struct Stopped;
