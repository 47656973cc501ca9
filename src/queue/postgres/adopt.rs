//! A database that is not the one in which a batch was made: what has to be doubted.

use super::command::{JOBS_PER_WAVE, OF_STATES};
use super::connect::Identity;
use super::handle::PostgresQueue;
use super::record::write_all;
use super::session::Transaction;
use super::text::queued_jobs;
use crate::job::BatchId;
use crate::queue::StoreError;
use crate::queue::operator::doubted;
use crate::queue::stored::{end_of, job_id};

/// What an intent that is missing here can have been written for.
const SENT: [&str; 3] = ["queued", "submitting", "in_doubt"];

const LOCK: &str = "SELECT system_id, timeline FROM batch WHERE id = $1 FOR NO KEY UPDATE";

impl PostgresQueue {
    /// Puts all jobs of `batch` in doubt that may have been sent without a trace in this database, and holds
    /// them; returns how many. From now on the batch is this database's. `None`: it was already, by the word
    /// of somebody else.
    pub async fn adopt(
        &mut self,
        batch: BatchId,
        reason: &str,
        at_ms: i64,
    ) -> Result<Option<u64>, StoreError> {
        let identity = self.session.identity;
        let why = format!("this is not the database in which it was ordered: {reason}");
        let mut transaction = self.session.begin().await?;
        let result = adopt(&mut transaction, batch, identity, &why, at_ms).await;
        transaction.conclude(result).await
    }
}

async fn adopt(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    identity: Identity,
    why: &str,
    at_ms: i64,
) -> Result<Option<u64>, StoreError> {
    // Two who say it at once are one after the other.
    let of_batch = sqlx::query_as(LOCK).bind(batch.0);
    let known: (i64, i64) = transaction.one(of_batch).await?;
    if known == (identity.system, identity.timeline) {
        return Ok(None);
    }
    let mut count = 0;
    let mut after = job_id(batch, 0).stored();
    loop {
        let sent = sqlx::query_as(OF_STATES)
            .bind(after)
            .bind(end_of(batch))
            .bind(&SENT[..])
            .bind(JOBS_PER_WAVE);
        let jobs = queued_jobs(&transaction.all(sent).await?)?;
        let Some(last) = jobs.last() else {
            break;
        };
        after = last.id.stored();
        let mut steps = Vec::new();
        for job in jobs.into_iter().filter(|job| !job.record.held) {
            count += 1;
            steps.extend(doubted(job, why.to_owned(), at_ms)?);
        }
        write_all(transaction, batch, &steps).await?;
    }
    let ours = sqlx::query("UPDATE batch SET system_id = $2, timeline = $3 WHERE id = $1");
    let ours = ours
        .bind(batch.0)
        .bind(identity.system)
        .bind(identity.timeline);
    transaction.execute(ours).await?;
    Ok(Some(count))
}
