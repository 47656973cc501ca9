//! How a manifest's rows become jobs: all of them or none, in one transaction.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt as _;

use secrecy::ExposeSecret;
use sqlx::SqliteConnection;

use super::record::json;
use super::statement::{Statement, bound, values};
use super::{Queue, ROLLBACK_JOURNAL, WRITE_AHEAD_LOG, job_id};
use crate::job::{Access, BatchId, NewJob, ServiceId};
use crate::queue::{
    Conflict, DonePolicy, EnqueueError, EnqueuePolicy, Enqueued, NewBatch, QueueError,
};
use crate::time;

/// Rows that go to SQLite as one statement. More costs memory and gains nothing.
const ROWS_PER_STATEMENT: usize = 512;

/// How many conflicting services are remembered by name.
const CONFLICTS_MAX: usize = 100_000;

impl Queue {
    /// Queues `rows` as a new batch, or nothing at all. An error among the rows undoes everything.
    pub async fn enqueue<E: std::error::Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut (dyn Iterator<Item = Result<NewJob, E>> + Send),
    ) -> Result<Enqueued, EnqueueError<E>> {
        self.load(batch, policy, rows, true).await
    }

    /// What [`Queue::enqueue`] would do. Leaves no trace.
    pub async fn rehearse<E: std::error::Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut (dyn Iterator<Item = Result<NewJob, E>> + Send),
    ) -> Result<Enqueued, EnqueueError<E>> {
        self.load(batch, policy, rows, false).await
    }

    /// Why `batch` may not be ordered here, where the database belongs to another provider.
    pub async fn other_provider(
        &mut self,
        batch: &NewBatch,
    ) -> Result<Option<Conflict>, QueueError> {
        other_provider(&mut self.connection, batch).await
    }

    async fn load<E: std::error::Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut (dyn Iterator<Item = Result<NewJob, E>> + Send),
        keep: bool,
    ) -> Result<Enqueued, EnqueueError<E>> {
        // Indexes of a million rows do not fit into the usual 2 MB; 24 MiB hold their hot part.
        sqlx::query("PRAGMA cache_size = -24576")
            .execute(&mut self.connection)
            .await
            .map_err(QueueError::from)?;
        // The parent of each row is written by the same hand in the same transaction: to look each
        // of them up again is a seventh of a load.
        self.check_parents(false).await?;
        // Nothing may return between here and the way back.
        let alone = keep && self.leave_log().await;
        let mut result = self.load_all(batch, policy, rows, keep).await;
        if let Err(error) = self.check_parents(true).await {
            result = result.and(Err(error.into()));
        }
        if alone && let Err(error) = self.enter_log().await {
            // What went wrong first is what the operator has to know.
            result = result.and(Err(error.into()));
        }
        let _ = sqlx::query("PRAGMA cache_size = -2000")
            .execute(&mut self.connection)
            .await;
        result
    }

    async fn load_all<E: std::error::Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut (dyn Iterator<Item = Result<NewJob, E>> + Send),
        keep: bool,
    ) -> Result<Enqueued, EnqueueError<E>> {
        self.begin().await?;
        let result = Load::new(&mut self.connection, batch, policy)
            .run(rows)
            .await;
        match result {
            Ok(enqueued) if keep && enqueued.batch.is_some() => {
                crate::failpoint!("load_before_commit");
                let committed = self.commit().await;
                crate::failpoint!("load_after_commit");
                committed.map(|()| enqueued).map_err(EnqueueError::from)
            }
            other => {
                self.rollback().await;
                // A rolled back load may have spilled passwords into the write-ahead log.
                let _ = self.truncate_log().await;
                other
            }
        }
    }

    /// Before the first load of a database: its pages are all new, so that a rollback journal holds
    /// next to nothing of them, and the write-ahead log would hold each a second time. As durable
    /// either way. `false`: it is not the first, or somebody else looks at the database just now.
    ///
    /// `TRUNCATE`, because SQLite syncs the end of such a journal: one that is only deleted may come
    /// back after a power cut, and roll back what was written since.
    async fn leave_log(&mut self) -> bool {
        // Where the question fails, the load that follows fails too, and says why.
        let first = sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM batch)")
            .fetch_one(&mut self.connection)
            .await
            .unwrap_or(false);
        first
            && self
                .set_journal(ROLLBACK_JOURNAL)
                .await
                .is_ok_and(|journal| journal == "truncate")
    }

    /// Turns the look for the parents of new rows off, and on again.
    async fn check_parents(&mut self, check: bool) -> Result<(), QueueError> {
        let statement = if check {
            "PRAGMA foreign_keys = ON"
        } else {
            "PRAGMA foreign_keys = OFF"
        };
        sqlx::query(statement).execute(&mut self.connection).await?;
        // Within a transaction SQLite ignores the word, and says nothing.
        let checks: bool = sqlx::query_scalar("SELECT foreign_keys FROM pragma_foreign_keys")
            .fetch_one(&mut self.connection)
            .await?;
        if checks == check {
            Ok(())
        } else {
            Err(QueueError::Bug(format!("foreign_keys stayed {checks}")))
        }
    }

    async fn enter_log(&mut self) -> Result<(), QueueError> {
        match self.set_journal(WRITE_AHEAD_LOG).await?.as_str() {
            "wal" => Ok(()),
            _ => Err(QueueError::Busy),
        }
    }
}

