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

    /// Returns when the simulator stops.
    pub(super) async fn stopped(&self) {
        let mut stopping = self.stopping.clone();
        // An error means that the `Simulator` is gone, which is the same.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    }

    /// Returns after `pause`, or earlier when the simulator stops.
    pub(super) async fn pause(&self, pause: Duration) {
        if pause.is_zero() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = self.stopped() => {}
        }
    }

    /// Returns when the call is not held any more; `Err`: the simulator stops first.
    pub(super) async fn pass(&self, ticket: Option<Ticket>) -> Result<(), Stopped> {
        let Some(ticket) = ticket else {
            return Ok(());
        };
        tokio::select! {
            () = ticket.released() => Ok(()),
            () = self.stopped() => Err(Stopped),
        }
    }
}

/// The simulator stops before the call has been let through: nothing is executed.
pub(super) struct Stopped;
