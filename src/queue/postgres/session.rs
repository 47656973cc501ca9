//! One connection to the server, and what keeps it honest: it is renewed between two verbs where it was
//! lost, and never in the middle of a transaction.
//!
//! The one fact to know: a connection that went away may have taken a transaction with it, or may have
//! left it committed. So a [`Transaction`] that is not ended takes its connection with it, and what is
//! tried again on a new connection is only what had not begun.

use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgQueryResult, PgRow};
use sqlx::query::{Query, QueryAs};
use sqlx::{Connection as _, Executor as _, FromRow, PgConnection, Postgres};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::connect;
use super::pool::Pool;
use super::server::Server;
use super::sight::{self, Sight};
use crate::queue::{DatabaseId, Identity, Open, OpenError, StoreError};

/// A server that has not answered for so long is asked on a second connection whether it is there.
const DOUBT_AFTER: Duration = Duration::from_secs(6);

/// How long the server may take to greet, or to say that it is there.
const GREETING_MAX: Duration = Duration::from_secs(4);

/// A server that was silent is not asked again for so long: whoever ends because of that has several things
/// to say to it, and would wait for each.
const SILENCE: Duration = Duration::from_secs(30);

pub(super) struct Session {
    pub(super) server: Server,
    /// At the end of the connection, or of the last one.
    pub(super) identity: DatabaseId,
    pub(super) sight: Sight,
    mode: Open,
    connection: Option<PgConnection>,
    /// Where it comes from, and goes after each verb; `None`: it is this session's alone.
    pool: Option<Arc<Pool>>,
    /// The right to have one of the pool's.
    permit: Option<OwnedSemaphorePermit>,
    is_in_transaction: bool,
    /// The server did not answer then.
    silent_since: Option<Instant>,
}

impl Session {
    pub(super) async fn open(server: Server, mode: Open) -> Result<Self, OpenError> {
        let (connection, identity) = connect::connect(&server, mode, GREETING_MAX).await?;
        Ok(Self {
            server,
            identity,
            sight: Sight::default(),
            mode,
            connection: Some(connection),
            pool: None,
            permit: None,
            is_in_transaction: false,
            silent_since: None,
        })
    }

    /// Another session, which shares at most so many connections with those that are made of it.
    pub(super) fn sharing(&self, connections: usize) -> Self {
        Self {
            pool: Some(Arc::new(Pool::new(connections))),
            ..self.another()
        }
    }

    /// Another session, on the same connections where they are shared. It connects when it has something to
    /// ask.
    pub(super) fn another(&self) -> Self {
        Self {
            server: self.server.clone(),
            identity: self.identity,
            sight: self.sight.clone(),
            mode: self.mode,
            connection: None,
            pool: self.pool.clone(),
            permit: None,
            is_in_transaction: false,
            silent_since: None,
        }
    }

    /// Has a connection of the pool, where they are shared and one is open.
    async fn borrow(&mut self) {
        let Some(pool) = &self.pool else {
            return;
        };
        if self.permit.is_none() {
            self.permit = pool.permit().await;
        }
        if self.connection.is_none()
            && let Some((connection, identity)) = pool.take()
        {
            self.connection = Some(connection);
            self.identity = identity;
        }
    }

    /// Lets others have the connection, unless a transaction is under way.
    fn give_back(&mut self, is_sound: bool) {
        if self.is_in_transaction {
            return;
        }
        let Some(pool) = &self.pool else {
            return;
        };
        if let Some(connection) = self.connection.take()
            && is_sound
        {
            pool.give_back(connection, self.identity);
        }
        self.permit = None;
    }

    /// What the server has answered: the connection is free again.
    fn ended<T>(&mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        self.give_back(answer.is_ok());
        answer
    }

