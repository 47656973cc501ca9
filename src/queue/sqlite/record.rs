//! How jobs move: the one transaction that every tick of a run and every operator's word is.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde::ser::SerializeSeq;
use sqlx::SqliteConnection;

use super::Queue;
use crate::job::{BatchId, Entry, Evidence, JobId, RunId, Standing, State, Transition};
use crate::queue::QueueError;

impl Queue {
    /// Writes `transitions` of jobs of `batch` in one durable transaction, each only where its job
    /// still stands as the transition believes. Returns the jobs that had moved meanwhile (an
    /// operator's command beside the run): nothing was written for them.
    ///
    /// After an error nobody knows whether the transaction was committed. To write the same
    /// transitions again is safe: what was committed has moved and is left alone.
    pub async fn record(
        &mut self,
        batch: BatchId,
        run: Option<RunId>,
        transitions: &[Transition],
    ) -> Result<HashSet<JobId>, QueueError> {
        if transitions.is_empty() {
            return Ok(HashSet::new());
        }
        self.begin().await?;
        match write(&mut self.connection, batch, run, transitions).await {
            Ok(missed) => {
                crate::failpoint!("before_commit");
                self.commit().await?;
                crate::failpoint!("after_commit");
                Ok(missed)
            }
            Err(error) => {
                self.rollback().await;
                Err(error)
            }
        }
    }

    /// Takes the write lock at once: a reading transaction that wants to write later can fail.
    pub(super) async fn begin(&mut self) -> Result<(), QueueError> {
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<(), QueueError> {
        let result = match self.files.look(&self.path) {
            Ok(()) => sqlx::query("COMMIT")
                .execute(&mut self.connection)
                .await
                .map(|_| ())
                .map_err(QueueError::from),
            Err(error) => Err(error),
        };
        if result.is_err() {
            self.rollback().await;
        }
        result
    }

    /// Best effort: SQLite has rolled back by itself after most errors, and a connection that
    /// cannot roll back loses the transaction when it closes.
    pub(super) async fn rollback(&mut self) {
        let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
    }
}

/// Inside a transaction: moves the jobs, writes the ledger, keeps the tally, erases passwords.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    batch: BatchId,
    run: Option<RunId>,
    transitions: &[Transition],
) -> Result<HashSet<JobId>, QueueError> {
    let mut missed = HashSet::new();
    let mut rest = transitions;
    while !rest.is_empty() {
        // One statement moves a job once: a second step of the same job begins a second wave.
        let mut seen = HashSet::with_capacity(rest.len());
        let end = rest
            .iter()
            .position(|step| !seen.insert(step.job))
            .unwrap_or(rest.len());
        let (wave, later) = rest.split_at(end);
        write_wave(connection, batch, run, wave, &mut missed).await?;
        rest = later;
    }
    Ok(missed)
}

async fn write_wave(
    connection: &mut SqliteConnection,
    batch: BatchId,
    run: Option<RunId>,
    wave: &[Transition],
    missed: &mut HashSet<JobId>,
) -> Result<(), QueueError> {
    let rows = json(&wave.iter().map(JobRow).collect::<Vec<_>>());
    let moved: Vec<i64> = sqlx::query_scalar(MOVE_JOBS)
        .bind(rows)
        .fetch_all(&mut *connection)
        .await?;
    let written: Vec<&Transition> = if moved.len() == wave.len() {
        wave.iter().collect()
    } else {
        let moved: HashSet<i64> = moved.into_iter().collect();
        missed.extend(
            wave.iter()
                .map(|step| step.job)
                .filter(|job| !moved.contains(&job.0)),
        );
        wave.iter()
            .filter(|step| moved.contains(&step.job.0))
            .collect()
    };
    if written.is_empty() {
        return Ok(());
    }

    let entries = json(
        &written
            .iter()
            .map(|step| LedgerRow(step))
            .collect::<Vec<_>>(),
    );
    sqlx::query(
        "INSERT INTO ledger (job_id, run_id, attempt, kind, at_ms, body)
         SELECT value ->> 0, ?1, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?2)",
    )
    .bind(run.map(|run| run.0))
    .bind(entries)
    .execute(&mut *connection)
    .await?;

    let erased: Vec<i64> = written
        .iter()
        .filter(|step| matches!(step.to.state, State::Done | State::Cancelled))
        .map(|step| step.job.0)
        .collect();
    if !erased.is_empty() {
        sqlx::query("DELETE FROM secret WHERE job_id IN (SELECT value FROM json_each(?1))")
            .bind(json(&erased))
            .execute(&mut *connection)
            .await?;
    }

    keep_tally(connection, batch, &written).await
}