struct Load<'a> {
    connection: &'a mut SqliteConnection,
    batch: &'a NewBatch,
    policy: EnqueuePolicy,
    /// Other batches exist, so that services may have a past.
    past: bool,
    live: Vec<(ServiceId, BatchId, bool)>,
    already_done: Vec<ServiceId>,
    left_out: Vec<ServiceId>,
}

impl<'a> Load<'a> {
    fn new(
        connection: &'a mut SqliteConnection,
        batch: &'a NewBatch,
        policy: EnqueuePolicy,
    ) -> Self {
        Self {
            connection,
            batch,
            policy,
            past: false,
            live: Vec::new(),
            already_done: Vec::new(),
            left_out: Vec::new(),
        }
    }

    async fn run<E: std::error::Error + 'static>(
        mut self,
        rows: &mut (dyn Iterator<Item = Result<NewJob, E>> + Send),
    ) -> Result<Enqueued, EnqueueError<E>> {
        if let Some(conflict) = other_provider(self.connection, self.batch).await? {
            return Err(EnqueueError::Conflict(conflict));
        }
        let id = self.create_batch().await?;
        let mut queued = 0;
        let mut chunk = Vec::new();
        let mut insertion = None;
        loop {
            // SQLite works in a thread of its own: while it inserts, the next rows are made ready.
            let (inserted, ready) = tokio::join!(
                biased;
                insert(self.connection, insertion),
                async { (Insertion::of(id, &chunk), read_chunk(rows)) }
            );
            inserted?;
            insertion = ready.0;
            chunk = ready.1?;
            if chunk.is_empty() && insertion.is_none() {
                break;
            }
            if self.past && !chunk.is_empty() {
                self.settle_past(id, &mut chunk).await?;
            }
            queued += chunk.len() as u64;
        }
        if !self.live.is_empty() {
            return Err(EnqueueError::Conflict(Conflict::Live(self.live)));
        }
        if self.policy.done == DonePolicy::Refuse && !self.already_done.is_empty() {
            return Err(EnqueueError::Conflict(Conflict::AlreadyDone(
                self.already_done.len() as u64,
            )));
        }
        self.open_tally(id, queued).await?;
        Ok(Enqueued {
            batch: (queued > 0).then_some(id),
            queued,
            skipped_done: self.already_done,
            left_out: self.left_out,
        })
    }

    async fn create_batch(&mut self) -> Result<BatchId, QueueError> {
        let (number, others): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT coalesce(max(number), 0) + 1 FROM batch WHERE identity = ?1 AND provider = ?2),
                    (SELECT count(*) FROM batch)",
        )
        .bind(self.batch.identity.as_slice())
        .bind(&self.batch.provider)
        .fetch_one(&mut *self.connection)
        .await?;
        self.past = others > 0;
        let now_ms = time::now_ms();
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO batch (identity, provider, api_url, number, manifest, path, created_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
        )
        .bind(self.batch.identity.as_slice())
        .bind(&self.batch.provider)
        .bind(&self.batch.api_url)
        .bind(number)
        .bind(&self.batch.manifest)
        .bind(self.batch.path.as_os_str().as_bytes())
        .bind(now_ms)
        .fetch_one(&mut *self.connection)
        .await?;
        Ok(BatchId(id))
    }

    /// Takes the rows out of `chunk` that the services' past forbids or makes needless.
    async fn settle_past(
        &mut self,
        id: BatchId,
        chunk: &mut Vec<NewJob>,
    ) -> Result<(), QueueError> {
        let pairs: Vec<(ServiceId, String)> = chunk
            .iter()
            .map(|row| (row.service, row.image.to_string()))
            .collect();
        let pairs = json(&pairs);
        let live: Vec<(i64, i64, bool)> = sqlx::query_as(
            "SELECT job.service_id, job.batch_id, job.held
             FROM json_each(?1) AS row CROSS JOIN job ON job.service_id = row.value ->> 0
             WHERE job.completed_ms IS NULL AND job.batch_id <> ?2",
        )
        .bind(&pairs)
        .bind(id.0)
        .fetch_all(&mut *self.connection)
        .await?;
        let mut drop = HashSet::new();
        for (service, batch, held) in live {
            drop.insert(service);
            let Some(service) = ServiceId::new(service) else {
                continue;
            };
            if held && self.policy.leave_out_held {
                self.left_out.push(service);
            } else if self.live.len() < CONFLICTS_MAX {
                self.live.push((service, BatchId(batch), held));
            }
        }
        if self.policy.done != DonePolicy::Again {
            let done: Vec<i64> = sqlx::query_scalar(
                "SELECT DISTINCT job.service_id
                 FROM json_each(?1) AS row CROSS JOIN job ON job.service_id = row.value ->> 0
                 WHERE job.state = 'done' AND job.image = row.value ->> 1",
            )
            .bind(&pairs)
            .fetch_all(&mut *self.connection)
            .await?;
            let done = done.into_iter().filter(|&service| drop.insert(service));
            self.already_done.extend(done.filter_map(ServiceId::new));
        }
        chunk.retain(|row| !drop.contains(&row.service.get()));
        Ok(())
    }

    async fn open_tally(&mut self, id: BatchId, queued: u64) -> Result<(), QueueError> {
        sqlx::query(
            "INSERT INTO tally (batch_id, state, jobs)
             SELECT ?1, value, iif(value = 'queued', ?2, 0)
             FROM json_each('[\"queued\",\"submitting\",\"rebuilding\",\"in_doubt\",\"held\",\"done\",\"failed\",\"cancelled\"]')",
        )
        .bind(id.0)
        .bind(i64::try_from(queued).unwrap_or(i64::MAX))
        .execute(&mut *self.connection)
        .await?;
        Ok(())
    }
}