    /// The connection, which answers; a new one where that was lost.
    async fn connection(&mut self) -> Result<(&Server, &mut PgConnection), StoreError> {
        if !self.is_in_transaction {
            self.borrow().await;
            let is_there = match &mut self.connection {
                Some(connection) => {
                    matches!(timeout(GREETING_MAX, connection.ping()).await, Ok(Ok(())))
                }
                None => false,
            };
            if !is_there && let Err(error) = Box::pin(self.reconnect()).await {
                self.give_back(false);
                return Err(error);
            }
        }
        match &mut self.connection {
            Some(connection) => Ok((&self.server, connection)),
            None => Err(lost()),
        }
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        self.connection = None;
        let is_silent = |since: Instant| since.elapsed() < SILENCE;
        if self.silent_since.is_some_and(is_silent) {
            return Err(lost());
        }
        let began = Instant::now();
        let connected = connect::connect(&self.server, self.mode, GREETING_MAX).await;
        let was_silent = connected.is_err() && began.elapsed() >= GREETING_MAX;
        self.silent_since = was_silent.then_some(began);
        let (mut connection, identity) = connected.map_err(connect::lost)?;
        self.identity = identity;
        if self.sight.was_sure() {
            // Whatever this process has begun, it has begun in the database that it was sure of.
            sure(look(&self.server, &mut self.sight, &mut connection, identity).await?)?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    /// Whether this is the database in which the ledger was written, by all that this host knows. Where it is
    /// not, that is written down in it.
    pub(super) async fn judge(&mut self) -> Result<Identity, StoreError> {
        self.connection().await?;
        let Some(connection) = &mut self.connection else {
            return Err(lost());
        };
        let look = look(&self.server, &mut self.sight, connection, self.identity);
        let found = Box::pin(look).await;
        self.ended(found)
    }

    /// The same for who only reads: nothing is written down.
    pub(super) async fn look(&mut self) -> Result<Identity, StoreError> {
        self.connection().await?;
        let Some(connection) = &mut self.connection else {
            return Err(lost());
        };
        let look = self.sight.look(connection, &self.server, self.identity);
        let found = answered(&self.server, Box::pin(look)).await;
        self.ended(found)
    }

    /// `Err`: it is another one.
    pub(super) async fn make_sure(&mut self) -> Result<(), StoreError> {
        sure(self.judge().await?)
    }

    /// The next verb begins on a new connection, and is only carried out if that leads to the database in which
    /// the ledger was written.
    pub(super) fn doubt(&mut self) {
        self.connection = None;
        self.permit = None;
        if let Some(pool) = &self.pool {
            pool.clear();
        }
    }

    /// For what sqlx does by itself.
    pub(super) async fn raw(&mut self) -> Result<&mut PgConnection, StoreError> {
        let (_, connection) = self.connection().await?;
        Ok(connection)
    }

    /// All rows of `query`.
    pub(super) async fn all<T>(
        &mut self,
        query: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (server, connection) = self.connection().await?;
        let answer = answered(server, query.fetch_all(connection)).await;
        self.ended(answer)
    }

    /// Its only row.
    pub(super) async fn one<T>(
        &mut self,
        query: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<T, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (server, connection) = self.connection().await?;
        let answer = answered(server, query.fetch_one(connection)).await;
        self.ended(answer)
    }

    /// Its only row, if there is one.
    pub(super) async fn maybe<T>(
        &mut self,
        query: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<Option<T>, StoreError>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (server, connection) = self.connection().await?;
        let answer = answered(server, query.fetch_optional(connection)).await;
        self.ended(answer)
    }

    /// The number of rows that it has written.
    pub(super) async fn execute(
        &mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<u64, StoreError> {
        let (server, connection) = self.connection().await?;
        let done = answered(server, query.execute(connection)).await;
        let done: PgQueryResult = self.ended(done)?;
        Ok(done.rows_affected())
    }

    /// One of our own statements without values.
    pub(super) async fn run(&mut self, statement: &'static str) -> Result<(), StoreError> {
        let (server, connection) = self.connection().await?;
        let done = answered(server, connection.execute(statement)).await;
        self.ended(done)?;
        Ok(())
    }

    /// Rows in the text format of COPY, as `statement` names their columns.
    pub(super) async fn copy(
        &mut self,
        statement: &'static str,
        rows: String,
    ) -> Result<(), StoreError> {
        let (server, connection) = self.connection().await?;
        let copied = async {
            let mut copy = connection.copy_in_raw(statement).await?;
            copy.send(rows.into_bytes()).await?;
            copy.finish().await
        };
        let copied = answered(server, copied).await;
        self.ended(copied)?;
        Ok(())
    }

    /// Begins to write. What is read is what was committed when each statement began, so that whoever
    /// decides upon it locks it first.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED")
            .await
    }

    /// Begins to read: all of one state of the database.
    pub(super) async fn begin_reading(&mut self) -> Result<Transaction<'_>, StoreError> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
    }

    async fn begin_with(&mut self, statement: &'static str) -> Result<Transaction<'_>, StoreError> {
        self.borrow().await;
        self.is_in_transaction = true;
        // Whatever goes wrong from now on, the connection goes with it.
        let transaction = Transaction { session: self };
        let session = &mut *transaction.session;
        let has_begun = match &mut session.connection {
            Some(connection) => {
                let begun = timeout(GREETING_MAX, connection.execute(statement)).await;
                matches!(begun, Ok(Ok(_)))
            }
            None => false,
        };
        // Nothing had begun, so that nothing is lost by trying it on a new connection.
        if !has_begun {
            Box::pin(session.reconnect()).await?;
            session.run(statement).await?;
        }
        Ok(transaction)
    }

    /// Says goodbye.
    pub(super) async fn close(self) -> Result<(), StoreError> {
        if let Some(connection) = self.connection {
            // Everything was committed before: a server that does not hear it loses nothing.
            let _ = timeout(GREETING_MAX, connection.close()).await;
        }
        Ok(())
    }
}

/// Until it is ended, nothing of it stands. Where it is dropped, its connection goes with it, and the
/// server undoes it.
pub(super) struct Transaction<'a> {
    session: &'a mut Session,
}

impl Transaction<'_> {
    pub(super) async fn commit(self) -> Result<(), StoreError> {
        self.run("COMMIT").await.map_err(|error| match error {
            StoreError::Server { trouble, reason } => StoreError::Server {
                trouble,
                reason: format!("{reason}; nobody knows whether the last change was committed"),
            },
            other => other,
        })
    }

