//! How a manifest's rows become jobs, all of them or none, in one transaction, and how it is asked
//! beforehand what would become of them.

use std::os::unix::ffi::OsStrExt as _;

use sqlx::SqliteConnection;

use super::handle::SqliteQueue;
use super::insert::{Insertion, ROWS_PER_STATEMENT, insert};
use super::past::{other_provider, past, settle};
use super::settings::{ROLLBACK_JOURNAL, WRITE_AHEAD_LOG};
use crate::job::{BatchId, NewJob, SheetRows};
use crate::queue::stored::{json, next_rows};
use crate::queue::{
    Conflict, EnqueueError, EnqueuePolicy, Enqueued, NewBatch, Preview, Rows, StoreError,
};
use crate::time;

/// How much of the database a connection keeps in memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cache {
    /// SQLite's usual 2 MB.
    Usual,
    /// The indexes of a million rows do not fit into that; 24 MiB hold their hot part.
    Large,
}

/// Whether SQLite looks up the parent of each new row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ParentCheck {
    On,
    Off,
}

/// How the transaction of a load is made safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoadJournal {
    /// As always.
    WriteAheadLog,
    /// See [`SqliteQueue::leave_log`].
    Rollback,
}

impl SqliteQueue {
    /// Queues `rows` as a new batch, or nothing at all. An error among the rows undoes everything.
    pub async fn enqueue<E: std::error::Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
    ) -> Result<Enqueued, EnqueueError<E>> {
        self.set_cache(Cache::Large).await?;
        // The parent of each row is written by the same hand in the same transaction: to look each
        // of them up again is a seventh of a load.
        self.set_parent_check(ParentCheck::Off).await?;
        let journal = self.leave_log().await;
        let loaded = self.load(batch, policy, rows).await;
        let restored = self.restore(journal).await;
        // What went wrong first is what the operator has to know.
        let loaded = loaded?;
        restored?;
        Ok(loaded)
    }

    /// What [`SqliteQueue::enqueue`] would do; each row that it would queue is handed to `queued`. Only
    /// reads, all of it from one state of the database.
    pub async fn preview<E: std::error::Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
        queued: &mut (dyn FnMut(&NewJob) + Send),
    ) -> Result<Preview, EnqueueError<E>> {
        self.begin_reading().await?;
        let preview = preview(&mut self.connection, batch, policy, rows, queued).await;
        self.rollback().await;
        preview
    }

    /// Why `batch` may not be ordered here, where the database belongs to another provider.
    pub async fn other_provider(
        &mut self,
        batch: &NewBatch,
    ) -> Result<Option<Conflict>, StoreError> {
        other_provider(&mut self.connection, batch).await
    }

    async fn load<E: std::error::Error + 'static>(
        &mut self,
        batch: &NewBatch,
        policy: EnqueuePolicy,
        rows: &mut Rows<'_, E>,
    ) -> Result<Enqueued, EnqueueError<E>> {
        self.begin().await?;
        match insert_all(&mut self.connection, batch, policy, rows).await {
            Ok(enqueued) if enqueued.batch.is_some() => {
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
    /// either way. Where it is not the first, or somebody else looks at the database just now, the
    /// journal stays as it is.
    ///
    /// `TRUNCATE`, because SQLite syncs the end of such a journal: one that is only deleted may come
    /// back after a power cut, and roll back what was written since.
    async fn leave_log(&mut self) -> LoadJournal {
        // Where the question fails, the load that follows fails too, and says why.
        let first = sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM batch)")
            .fetch_one(&mut self.connection)
            .await
            .unwrap_or(false);
        let left = first
            && self
                .set_journal(ROLLBACK_JOURNAL)
                .await
                .is_ok_and(|journal| journal == "truncate");
        if left {
            LoadJournal::Rollback
        } else {
            LoadJournal::WriteAheadLog
        }
    }

    /// Makes the connection after a load what it was before.
    async fn restore(&mut self, journal: LoadJournal) -> Result<(), StoreError> {
        let checks = self.set_parent_check(ParentCheck::On).await;
        let logs = match journal {
            LoadJournal::Rollback => self.enter_log().await,
            LoadJournal::WriteAheadLog => Ok(()),
        };
        let _ = self.set_cache(Cache::Usual).await;
        checks.and(logs)
    }

    pub(super) async fn set_cache(&mut self, cache: Cache) -> Result<(), StoreError> {
        let statement = match cache {
            Cache::Large => "PRAGMA cache_size = -24576",
            Cache::Usual => "PRAGMA cache_size = -2000",
        };
        sqlx::query(statement).execute(&mut self.connection).await?;
        Ok(())
    }

    async fn set_parent_check(&mut self, check: ParentCheck) -> Result<(), StoreError> {
        let statement = match check {
            ParentCheck::On => "PRAGMA foreign_keys = ON",
            ParentCheck::Off => "PRAGMA foreign_keys = OFF",
        };
        sqlx::query(statement).execute(&mut self.connection).await?;
        // Within a transaction SQLite ignores the word, and says nothing.
        let checks: bool = sqlx::query_scalar("SELECT foreign_keys FROM pragma_foreign_keys")
            .fetch_one(&mut self.connection)
            .await?;
        if checks == (check == ParentCheck::On) {
            Ok(())
        } else {
            Err(StoreError::Bug(format!("foreign_keys stayed {checks}")))
        }
    }

    async fn enter_log(&mut self) -> Result<(), StoreError> {
        match self.set_journal(WRITE_AHEAD_LOG).await?.as_str() {
            "wal" => Ok(()),
            _ => Err(StoreError::Busy),
        }
    }
}

/// Inside a transaction that reads.
async fn preview<E: std::error::Error + 'static>(
    connection: &mut SqliteConnection,
    batch: &NewBatch,
    policy: EnqueuePolicy,
    rows: &mut Rows<'_, E>,
    queued: &mut (dyn FnMut(&NewJob) + Send),
) -> Result<Preview, EnqueueError<E>> {
    if let Some(conflict) = other_provider(connection, batch).await? {
        return Err(EnqueueError::Conflict(conflict));
    }
    let mut past = past(connection, batch.action, policy).await?;
    let mut jobs = 0;
    loop {
        let mut chunk = next_rows(rows, ROWS_PER_STATEMENT)?;
        if chunk.is_empty() {
            break;
        }
        settle(connection, &mut past, None, &mut chunk).await?;
        jobs += chunk.len() as u64;
        chunk.iter().for_each(&mut *queued);
    }
    let left_out = past.conclude().map_err(EnqueueError::Conflict)?;
    Ok(Preview {
        queued: jobs,
        left_out,
    })
}

