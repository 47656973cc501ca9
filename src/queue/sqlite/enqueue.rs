//! How a manifest's rows become jobs: all of them or none, in one transaction.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt as _;

use secrecy::ExposeSecret;
use sqlx::SqliteConnection;

use super::Queue;
use super::clock::{SetBack, Step};
use super::rows::{damaged, job_id, json};
use super::statement::{Statement, bound, values};
use super::transaction::{ROLLBACK_JOURNAL, WRITE_AHEAD_LOG};
use crate::job::{Access, BatchId, Executed, NewJob, RunId, ServiceId, State};
use crate::queue::{
    Conflict, DonePolicy, Due, EnqueueError, EnqueuePolicy, Enqueued, LeftOut, NewBatch,
    QueueError, Touched, Undatable,
};
use crate::time;

/// Rows that go to SQLite as one statement. More costs memory and gains nothing.
pub(super) const ROWS_PER_STATEMENT: usize = 512;

/// How many conflicting services are remembered by name.
const CONFLICTS_MAX: usize = 100_000;

/// The services of ?1 (pairs of service and image) that are live in another batch than ?2.
pub(super) const LIVE: &str = "SELECT job.service_id, job.batch_id, job.held
     FROM json_each(?1) AS pair CROSS JOIN job ON job.service_id = pair.value ->> 0
     WHERE job.completed_ms IS NULL AND job.batch_id <> ?2";

/// The batches in which anything moved after ?1: no other one holds a submission of that time. All
/// of them where dates cannot be trusted: ?2, or one lies later than ?3.
const RECENT: &str = "SELECT json_group_array(DISTINCT batch_id) FROM tally
     WHERE moved_ms > ?1 OR ?2 OR EXISTS (SELECT 1 FROM tally WHERE moved_ms > ?3)";

/// [`Last`] of the job that had the service's last submission, among those that may have touched it.
macro_rules! last_submitted {
    ($($condition:literal)?) => {
        concat!(
            "(SELECT json_array(batch_id, state, executed, intent_ms, image = pair.value ->> 1, run_id, seq)
              FROM job LEFT JOIN ledger AS intent
                       ON kind = 'intent' AND job_id = job.id AND intent.attempt = job.attempt
              WHERE service_id = pair.value ->> 0 AND executed <> 'no' ", $($condition,)?
            "ORDER BY seq DESC LIMIT 1)"
        )
    };
}

/// The last submission of each service of ?1, in the batches ?2.
pub(super) const SUBMITTED: &str = concat!(
    "SELECT service_id, last FROM (SELECT pair.value ->> 0 AS service_id, ",
    last_submitted!("AND batch_id IN (SELECT value FROM json_each(?2)) "),
    " AS last FROM json_each(?1) AS pair) WHERE last IS NOT NULL"
);

/// The last submission of each service of ?1, and whether any made it the image that it asks for.
pub(super) const ENDED: &str = concat!(
    "SELECT service_id, last, has_image FROM (SELECT pair.value ->> 0 AS service_id, ",
    last_submitted!(),
    " AS last, EXISTS (SELECT 1 FROM job WHERE service_id = pair.value ->> 0 AND state = 'done'
                       AND image = pair.value ->> 1) AS has_image
     FROM json_each(?1) AS pair) WHERE last IS NOT NULL"
);

/// A service's last submission.
#[derive(serde::Deserialize)]
struct Last {
    batch: i64,
    state: State,
    executed: Executed,
    intent_ms: i64,
    /// 1: it asked for the same image.
    same_image: u8,
    /// The run that submitted it, and the intent's number in the ledger.
    run: Option<i64>,
    seq: Option<i64>,
}

impl Last {
    fn parse(json: &str) -> Result<Self, QueueError> {
        serde_json::from_str(json).map_err(|_| damaged("a service's last submission"))
    }