async fn keep_tally(
    connection: &mut SqliteConnection,
    batch: BatchId,
    written: &[&Transition],
) -> Result<(), QueueError> {
    let mut change: HashMap<&'static str, i64> = HashMap::new();
    for step in written {
        *change.entry(step.from.0.as_str()).or_default() -= 1;
        *change.entry(step.to.state.as_str()).or_default() += 1;
        // Only the word `held` sets the flag, and every step out of doubt clears it.
        if matches!(step.entry, Entry::Held { .. }) {
            *change.entry("held").or_default() += 1;
        } else if step.was_held {
            *change.entry("held").or_default() -= 1;
        }
    }
    change.retain(|_, jobs| *jobs != 0);
    let changes: Vec<(&str, i64)> = change.into_iter().collect();
    let touched_ms = written.iter().map(|step| step.at_ms).max().unwrap_or(0);
    sqlx::query(
        "UPDATE tally SET jobs = jobs + (change.value ->> 1) FROM json_each(?2) AS change
         WHERE batch_id = ?1 AND state = change.value ->> 0",
    )
    .bind(batch.0)
    .bind(json(&changes))
    .execute(&mut *connection)
    .await?;
    sqlx::query("UPDATE batch SET touched_ms = max(touched_ms, ?2) WHERE id = ?1")
        .bind(batch.0)
        .bind(touched_ms)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

const MOVE_JOBS: &str = "
    UPDATE job SET
        state = step.v ->> 3, attempt = step.v ->> 4, retries = step.v ->> 5,
        executed_before = step.v ->> 6, executed_now = step.v ->> 7, evidence = step.v ->> 8,
        held = step.v ->> 9, rebuilding_seen = step.v ->> 10, not_before_ms = step.v ->> 11,
        intent_ms = step.v ->> 12, submitted_ms = step.v ->> 13, completed_ms = step.v ->> 14,
        error_kind = step.v ->> 15, error = step.v ->> 16, baseline = step.v ->> 17,
        target = step.v ->> 18, accepted = step.v ->> 19
    FROM (SELECT value AS v FROM json_each(?1)) AS step
    WHERE job.id = step.v ->> 0 AND job.state = step.v ->> 1 AND job.attempt = step.v ->> 2
    RETURNING job.id";

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data is always JSON")
}

/// A transition as one row for [`MOVE_JOBS`]: the guard, then the standing in the statement's order.
struct JobRow<'a>(&'a Transition);

impl Serialize for JobRow<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Transition { job, from, to, .. } = self.0;
        // Destructured, so that a new field cannot be forgotten here.
        let Standing {
            state,
            attempt,
            retries,
            executed_before,
            executed_now,
            evidence,
            held,
            accepted,
            rebuilding_seen,
            not_before_ms,
            intent_ms,
            submitted_ms,
            completed_ms,
            failure,
            baseline,
            target,
        } = to;
        let mut row = serializer.serialize_seq(Some(20))?;
        row.serialize_element(job)?;
        row.serialize_element(from.0.as_str())?;
        row.serialize_element(&from.1)?;
        row.serialize_element(state.as_str())?;
        row.serialize_element(attempt)?;
        row.serialize_element(retries)?;
        row.serialize_element(executed_before.as_str())?;
        row.serialize_element(executed_now.as_str())?;
        row.serialize_element(&evidence.map(Evidence::as_str))?;
        row.serialize_element(&u8::from(*held))?;
        row.serialize_element(&u8::from(*rebuilding_seen))?;
        row.serialize_element(not_before_ms)?;
        row.serialize_element(intent_ms)?;
        row.serialize_element(submitted_ms)?;
        row.serialize_element(completed_ms)?;
        row.serialize_element(&failure.as_ref().map(|failure| &failure.error_kind))?;
        row.serialize_element(&failure.as_ref().map(|failure| &failure.error))?;
        // An object: `->>` hands it over as JSON text, which is what the column holds.
        row.serialize_element(baseline)?;
        row.serialize_element(target)?;
        row.serialize_element(&u8::from(*accepted))?;
        row.end()
    }
}

/// A transition as one row of the ledger.
struct LedgerRow<'a>(&'a Transition);

impl Serialize for LedgerRow<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Transition {
            job,
            to,
            entry,
            at_ms,
            ..
        } = self.0;
        (job, to.attempt, entry.kind(), at_ms, entry).serialize(serializer)
    }
}
