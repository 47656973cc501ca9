//! `refleet verify`: looks for what a sound database never shows.

use std::collections::HashMap;

use sqlx::Row;

use super::handle::SqliteQueue;
use super::text::{job_as_text, queued_job};
use crate::job::JobId;
use crate::queue::stored::{StoredEntry, Tallied, compare};
use crate::queue::{Flaw, StoreError};

const JOBS_PER_READING: i64 = 1024;

impl SqliteQueue {
    /// Looks for flaws: SQLite's own checks, the ledger's fold against each job, the tally against
    /// the jobs, passwords that should be gone, impossible times. Hands each to `found`; returns
    /// the number of jobs looked at.
    pub async fn check(&mut self, found: &mut (dyn FnMut(Flaw) + Send)) -> Result<u64, StoreError> {
        let general = |what: String| Flaw {
            service: None,
            what,
        };
        let integrity: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
            .fetch_all(&mut self.connection)
            .await?;
        for line in integrity.into_iter().filter(|line| line != "ok") {
            found(general(format!("SQLite's integrity check: {line}")));
        }
        let orphans = sqlx::query("PRAGMA foreign_key_check")
            .fetch_all(&mut self.connection)
            .await?;
        for row in &orphans {
            let table: String = row.try_get(0)?;
            let id: Option<i64> = row.try_get(1)?;
            let of: String = row.try_get(2)?;
            found(general(format!(
                "row {} of table {table} belongs to no row of {of}",
                id.unwrap_or(0)
            )));
        }
        let secrets = self.unerased_secrets().await?;
        if secrets > 0 {
            found(general(format!(
                "{secrets} passwords of finished jobs were not erased"
            )));
        }

        for what in self.flaws_of_control().await? {
            found(general(what));
        }

        let mut jobs = 0;
        let mut tallied = Tallied::default();
        let mut after = 0;
        loop {
            let rows = sqlx::query(concat!(
                "SELECT ",
                job_as_text!(),
                " FROM job WHERE id > ?1 ORDER BY id LIMIT ?2"
            ))
            .bind(after)
            .bind(JOBS_PER_READING)
            .fetch_all(&mut self.connection)
            .await?;
            let batch = rows.iter().map(queued_job).collect::<Result<Vec<_>, _>>()?;
            let Some((first, last)) = batch.first().zip(batch.last()) else {
                break;
            };
            let histories = self.histories(first.id, last.id).await?;
            after = last.id.stored();
            jobs += batch.len() as u64;
            for job in &batch {
                tallied.count(job);
                let history = histories.get(&job.id).map_or(&[][..], Vec::as_slice);
                if let Some(what) = compare(job, history) {
                    found(Flaw {
                        service: Some(job.service),
                        what,
                    });
                }
            }
        }
        for what in tallied.differences(&self.batches().await?) {
            found(general(what));
        }
        Ok(jobs)
    }

    /// Passwords of jobs that are over.
    async fn unerased_secrets(&mut self) -> Result<i64, StoreError> {
        let secrets = sqlx::query_scalar(
            "SELECT count(*) FROM secret JOIN job ON job.id = secret.job_id
             WHERE job.state = 'cancelled' OR job.state = 'done' AND coalesce(job.hook IN ('done', 'forgotten'), true)",
        )
        .fetch_one(&mut self.connection)
        .await?;
        Ok(secrets)
    }

    /// The entries of each job, as they stand there.
    async fn histories(
        &mut self,
        first: JobId,
        last: JobId,
    ) -> Result<HashMap<JobId, Vec<StoredEntry>>, StoreError> {
        let rows = sqlx::query(
            "SELECT job_id, seq, at_ms, body FROM ledger WHERE job_id BETWEEN ?1 AND ?2 ORDER BY job_id, seq",
        )
        .bind(first.stored())
        .bind(last.stored())
        .fetch_all(&mut self.connection)
        .await?;
        let mut histories: HashMap<JobId, Vec<StoredEntry>> = HashMap::new();
        for row in &rows {
            let body: &str = row.try_get(3)?;
            let job = JobId::from_stored(row.try_get(0)?);
            histories.entry(job).or_default().push(StoredEntry {
                seq: row.try_get(1)?,
                at_ms: row.try_get(2)?,
                entry: serde_json::from_str(body).ok(),
            });
        }
        Ok(histories)
    }
}
