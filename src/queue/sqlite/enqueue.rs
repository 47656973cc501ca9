//! How a manifest's rows become jobs: all of them or none, in one transaction.

use std::collections::HashSet;

use secrecy::ExposeSecret;
use sqlx::SqliteConnection;

use super::Queue;
use super::record::json;
use crate::job::{Access, BatchId, NewJob, ServiceId};
use crate::queue::{
    Conflict, DonePolicy, EnqueueError, EnqueuePolicy, Enqueued, NewBatch, QueueError,
};
use crate::time;

/// Rows that go to SQLite as one statement. More costs memory and gains nothing.
const ROWS_PER_STATEMENT: usize = 2048;

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
        self.begin().await?;
        let result = Load::new(&mut self.connection, batch, policy)
            .run(rows)
            .await;
        let result = match result {
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
        };
        let _ = sqlx::query("PRAGMA cache_size = -2000")
            .execute(&mut self.connection)
            .await;
        result
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
        let id = self.create_batch().await?;
        let mut queued = 0;
        let mut chunk = Vec::with_capacity(ROWS_PER_STATEMENT);
        loop {
            let row = rows.next().transpose().map_err(EnqueueError::Rows)?;
            let finished = row.is_none();
            chunk.extend(row);
            if chunk.len() == ROWS_PER_STATEMENT || (finished && !chunk.is_empty()) {
                if self.past {
                    self.settle_past(id, &mut chunk).await?;
                }
                self.insert(id, &chunk).await?;
                queued += chunk.len() as u64;
                chunk.clear();
            }
            if finished {
                break;
            }
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
            "SELECT (SELECT coalesce(max(number), 0) + 1 FROM batch WHERE identity = ?1 AND api_url = ?2),
                    (SELECT count(*) FROM batch)",
        )
        .bind(self.batch.identity.as_slice())
        .bind(&self.batch.api_url)
        .fetch_one(&mut *self.connection)
        .await?;
        self.past = others > 0;
        let now_ms = time::now_ms();
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO batch (identity, api_url, number, manifest, created_ms, touched_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5) RETURNING id",
        )
        .bind(self.batch.identity.as_slice())
        .bind(&self.batch.api_url)
        .bind(number)
        .bind(&self.batch.manifest)
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
             WHERE job.state IN ('queued', 'submitting', 'rebuilding', 'in_doubt') AND job.batch_id <> ?2",
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
                 WHERE job.state = 'done' AND job.image = row.value ->> 1
                   AND job.batch_id IN (SELECT id FROM batch WHERE api_url = ?2)",
            )
            .bind(&pairs)
            .bind(&self.batch.api_url)
            .fetch_all(&mut *self.connection)
            .await?;
            let done = done.into_iter().filter(|&service| drop.insert(service));
            self.already_done.extend(done.filter_map(ServiceId::new));
        }
        chunk.retain(|row| !drop.contains(&row.service.get()));
        Ok(())
    }

    async fn insert(&mut self, id: BatchId, chunk: &[NewJob]) -> Result<(), QueueError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let mut jobs = Vec::with_capacity(chunk.len());
        let mut secrets = Vec::new();
        for row in chunk {
            let ssh_key = match &row.access {
                Access::Password(password) => {
                    secrets.push((row.line, password.expose_secret()));
                    None
                }
                Access::SshKey(key) => Some(key.as_str()),
                Access::Image => None,
            };
            jobs.push((
                row.line,
                row.service,
                row.image.to_string(),
                row.zone.as_deref(),
                row.access.kind().as_str(),
                ssh_key,
                row.note.as_deref(),
            ));
        }
        sqlx::query(
            "INSERT INTO job (id, batch_id, line, service_id, image, zone, access, ssh_key, note)
             SELECT ?1 * 4294967296 + (value ->> 0), ?1, value ->> 0, value ->> 1, value ->> 2,
                    value ->> 3, value ->> 4, value ->> 5, value ->> 6
             FROM json_each(?2)",
        )
        .bind(id.0)
        .bind(json(&jobs))
        .execute(&mut *self.connection)
        .await?;
        if !secrets.is_empty() {
            sqlx::query(
                "INSERT INTO secret (job_id, password)
                 SELECT ?1 * 4294967296 + (value ->> 0), value ->> 1 FROM json_each(?2)",
            )
            .bind(id.0)
            .bind(json(&secrets))
            .execute(&mut *self.connection)
            .await?;
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
