//! A connection beside the runs' own, by which their leases are renewed.

use std::collections::HashSet;
use std::time::Duration;

use super::connect;
use super::handle::PostgresQueue;
use super::server::Server;
use super::session::Session;
use crate::job::RunId;
use crate::queue::{Lease, Open, StoreError};

/// The leases of the runs $1 go on for $2 milliseconds; returns which runs hold theirs, and whether that was
/// renewed just now. One that somebody else looks at in this moment is left out, so that no other waits
/// for it: it is renewed with the next try.
pub(super) const RENEW: &str = "WITH free AS (
         SELECT provider, account, batch_id FROM lease WHERE run_id = ANY($1) AND released_at IS NULL
         FOR NO KEY UPDATE SKIP LOCKED),
     renewed AS (
         UPDATE lease SET renewed_at = clock_timestamp(),
                expires_at = clock_timestamp() + $2 * interval '1 millisecond'
         FROM free WHERE lease.provider = free.provider AND lease.account = free.account
             AND lease.batch_id = free.batch_id
         RETURNING lease.run_id)
     SELECT run_id, run_id IN (SELECT run_id FROM renewed) FROM lease
     WHERE run_id = ANY($1) AND released_at IS NULL";

/// Renews leases.
pub struct Renewal {
    server: Server,
    /// `None`: it is opened with the next renewal.
    session: Option<Session>,
}

/// What became of leases that were to be renewed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// They go on.
    pub runs: HashSet<RunId>,
    /// Theirs were lost.
    pub lost: HashSet<RunId>,
}

impl PostgresQueue {
    /// What renews leases, by a connection of its own.
    pub fn renewal(&self) -> Renewal {
        Renewal {
            server: self.server().clone(),
            session: None,
        }
    }
}

impl Renewal {
    /// How long a lease lasts from each renewal on, by the server's clock.
    pub fn lasts(&self) -> Duration {
        self.server.lease()
    }

    /// These leases go on from now, all of them with one statement, or were lost. Of one that is neither,
    /// nobody knows yet.
    pub async fn renew(&mut self, leases: &[Lease]) -> Result<Renewed, StoreError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => {
                (Session::open(self.server.clone(), Open::Change).await).map_err(connect::lost)?
            }
        };
        match session.make_sure().await {
            // In it nobody has a lease.
            Err(StoreError::Another { .. }) => {
                let lost = leases.iter().map(Lease::run).collect();
                let runs = HashSet::new();
                return Ok(Renewed { runs, lost });
            }
            sure => sure?,
        }
        let runs: Vec<i64> = leases.iter().map(|lease| lease.run().0).collect();
        let renew = sqlx::query_as(RENEW)
            .bind(runs)
            .bind(self.server.lease_ms());
        let held: Vec<(i64, bool)> = session.all(renew).await?;
        // One that is dropped in the middle, or has failed, is not used again.
        self.session = Some(session);
        let mut renewed = Renewed::default();
        for lease in leases {
            match held.iter().find(|(run, _)| *run == lease.run().0) {
                Some((_, true)) => renewed.runs.insert(lease.run()),
                Some((_, false)) => false,
                None => renewed.lost.insert(lease.run()),
            };
        }
        Ok(renewed)
    }
}
