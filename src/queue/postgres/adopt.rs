//! A database that is not the one in which the ledger was written: since when somebody knows, what has to
//! be doubted, and the word that the ledger goes on in it.

use super::command::{JOBS_PER_WAVE, OF_STATES};
use super::handle::PostgresQueue;
use super::record::write_all;
use super::session::Transaction;
use super::text::{no_nul, queued_jobs};
use crate::job::BatchId;
use crate::queue::StoreError;
use crate::queue::operator::doubted;
use crate::queue::stored::{end_of, job_id};

/// What an intent that is missing here can have been written for.
const SENT: [&str; 3] = ["queued", "submitting", "in_doubt"];

const NOTICED: &str = "SELECT noticed_why, (extract(epoch FROM noticed_at) * 1000000)::bigint,
            (extract(epoch FROM clock_timestamp()) * 1000)::bigint
     FROM origin WHERE noticed_at IS NOT NULL";

/// The database $2, $3 is the ledger's from now on, by the word of $5 for the reason $6; unless it was
/// noticed anew since $1. $4: how often this host has seen it adopted.
const ADOPT: &str = "WITH adopted AS (
         UPDATE origin SET system_id = $2, timeline = $3, adoptions = greatest(adoptions, $4) + 1,
                noticed_at = NULL, noticed_why = NULL, noticed_system_id = NULL, noticed_timeline = NULL,
                noticed_adoptions = NULL, noticed_line = NULL
         WHERE (extract(epoch FROM noticed_at) * 1000000)::bigint = $1 RETURNING adoptions)
     INSERT INTO adoption (adoptions, operator, reason, system_id, timeline)
     SELECT adoptions, $5, $6, $2, $3 FROM adopted";

/// Somebody has noticed that the database is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What shows it.
    pub why: String,
    at_us: i64,
    /// The server's time, as Unix time.
    pub now_ms: i64,
}

impl Notice {
    /// When it was noticed, as Unix time by the server's clock.
    pub fn at_ms(&self) -> i64 {
        self.at_us.div_euclid(1000)
    }
}

impl PostgresQueue {
    /// What was noticed of this database; `None`: it is the ledger's.
    pub async fn noticed(&mut self) -> Result<Option<Notice>, StoreError> {
        let noticed: Option<(String, i64, i64)> =
            self.session.maybe(sqlx::query_as(NOTICED)).await?;
        Ok(noticed.map(|(why, at_us, now_ms)| Notice { why, at_us, now_ms }))
    }

    /// Puts all jobs of `batches` in doubt that may have been sent without a trace in this database, and holds
    /// them; from now on the ledger is this database's. Returns how many of each batch; `None`: somebody else
    /// has adopted it, or it was noticed anew since `notice`, and nothing was changed.
    pub async fn adopt(
        &mut self,
        notice: &Notice,
        batches: &[BatchId],
        (operator, reason): (&str, &str),
        at_ms: i64,
    ) -> Result<Option<Vec<(BatchId, u64)>>, StoreError> {
        let identity = self.session.identity;
        let seen = self.session.sight.mark().map_or(0, |mark| mark.adoptions);
        let adopt = sqlx::query(ADOPT)
            .bind(notice.at_us)
            .bind(identity.system)
            .bind(identity.timeline)
            .bind(i32::try_from(seen).unwrap_or(i32::MAX))
            .bind(no_nul(operator))
            .bind(no_nul(reason));
        let why = format!("{}: {reason}", notice.why);
        let mut transaction = self.session.begin().await?;
        let adopted = async {
            if transaction.execute(adopt).await? == 0 {
                return Ok(None);
            }
            let mut doubts = Vec::new();
            for &batch in batches {
                let count = doubt(&mut transaction, batch, &why, at_ms).await?;
                doubts.push((batch, count));
            }
            Ok(Some(doubts))
        }
        .await;
        transaction.conclude(adopted).await
    }
}

/// Doubts what may have been sent of `batch`; returns how many.
async fn doubt(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    why: &str,
    at_ms: i64,
) -> Result<u64, StoreError> {
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
            return Ok(count);
        };
        after = last.id.stored();
        let mut steps = Vec::new();
        for job in jobs.into_iter().filter(|job| !job.record.held) {
            count += 1;
            steps.extend(doubted(job, why.to_owned(), at_ms)?);
        }
        write_all(transaction, batch, &steps).await?;
    }
}
