//! A connection beside a run's own, by which its lease is renewed.

use std::time::Duration;

use super::handle::PostgresQueue;
use super::lease::renew;
use super::server::Server;
use super::session::Session;
use crate::queue::{Lease, Open, OpenError, StoreError};

/// Renews one lease.
pub struct Renewal {
    server: Server,
    lease: Lease,
    /// `None`: it is opened with the next renewal.
    session: Option<Session>,
}

impl PostgresQueue {
    /// What renews `lease`, by a connection of its own.
    pub fn renewal(&self, lease: &Lease) -> Renewal {
        Renewal {
            server: self.server().clone(),
            lease: *lease,
            session: None,
        }
    }
}

impl Renewal {
    /// How long the lease lasts from each renewal on, by the server's clock.
    pub fn lasts(&self) -> Duration {
        self.server.lease()
    }

    /// The lease goes on from now, or was lost.
    pub async fn renew(&mut self) -> Result<(), StoreError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => (Session::open(self.server.clone(), Open::Change).await)
                .map_err(unreachable_server)?,
        };
        let renewed = renew(&mut session, &self.lease).await;
        // One that is dropped in the middle, or has failed, is not used again.
        if renewed.is_ok() {
            self.session = Some(session);
        }
        renewed
    }
}

fn unreachable_server(error: OpenError) -> StoreError {
    match error {
        OpenError::Store(error) => error,
        error => StoreError::Storage {
            reason: error.to_string(),
        },
    }
}