    /// How the clock had gone back before.
    fn set_back(&self, set_back: &SetBack) -> Option<Step> {
        let (run, seq) = self.run.zip(self.seq)?;
        set_back.before(RunId(run), seq)
    }
}

/// What was submitted before is due, as Unix time.
fn before(due: Due) -> i64 {
    let every_ms = i64::try_from(due.every.as_millis()).unwrap_or(i64::MAX);
    due.now_ms.saturating_sub(every_ms)
}

fn service_id(number: i64) -> Result<ServiceId, QueueError> {
    ServiceId::new(number).ok_or_else(|| damaged("a service id"))
}

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
    pub async fn preview<E: std::error::Error + 'static>(
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
        self.cache_much(true).await?;
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
        let _ = self.cache_much(false).await;
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

    /// Indexes of a million rows do not fit into the usual 2 MB; 24 MiB hold their hot part.
    pub(super) async fn cache_much(&mut self, much: bool) -> Result<(), QueueError> {
        let statement = if much {
            "PRAGMA cache_size = -24576"
        } else {
            "PRAGMA cache_size = -2000"
        };
        sqlx::query(statement).execute(&mut self.connection).await?;
        Ok(())
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
    /// Under [`EnqueuePolicy::due`]: the batches of [`RECENT`], as JSON.
    recent: String,
    /// Under [`EnqueuePolicy::due`]: the runs whose clock had gone back.
    set_back: SetBack,
    live: Vec<(ServiceId, BatchId, bool)>,
    touched: Vec<Touched>,
    future: Vec<(ServiceId, i64)>,
    undatable: Vec<Undatable>,
    left_out: LeftOut,
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
            recent: String::new(),
            set_back: SetBack::default(),
            live: Vec::new(),
            touched: Vec::new(),
            future: Vec::new(),
            undatable: Vec::new(),
            left_out: LeftOut::default(),
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
        self.open_tally(id, queued).await?;
        match self.conflict() {
            Some(conflict) => Err(EnqueueError::Conflict(conflict)),
            None => Ok(Enqueued {
                batch: (queued > 0).then_some(id),
                queued,
                left_out: self.left_out,
            }),
        }
    }

    /// What forbids the order. What is live comes first: until that has ended nobody can tell.
    fn conflict(&mut self) -> Option<Conflict> {
        let already_done = match self.policy.done {
            DonePolicy::Refuse => self.left_out.done.len() as u64,
            DonePolicy::Skip | DonePolicy::Again => 0,
        };
        if !self.live.is_empty() {
            Some(Conflict::Live(std::mem::take(&mut self.live)))
        } else if !self.future.is_empty() {
            Some(Conflict::Future(std::mem::take(&mut self.future)))
        } else if !self.undatable.is_empty() {
            Some(Conflict::Undatable(std::mem::take(&mut self.undatable)))
        } else if !self.touched.is_empty() {
            Some(Conflict::Touched {
                touched: std::mem::take(&mut self.touched),
                already_done,
            })
        } else {
            (already_done > 0).then_some(Conflict::AlreadyDone(already_done))
        }
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
        if let Some(due) = self.policy.due {
            self.set_back = SetBack::read(self.connection, due.now_ms).await?;
            self.recent = sqlx::query_scalar(RECENT)
                .bind(before(due))
                .bind(!self.set_back.is_empty())
                .bind(due.now_ms.saturating_add(time::CLOCK_STEP_MS))
                .fetch_one(&mut *self.connection)
                .await?;
        }
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
        let mut drop = self.settle_live(id, &pairs).await?;
        if let Some(due) = self.policy.due {
            self.settle_due(due, &pairs, &mut drop).await?;
        }
        if self.policy.done != DonePolicy::Again || !self.policy.wiped {
            self.settle_ended(&pairs, &mut drop).await?;
        }
        chunk.retain(|row| !drop.contains(&row.service));
        Ok(())
    }

    /// The services that another batch still has to deal with.
    async fn settle_live(
        &mut self,
        id: BatchId,
        pairs: &str,
    ) -> Result<HashSet<ServiceId>, QueueError> {
        let live: Vec<(i64, i64, bool)> = sqlx::query_as(LIVE)
            .bind(pairs)
            .bind(id.0)
            .fetch_all(&mut *self.connection)
            .await?;
        let mut drop = HashSet::new();
        for (service, batch, held) in live {
            let (service, batch) = (service_id(service)?, BatchId(batch));
            drop.insert(service);
            if held && self.policy.leave_out_held {
                self.left_out.held.push((service, batch));
            } else if self.policy.beside != Some(batch) && self.live.len() < CONFLICTS_MAX {
                self.live.push((service, batch, held));
            }
        }
        Ok(drop)
    }

    /// Of an order by the clock: the services that are not due.
    async fn settle_due(
        &mut self,
        due: Due,
        pairs: &str,
        drop: &mut HashSet<ServiceId>,
    ) -> Result<(), QueueError> {
        let submitted: Vec<(i64, String)> = sqlx::query_as(SUBMITTED)
            .bind(pairs)
            .bind(&self.recent)
            .fetch_all(&mut *self.connection)
            .await?;
        for (service, last) in submitted {
            let (service, last) = (service_id(service)?, Last::parse(&last)?);
            if drop.contains(&service) {
                continue;
            }
            let set_back = last.set_back(&self.set_back);
            let at_least_ms = set_back.map_or(last.intent_ms, |it| it.from_ms.max(last.intent_ms));
            if last.intent_ms > due.now_ms + time::CLOCK_STEP_MS {
                if self.future.len() < CONFLICTS_MAX {
                    self.future.push((service, last.intent_ms));
                }
            } else if at_least_ms > before(due) {
                self.left_out.not_due.push(service);
                if last.same_image == 0 {
                    self.left_out.other_image.push(service);
                }
                if last.state == State::Failed {
                    self.left_out.failed.push((service, BatchId(last.batch)));
                }
            } else if let Some(set_back) = set_back {
                if self.undatable.len() < CONFLICTS_MAX {
                    self.undatable.push(Undatable {
                        service,
                        batch: BatchId(last.batch),
                        dated_ms: last.intent_ms,
                        from_ms: set_back.from_ms,
                        to_ms: set_back.to_ms,
                    });
                }
            } else {
                continue;
            }
            drop.insert(service);
        }
        Ok(())
    }

    /// The services that have the image already, and those that an earlier
    /// order may have wiped without ending well.
    async fn settle_ended(
        &mut self,
        pairs: &str,
        drop: &mut HashSet<ServiceId>,
    ) -> Result<(), QueueError> {
        let ended: Vec<(i64, String, bool)> = sqlx::query_as(ENDED)
            .bind(pairs)
            .fetch_all(&mut *self.connection)
            .await?;
        for (service, last, has_image) in ended {
            let (service, last) = (service_id(service)?, Last::parse(&last)?);
            if drop.contains(&service) {
                continue;
            }
            if last.state != State::Done {
                if self.policy.wiped {
                    continue;
                }
                if self.touched.len() < CONFLICTS_MAX {
                    self.touched.push(Touched {
                        service,
                        batch: BatchId(last.batch),
                        state: last.state,
                        executed: last.executed,
                    });
                }
            } else if has_image && self.policy.done != DonePolicy::Again {
                self.left_out.done.push(service);
                if last.same_image == 0 {
                    self.left_out.replaced.push(service);
                }
            } else {
                continue;
            }
            drop.insert(service);
        }
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
pub(super) fn read_chunk<E: std::error::Error + 'static>(
    rows: &mut (dyn Iterator<Item = Result<NewJob, E>> + Send),
) -> Result<Vec<NewJob>, EnqueueError<E>> {
    rows.take(ROWS_PER_STATEMENT)
        .collect::<Result<_, _>>()
        .map_err(EnqueueError::Rows)
}