    pub(super) async fn rollback(self) {
        let _ = self.run("ROLLBACK").await;
    }

    async fn run(self, statement: &'static str) -> Result<(), StoreError> {
        let result = self.session.run(statement).await;
        self.session.is_in_transaction = result.is_err();
        self.session.ended(result)
    }

    /// Ends an operator's transaction: what succeeded is committed, the rest rolled back.
    pub(super) async fn conclude<T, E: From<StoreError>>(
        self,
        result: Result<T, E>,
    ) -> Result<T, E> {
        if result.is_ok() {
            crate::failpoint!("operate_before_commit");
            self.commit().await?;
            crate::failpoint!("operate_after_commit");
        } else {
            self.rollback().await;
        }
        result
    }
}

impl Deref for Transaction<'_> {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Session {
        self.session
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.session.is_in_transaction {
            self.session.is_in_transaction = false;
            self.session.connection = None;
            self.session.permit = None;
        }
    }
}

/// What the server answers. A connection that went silent looks like a slow statement: so now and then
/// it is asked on another one whether the server is there. What is slow, `statement_timeout` ends.
async fn answered<T>(
    server: &Server,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    let mut answer = pin!(answer);
    loop {
        if let Ok(answer) = timeout(DOUBT_AFTER, &mut answer).await {
            return answer.map_err(StoreError::from);
        }
        connect::greet(server, GREETING_MAX).await?;
    }
}

/// Asks the database who it is, and tells it if it is another one.
async fn look(
    server: &Server,
    sight: &mut Sight,
    connection: &mut PgConnection,
    identity: DatabaseId,
) -> Result<Identity, StoreError> {
    let found = answered(server, sight.look(connection, server, identity)).await?;
    if let Identity::Another { why, missed } = &found {
        answered(server, sight::notice(connection, identity, why, *missed)).await?;
    }
    Ok(found)
}

fn sure(identity: Identity) -> Result<(), StoreError> {
    match identity {
        Identity::Same => Ok(()),
        Identity::Another { why, .. } => Err(StoreError::Another { why }),
    }
}

fn lost() -> StoreError {
    StoreError::away("the connection was lost".to_owned())
}