/// One database is the ledger of one provider: with another, the same numbers would be other
/// instances. An order that was given up before anything was sent binds nobody.
async fn other_provider(
    connection: &mut SqliteConnection,
    batch: &NewBatch,
) -> Result<Option<Conflict>, QueueError> {
    let other: Option<(i64, String, bool)> = sqlx::query_as(
        "SELECT id, api_url, sent FROM (
             SELECT id, api_url,
                    EXISTS (SELECT 1 FROM job WHERE attempt > 0 AND job.id BETWEEN batch.id * 4294967296
                            AND batch.id * 4294967296 + 4294967295) AS sent,
                    EXISTS (SELECT 1 FROM tally WHERE batch_id = batch.id AND jobs > 0
                            AND state NOT IN ('done', 'failed', 'cancelled')) AS live
             FROM batch WHERE provider <> ?1)
         WHERE sent OR live ORDER BY sent DESC, id DESC LIMIT 1",
    )
    .bind(&batch.provider)
    .fetch_optional(connection)
    .await?;
    Ok(other.map(|(id, theirs, sent)| Conflict::OtherProvider {
        batch: BatchId(id),
        theirs,
        ours: batch.api_url.clone(),
        sent,
    }))
}

/// The statements that insert a chunk of rows.
struct Insertion {
    jobs: Statement,
    secrets: Option<Statement>,
    /// Of the usual length: prepared once, and used again.
    usual: bool,
}

impl Insertion {
    /// Of `chunk`, into batch `id`; `None` where it is empty.
    fn of(id: BatchId, chunk: &[NewJob]) -> Option<Self> {
        if chunk.is_empty() {
            return None;
        }
        let mut jobs = Statement::new(format!(
            "INSERT INTO job (id, batch_id, line, service_id, image, zone, access, ssh_key, note) {}",
            values(&format!("(?,{},?,?,?,?,?,?,?)", id.0), chunk.len())
        ));
        let mut passwords = Vec::new();
        for row in chunk {
            let job = job_id(id, row.line).0;
            let ssh_key = match &row.access {
                Access::Password(password) => {
                    passwords.push((job, password.expose_secret()));
                    None
                }
                Access::SshKey(key) => Some(key.as_str()),
                Access::Image => None,
            };
            jobs.bind(job);
            jobs.bind(i64::try_from(row.line).unwrap_or(i64::MAX));
            jobs.bind(row.service.get());
            jobs.bind(row.image.to_string());
            jobs.bind(row.zone.as_deref());
            jobs.bind(row.access.kind().as_str());
            jobs.bind(ssh_key);
            jobs.bind(row.note.as_deref());
        }
        let usual = chunk.len() == ROWS_PER_STATEMENT
            && (passwords.is_empty() || passwords.len() == ROWS_PER_STATEMENT);
        let secrets = (!passwords.is_empty()).then(|| {
            let mut secrets = Statement::new(format!(
                "INSERT INTO secret (job_id, password) {}",
                values(&bound(2), passwords.len())
            ));
            for (job, password) in passwords {
                secrets.bind(job);
                secrets.bind(password);
            }
            secrets
        });
        Some(Self {
            jobs,
            secrets,
            usual,
        })
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    insertion: Option<Insertion>,
) -> Result<(), QueueError> {
    let Some(Insertion {
        jobs,
        secrets,
        usual,
    }) = insertion
    else {
        return Ok(());
    };
    let jobs = jobs.query().persistent(usual);
    jobs.execute(&mut *connection).await?;
    if let Some(secrets) = secrets {
        let secrets = secrets.query().persistent(usual);
        secrets.execute(&mut *connection).await?;
    }
    Ok(())
}

/// The next rows, none at the end.
fn read_chunk<E: std::error::Error + 'static>(
    rows: &mut (dyn Iterator<Item = Result<NewJob, E>> + Send),
) -> Result<Vec<NewJob>, EnqueueError<E>> {
    rows.take(ROWS_PER_STATEMENT)
        .collect::<Result<_, _>>()
        .map_err(EnqueueError::Rows)
}
