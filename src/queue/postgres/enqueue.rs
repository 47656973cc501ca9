//! How a manifest's rows become jobs, all of them or none, in one transaction, and how it is asked
//! beforehand what would become of them.

use std::error::Error;
use std::os::unix::ffi::OsStrExt as _;

use super::copy;
use super::handle::PostgresQueue;
use super::past::{other_provider, past, settle};
use super::session::{Session, Transaction};
use super::text::{json_text, no_nul};
use crate::job::{BatchId, NewJob, SheetRows};
use crate::queue::stored::next_rows;
use crate::queue::{
    Conflict, EnqueueError, EnqueuePolicy, Enqueued, NewBatch, Preview, Rows, StoreError,
};
use crate::time;

/// Rows that go to the server at once.
const ROWS_AT_ONCE: usize = 4096;

/// Of so many new jobs the server would learn too late how they are spread.
const ROWS_TO_ANALYZE: u64 = 10_000;

/// A load waits for another one, a statement of a large one may take long, and so may a manifest that comes
/// through a pipe.
const PATIENCE: &str = "SET LOCAL lock_timeout = '10min'; SET LOCAL statement_timeout = '10min';
     SET LOCAL idle_in_transaction_session_timeout = '10min'";

/// Two loads are one after the other: what one has queued is the other one's past. The number is
/// refleet's own.
const ONE_LOAD: &str = "SELECT pg_advisory_xact_lock(32199637924668789)";

impl PostgresQueue {
    /// Queues `rows` as a new batch, or nothing at all. An error among the rows undoes everything.
    pub async fn enqueue<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
    ) -> Result<Enqueued, EnqueueError<E>> {
        let mut transaction = self.session.begin().await?;
        let enqueued = match insert_all(&mut transaction, batch, policy, rows).await {
            Ok(enqueued) if enqueued.batch.is_some() => {
                crate::failpoint!("load_before_commit");
                transaction.commit().await?;
                crate::failpoint!("load_after_commit");
                enqueued
            }
            other => {
                transaction.rollback().await;
                return other;
            }
        };
        if enqueued.queued >= ROWS_TO_ANALYZE {
            // A role that may not do it gets a warning, and the server does it by itself later.
            let _ = self.session.run("ANALYZE job").await;
        }
        Ok(enqueued)
    }

    /// What [`PostgresQueue::enqueue`] would do; each row that it would queue is handed to `queued`. Only
    /// reads, all of it from one state of the database.
    pub async fn preview<E: Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
        queued: &mut (dyn FnMut(&NewJob) + Send),
    ) -> Result<Preview, EnqueueError<E>> {
        let mut transaction = self.session.begin_reading().await?;
        let preview = preview(&mut transaction, batch, policy, rows, queued).await;
        transaction.rollback().await;
        preview
    }

    /// Why `batch` may not be ordered here, where the database belongs to another provider.
    pub async fn other_provider(
        &mut self,
        batch: &NewBatch,
    ) -> Result<Option<Conflict>, StoreError> {
        other_provider(&mut self.session, batch).await
    }
}

async fn preview<E: Error + 'static>(
    session: &mut Session,
    batch: &NewBatch,
    policy: EnqueuePolicy,
    rows: &mut Rows<'_, E>,
    queued: &mut (dyn FnMut(&NewJob) + Send),
) -> Result<Preview, EnqueueError<E>> {
    if let Some(conflict) = other_provider(session, batch).await? {
        return Err(EnqueueError::Conflict(conflict));
    }
    let mut past = past(session, batch.action, policy).await?;
    let mut jobs = 0;
    loop {
        let mut chunk = next_rows(rows, ROWS_AT_ONCE)?;
        if chunk.is_empty() {
            break;
        }
        settle(session, &mut past, None, &mut chunk).await?;
        jobs += chunk.len() as u64;
        chunk.iter().for_each(&mut *queued);
    }
    let left_out = past.conclude().map_err(EnqueueError::Conflict)?;
    Ok(Preview {
        queued: jobs,
        left_out,
    })
}

