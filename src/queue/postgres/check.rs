//! `refleet verify`: looks for what a sound database never shows. All of it is of one state.

use std::collections::HashMap;

use super::handle::PostgresQueue;
use super::session::Session;
use super::text::{job_as_text, queued_jobs};
use crate::job::JobId;
use crate::queue::stored::{StoredEntry, Tallied, compare, flaw_of_control};
use crate::queue::{Flaw, StoreError};

const JOBS_PER_READING: i64 = 4096;

/// The triggers without which the ledger would not be append-only, that somebody has switched off.
const SWITCHED_OFF: &str = "SELECT tgname::text FROM pg_trigger
     WHERE tgrelid IN ('batch'::regclass, 'ledger'::regclass, 'control'::regclass, 'fence'::regclass,
                       'testimony'::regclass, 'testimony_heard'::regclass, 'adoption'::regclass) AND NOT tgisinternal AND tgenabled <> 'O'";

impl PostgresQueue {
    /// Looks for flaws: the ledger's fold against each job, the tally against the jobs, passwords that
    /// should be gone, impossible times, protections that are switched off. Hands each to `found`; returns
    /// the number of jobs looked at.
    pub async fn check(&mut self, found: &mut (dyn FnMut(Flaw) + Send)) -> Result<u64, StoreError> {
        let batches = self.batches().await?;
        let mut transaction = self.session.begin_reading().await?;
        let mut tallied = Tallied::default();
        let jobs = check_jobs(&mut transaction, &mut tallied, found).await?;
        let general = |what: String| Flaw {
            service: None,
            what,
        };
        check_rest(&mut transaction, &mut |what| found(general(what))).await?;
        transaction.rollback().await;
        for what in tallied.differences(&batches) {
            found(general(what));
        }
        Ok(jobs)
    }
}

async fn check_jobs(
    session: &mut Session,
    tallied: &mut Tallied,
    found: &mut (dyn FnMut(Flaw) + Send),
) -> Result<u64, StoreError> {
    let (mut jobs, mut after) = (0, 0);
    loop {
        let read = sqlx::query_as(concat!(
            "SELECT ",
            job_as_text!(),
            " FROM job WHERE id > $1 ORDER BY id LIMIT $2"
        ));
        let read = read.bind(after).bind(JOBS_PER_READING);
        let some = queued_jobs(&session.all(read).await?)?;
        let Some((first, last)) = some.first().zip(some.last()) else {
            return Ok(jobs);
        };
        let histories = histories(session, first.id, last.id).await?;
        after = last.id.stored();
        jobs += some.len() as u64;
        for job in &some {
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
}

async fn check_rest(
    session: &mut Session,
    found: &mut (dyn FnMut(String) + Send),
) -> Result<(), StoreError> {
    let secrets = sqlx::query_as(
        "SELECT count(*) FROM secret JOIN job ON job.id = secret.job_id
         WHERE job.state = 'cancelled' OR job.state = 'done' AND coalesce(job.hook IN ('done', 'forgotten'), true)",
    );
    let (secrets,): (i64,) = session.one(secrets).await?;
    if secrets > 0 {
        found(format!(
            "{secrets} passwords of finished jobs were not erased"
        ));
    }
    let control = sqlx::query_as(
        "SELECT control.seq, control.kind, control.body::text, run.id IS NOT NULL AND run.batch_id <> control.batch_id
         FROM control LEFT JOIN run ON run.id = control.run_id ORDER BY control.seq",
    );
    for what in session
        .all(control)
        .await?
        .into_iter()
        .filter_map(flaw_of_control)
    {
        found(what);
    }
    let triggers: Vec<(String,)> = session.all(sqlx::query_as(SWITCHED_OFF)).await?;
    for (name,) in triggers {
        found(format!("trigger {name} is switched off"));
    }
    Ok(())
}

/// The entries of each job, as they stand there.
async fn histories(
    session: &mut Session,
    first: JobId,
    last: JobId,
) -> Result<HashMap<JobId, Vec<StoredEntry>>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT job_id, seq, at_ms, body::text FROM ledger WHERE job_id BETWEEN $1 AND $2 ORDER BY job_id, seq",
    );
    let rows = rows.bind(first.stored()).bind(last.stored());
    let rows: Vec<(i64, i64, i64, String)> = session.all(rows).await?;
    let mut histories: HashMap<JobId, Vec<StoredEntry>> = HashMap::new();
    for (job, seq, at_ms, body) in rows {
        let entries = histories.entry(JobId::from_stored(job)).or_default();
        entries.push(StoredEntry {
            seq,
            at_ms,
            entry: serde_json::from_str(&body).ok(),
        });
    }
    Ok(histories)
}
