//! An open database.

use std::fmt;

use uuid::Uuid;

use super::migrate;
use super::server::Server;
use super::session::Session;
use crate::queue::{Identity, Open, OpenError, StoreError};

/// The queue on a PostgreSQL server.
pub struct PostgresQueue {
    pub(super) session: Session,
    /// This process, as leases know it.
    pub(super) holder: Uuid,
}

impl PostgresQueue {
    /// Opens the database on `server`. Only [`Open::Create`] brings its schema up to date.
    pub async fn open(server: &Server, mode: Open) -> Result<Self, OpenError> {
        let mut session = Session::open(server.clone(), mode).await?;
        migrate::migrate(&mut session, mode).await?;
        Ok(Self::new(session))
    }

    /// The same queue once more, for runs beside each other: those that [`Self::another`] makes of it share
    /// at most so many connections.
    #[must_use]
    pub fn sharing(&self, connections: usize) -> Self {
        Self::new(self.session.sharing(connections))
    }

    /// The same queue once more, for another run of this process: to the leases it is another holder, so
    /// that no two runs have one lease.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::new(self.session.another())
    }

    fn new(session: Session) -> Self {
        Self {
            session,
            holder: Uuid::from_u128(fastrand::u128(..)),
        }
    }

    /// Where it is, without its password.
    pub fn server(&self) -> &Server {
        &self.session.server
    }

    /// `Err` ([`StoreError::Another`]): this is not the database in which the ledger was written, by all that
    /// this host knows, and nothing may be sent by what is in it. That is written down in it, and all leases
    /// end.
    pub async fn make_sure(&mut self) -> Result<(), StoreError> {
        self.session.make_sure().await
    }

    /// Why this is not the database in which the ledger was written, for who only looks; `None`: it is.
    pub async fn why_another(&mut self) -> Result<Option<String>, StoreError> {
        match self.session.look().await? {
            Identity::Same => Ok(None),
            Identity::Another { why, .. } => Ok(Some(why)),
        }
    }

    /// Why this host's disk does not keep how far it has seen the ledger, said once.
    pub fn unkept(&mut self) -> Option<&str> {
        self.session.sight.news()
    }

    /// Ends the connection. Everything was on the server's disk before.
    pub async fn close(self) -> Result<(), StoreError> {
        self.session.close().await
    }
}

impl fmt::Debug for PostgresQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresQueue")
            .field("server", &self.session.server)
            .finish_non_exhaustive()
    }
}