/// Inside a transaction, which is to be rolled back unless there is a new batch.
async fn insert_all<E: Error + 'static>(
    transaction: &mut Transaction<'_>,
    batch: &NewBatch,
    policy: EnqueuePolicy,
    rows: &mut Rows<'_, E>,
) -> Result<Enqueued, EnqueueError<E>> {
    transaction.run(PATIENCE).await?;
    transaction.run(ONE_LOAD).await?;
    if let Some(conflict) = other_provider(transaction, batch).await? {
        return Err(EnqueueError::Conflict(conflict));
    }
    let mut past = past(transaction, batch.action, policy).await?;
    let id = create_batch(transaction, batch).await?;
    let (mut queued, mut all) = (0, 0);
    loop {
        let mut chunk = next_rows(rows, ROWS_AT_ONCE)?;
        if chunk.is_empty() {
            break;
        }
        all += chunk.len() as u64;
        settle(transaction, &mut past, Some(id), &mut chunk).await?;
        queued += chunk.len() as u64;
        transaction.copy(copy::JOBS, copy::jobs(id, &chunk)).await?;
        let secrets = copy::secrets(id, &chunk);
        if !secrets.is_empty() {
            transaction.copy(copy::SECRETS, secrets).await?;
        }
    }
    open_tally(transaction, id, queued).await?;
    let left_out = past.conclude().map_err(EnqueueError::Conflict)?;
    // What became of the manifest's rows is known when all of them were read.
    let read = sqlx::query("UPDATE batch SET rows = $2::json WHERE id = $1")
        .bind(id.0)
        .bind(json_text(&left_out.of_rows(all)));
    transaction.execute(read).await?;
    Ok(Enqueued {
        batch: (queued > 0).then_some(id),
        queued,
        left_out,
    })
}

async fn create_batch(
    transaction: &mut Transaction<'_>,
    batch: &NewBatch,
) -> Result<BatchId, StoreError> {
    let owner = batch.owner.as_ref();
    let create = sqlx::query_as(
        "INSERT INTO batch (action, identity, provider, api_url, number, manifest, path, created_ms, account, account_label, plan, options, rows, sheet)
         SELECT $1, $2, $3, $4, coalesce(max(number), 0) + 1, $5, $6, $7, $8, $9, $10, $11::json, $12::json, $13
         FROM batch WHERE identity = $2 AND provider = $3 RETURNING id",
    )
    .bind(batch.action.as_str())
    .bind(batch.identity.as_slice())
    .bind(&batch.provider)
    .bind(&batch.api_url)
    .bind(no_nul(&batch.manifest))
    .bind(batch.path.as_os_str().as_bytes())
    .bind(time::now_ms())
    .bind(owner.map(|owner| owner.id.as_str()))
    .bind(owner.and_then(|owner| owner.label.as_deref()).map(no_nul))
    .bind(&batch.plan)
    .bind(batch.options.as_ref().map(json_text))
    .bind(json_text(&SheetRows::default()))
    .bind(batch.sheet.as_deref().map(no_nul));
    let (id,) = transaction.one(create).await?;
    Ok(BatchId(id))
}

async fn open_tally(
    transaction: &mut Transaction<'_>,
    id: BatchId,
    queued: u64,
) -> Result<(), StoreError> {
    let open = sqlx::query(
        "INSERT INTO tally (batch_id, state, writer, jobs)
         SELECT $1, state, writer, CASE WHEN state = 'queued' AND writer = 0 THEN $2 ELSE 0 END
         FROM unnest('{queued,submitting,in_progress,in_doubt,held,done,failed,cancelled}'::text[]) AS state,
              unnest('{0,1}'::smallint[]) AS writer",
    )
    .bind(id.0)
    .bind(i64::try_from(queued).unwrap_or(i64::MAX));
    transaction.execute(open).await?;
    Ok(())
}
