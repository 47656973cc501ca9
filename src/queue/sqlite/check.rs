//! `refleet verify`: looks for what a sound database never shows.

use std::collections::HashMap;

use sqlx::Row;

use super::handle::SqliteQueue;
use super::rows::{batch_of, job_as_text, queued_job};
use crate::job::{BatchId, Counts, JobId, JobRecord, LedgerEntry, Submissions};
use crate::queue::{Flaw, QueuedJob, StoreError};
use crate::time;

const JOBS_PER_READING: i64 = 1024;

/// How far a time may lie outside what the order of events allows, since clocks are set back.
const CLOCK_TOLERANCE_MS: i64 = 86_400_000;

/// 2020-01-01: no rebuild was ordered before refleet existed.
const EPOCH_MS: i64 = 1_577_836_800_000;

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
        let mut counted: HashMap<BatchId, Counts> = HashMap::new();
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
                let counts = counted.entry(batch_of(job.id)).or_default();
                *counts.of_mut(job.record.state) += 1;
                counts.held += u64::from(job.record.held);
                let history = histories.get(&job.id).map_or(&[][..], Vec::as_slice);
                if let Some(what) = compare(job, history) {
                    found(Flaw {
                        service: Some(job.service),
                        what,
                    });
                }
            }
        }
        for batch in self.batches().await? {
            let counted = counted.remove(&batch.id).unwrap_or_default();
            if counted != batch.counts {
                found(general(format!(
                    "the tally of batch {} says {:?}, its jobs are {counted:?}",
                    batch.id, batch.counts
                )));
            }
        }
        Ok(jobs)
    }

    /// Passwords of jobs that are over.
    async fn unerased_secrets(&mut self) -> Result<i64, StoreError> {
        let secrets = sqlx::query_scalar(
            "SELECT count(*) FROM secret JOIN job ON job.id = secret.job_id
             WHERE job.state IN ('done', 'cancelled')",
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

/// One line of the ledger.
struct StoredEntry {
    seq: i64,
    at_ms: i64,
    /// `None`: it cannot be read.
    entry: Option<LedgerEntry>,
}

/// What the history of `job` makes of it, or what is wrong with that history.
fn fold(job: &QueuedJob, history: &[StoredEntry]) -> Result<JobRecord, String> {
    let mut record = JobRecord::queued();
    let mut submissions = Submissions::default();
    for StoredEntry { seq, at_ms, entry } in history {
        let wrong = |what: &dyn std::fmt::Display| format!("ledger entry {seq}: {what}");
        let Some(entry) = entry else {
            return Err(format!("ledger entry {seq} cannot be read"));
        };
        submissions
            .see(entry, job.order.action())
            .map_err(|unpermitted| wrong(&unpermitted))?;
        record = record
            .apply(entry, *at_ms)
            .map_err(|illegal| wrong(&illegal))?;
    }
    Ok(record)
}

fn compare(job: &QueuedJob, history: &[StoredEntry]) -> Option<String> {
    match fold(job, history) {
        Err(what) => return Some(what),
        Ok(_) if history.is_empty() && job.record != JobRecord::queued() => {
            return Some(format!(
                "it is {}, and its ledger is empty",
                job.record.state
            ));
        }
        Ok(folded) if folded != job.record => {
            return Some(format!(
                "its ledger says {} after {} submissions, the job says {} after {}{}",
                folded.state,
                folded.attempt,
                job.record.state,
                job.record.attempt,
                if folded.state == job.record.state {
                    " (they differ in other respects)"
                } else {
                    ""
                }
            ));
        }
        Ok(_) => {}
    }
    let JobRecord {
        intent_ms,
        submitted_ms,
        completed_ms,
        ..
    } = job.record;
    let latest_ms = time::now_ms() + CLOCK_TOLERANCE_MS;
    let named = [
        ("intent", intent_ms),
        ("submission", submitted_ms),
        ("completion", completed_ms),
    ];
    for (name, at_ms) in named {
        if let Some(at_ms) = at_ms
            && !(EPOCH_MS..=latest_ms).contains(&at_ms)
        {
            return Some(format!(
                "the time of its {name} is impossible: {}",
                time::rfc3339(at_ms)
            ));
        }
    }
    for ((before, earlier), (after, later)) in [(named[0], named[1]), (named[1], named[2])] {
        if let Some((earlier, later)) = earlier.zip(later)
            && later < earlier - CLOCK_TOLERANCE_MS
        {
            return Some(format!("its {after} lies before its {before}"));
        }
    }
    None
}