/// Inside a transaction that writes, which is to be rolled back unless there is a new batch.
async fn insert_all<E: std::error::Error + 'static>(
    connection: &mut SqliteConnection,
    batch: &NewBatch,
    policy: EnqueuePolicy,
    rows: &mut Rows<'_, E>,
) -> Result<Enqueued, EnqueueError<E>> {
    if let Some(conflict) = other_provider(connection, batch).await? {
        return Err(EnqueueError::Conflict(conflict));
    }
    let mut past = past(connection, batch.action, policy).await?;
    let id = create_batch(connection, batch).await?;
    let (mut queued, mut all) = (0, 0);
    let mut chunk = Vec::new();
    let mut insertion = None;
    loop {
        // SQLite works in a thread of its own: while it inserts, the next rows are made ready.
        let (inserted, ready) = tokio::join!(
            biased;
            insert(connection, insertion),
            async { (Insertion::of(id, &chunk), next_rows(rows, ROWS_PER_STATEMENT)) }
        );
        inserted?;
        insertion = ready.0;
        chunk = ready.1?;
        if chunk.is_empty() && insertion.is_none() {
            break;
        }
        all += chunk.len() as u64;
        settle(connection, &mut past, Some(id), &mut chunk).await?;
        queued += chunk.len() as u64;
    }
    open_tally(connection, id, queued).await?;
    let left_out = past.conclude().map_err(EnqueueError::Conflict)?;
    write_rows(connection, id, left_out.of_rows(all)).await?;
    Ok(Enqueued {
        batch: (queued > 0).then_some(id),
        queued,
        left_out,
    })
}

async fn create_batch(
    connection: &mut SqliteConnection,
    batch: &NewBatch,
) -> Result<BatchId, StoreError> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO batch (action, identity, provider, api_url, number, manifest, path, created_ms, account, account_label, plan, options, rows, sheet)
         SELECT ?1, ?2, ?3, ?4, coalesce(max(number), 0) + 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
         FROM batch WHERE identity = ?2 AND provider = ?3 RETURNING id",
    )
    .bind(batch.action.as_str())
    .bind(batch.identity.as_slice())
    .bind(&batch.provider)
    .bind(&batch.api_url)
    .bind(&batch.manifest)
    .bind(batch.path.as_os_str().as_bytes())
    .bind(time::now_ms())
    .bind(batch.owner.as_ref().map(|owner| owner.id.as_str()))
    .bind(batch.owner.as_ref().and_then(|owner| owner.label.as_deref()))
    .bind(&batch.plan)
    .bind(batch.options.as_ref().map(serde_json::Value::to_string))
    .bind(json(&SheetRows::default()))
    .bind(&batch.sheet)
    .fetch_one(connection)
    .await?;
    Ok(BatchId(id))
}

/// What became of the manifest's rows is known when all of them were read.
async fn write_rows(
    connection: &mut SqliteConnection,
    id: BatchId,
    rows: SheetRows,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE batch SET rows = ?2 WHERE id = ?1")
        .bind(id.0)
        .bind(json(&rows))
        .execute(connection)
        .await?;
    Ok(())
}

async fn open_tally(
    connection: &mut SqliteConnection,
    id: BatchId,
    queued: u64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO tally (batch_id, state, jobs)
         SELECT ?1, value, iif(value = 'queued', ?2, 0)
         FROM json_each('[\"queued\",\"submitting\",\"in_progress\",\"in_doubt\",\"held\",\"done\",\"failed\",\"cancelled\"]')",
    )
    .bind(id.0)
    .bind(i64::try_from(queued).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(())
}
