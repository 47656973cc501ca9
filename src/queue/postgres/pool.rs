//! Connections that several sessions of one process share: a service works for many accounts at once, and
//! a server lets in some hundred connections in all.
//!
//! The one fact to know: a session has one only for the length of a statement or of a transaction, and
//! whoever does not find one free waits for it. A connection on which anything went wrong is not given to
//! another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::queue::DatabaseId;

/// So many connections, opened when they are needed.
pub(super) struct Pool {
    permits: Arc<Semaphore>,
    /// Each with the database that it leads to.
    idle: Mutex<Vec<(PgConnection, DatabaseId)>>,
}

impl Pool {
    pub(super) fn new(connections: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(connections.max(1))),
            idle: Mutex::default(),
        }
    }

    /// Waits for the right to have a connection. `None` never comes: the pool is never closed.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }

    /// One that is open, if there is one.
    pub(super) fn take(&self) -> Option<(PgConnection, DatabaseId)> {
        self.idle().pop()
    }

    pub(super) fn give_back(&self, connection: PgConnection, identity: DatabaseId) {
        self.idle().push((connection, identity));
    }

    /// None of those that are open is used again.
    pub(super) fn clear(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(PgConnection, DatabaseId)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
