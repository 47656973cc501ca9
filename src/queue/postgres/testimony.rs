//! The late word: what a process that has lost its lease still has to say of its submissions. It moves no
//! job by itself.

use super::handle::PostgresQueue;
use super::text::json_text;
use crate::job::{BatchId, JobId, LedgerEntry, RunId, ServiceId};
use crate::queue::stored::damaged;
use crate::queue::{StoreError, Tenure};

/// An outcome of a submission, and whose it was.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LateWord {
    /// The job.
    pub job: JobId,
    /// Which of its attempts.
    pub attempt: u32,
    /// The run that made it.
    pub run: RunId,
    /// For which stretch that had the lease: a database that was restored gives the same number to another run.
    #[serde(default)]
    pub tenure: String,
    /// When it was learned, as Unix time by the clock of the machine that says it.
    pub at_ms: i64,
    /// What the ledger would have said.
    pub entry: LedgerEntry,
}

/// A late word that nobody has heard yet.
#[derive(Debug)]
pub struct Unheard {
    /// Its number.
    pub id: i64,
    /// What it says.
    pub word: LateWord,
    /// Who says it.
    pub tenure: Tenure,
    /// Of which instance it speaks.
    pub service: ServiceId,
    /// Who has made the job's present attempt, where that is who says it.
    pub sender: Option<Tenure>,
}

const SAY: &str = "WITH sender AS (SELECT * FROM run WHERE id = $3 AND tenure::text = $6),
     said AS (
         INSERT INTO testimony (job_id, attempt, epoch, run_id, holder, host, said_at_ms, entry)
         SELECT $1, $2, coalesce(sender.epoch, 0), sender.id, sender.tenure, sender.host, $4, $5::json FROM sender
         WHERE NOT EXISTS (
             SELECT 1 FROM testimony WHERE job_id = $1 AND attempt = $2 AND run_id = $3 AND entry::text = $5))
     SELECT EXISTS (SELECT 1 FROM sender)";

const UNHEARD: &str =
    "SELECT testimony.id, testimony.attempt, testimony.run_id, testimony.said_at_ms, testimony.entry::text,
            run.tenure::text, run.epoch, run.host, (extract(epoch FROM run.since) * 1000)::bigint,
            EXISTS (SELECT 1 FROM ledger WHERE job_id = job.id AND attempt = job.attempt AND kind = 'intent'
                                               AND run_id = testimony.run_id),
            job.id, job.service_id
     FROM testimony
     JOIN run ON run.id = testimony.run_id
     JOIN job ON job.id = testimony.job_id
     WHERE job.batch_id = $1
       AND NOT EXISTS (SELECT 1 FROM testimony_heard WHERE testimony_id = testimony.id)
     ORDER BY testimony.id";

type UnheardRow = (
    i64,
    i32,
    i64,
    i64,
    String,
    String,
    Option<i64>,
    String,
    i64,
    bool,
    i64,
    i64,
);

impl PostgresQueue {
    /// Keeps `word`, whoever has the lease by now. To say it twice is to say it once. `false`: its run is not in
    /// this database, which lost it, and the word is not kept.
    pub async fn testify(&mut self, word: &LateWord) -> Result<bool, StoreError> {
        let say = sqlx::query_as(SAY)
            .bind(word.job.stored())
            .bind(i32::try_from(word.attempt).unwrap_or(i32::MAX))
            .bind(word.run.0)
            .bind(word.at_ms)
            .bind(json_text(&word.entry))
            .bind(&word.tenure);
        let (is_known,) = self.session.one(say).await?;
        Ok(is_known)
    }

    /// The late words of `batch` that nobody has heard yet, in the order in which they were said.
    pub async fn unheard(&mut self, batch: BatchId) -> Result<Vec<Unheard>, StoreError> {
        let unheard = sqlx::query_as(UNHEARD).bind(batch.0);
        let rows: Vec<UnheardRow> = self.session.all(unheard).await?;
        let mut words = Vec::with_capacity(rows.len());
        for (id, attempt, run, at_ms, entry, tenure, epoch, host, since_ms, is_its, job, service) in
            rows
        {
            let word = LateWord {
                job: JobId::from_stored(job),
                attempt: u32::try_from(attempt).map_err(|_| damaged("a testimony"))?,
                run: RunId(run),
                tenure: tenure.clone(),
                at_ms,
                entry: serde_json::from_str(&entry).map_err(|_| damaged("a testimony"))?,
            };
            let tenure = Tenure {
                id: tenure.parse().map_err(|_| damaged("a tenure"))?,
                epoch: epoch.ok_or_else(|| damaged("a tenure"))?,
                host,
                since_ms,
            };
            words.push(Unheard {
                id,
                word,
                sender: is_its.then(|| tenure.clone()),
                tenure,
                service: ServiceId::new(service).ok_or_else(|| damaged("a service id"))?,
            });
        }
        Ok(words)
    }

    /// The late word with the number `id` was heard, and is not heard again.
    pub async fn heard(&mut self, id: i64) -> Result<(), StoreError> {
        let heard = sqlx::query(
            "INSERT INTO testimony_heard (testimony_id) VALUES ($1) ON CONFLICT DO NOTHING",
        );
        self.session.execute(heard.bind(id)).await?;
        Ok(())
    }
}
