//! How jobs move: the one transaction that every tick of a run and every operator's word is.

use std::collections::{HashMap, HashSet};

use sqlx::SqliteConnection;

use super::Queue;
use super::change::{grouped_by_shape, move_jobs};
use super::rows::json;
use super::statement::{Statement, bound, padded, values};
use crate::job::{BatchId, JobId, LedgerEntry, RunId, State, Transition};
use crate::queue::QueueError;

/// Rows that go to SQLite as one statement: whatever changes, its 32,766 bound values are enough.
const ROWS_PER_STATEMENT: usize = 256;

pub(super) const STANDING: &str =
    "SELECT job.id FROM json_each(?1) AS step CROSS JOIN job ON job.id = step.value ->> 0
     WHERE job.state = step.value ->> 1 AND job.attempt = step.value ->> 2";

pub(super) const ERASE: &str =
    "DELETE FROM secret WHERE job_id IN (SELECT value FROM json_each(?1))";

pub(super) const COUNT: &str =
    "UPDATE tally SET jobs = jobs + (change.value ->> 1), moved_ms = max(moved_ms, ?3)
     FROM json_each(?2) AS change
     WHERE batch_id = ?1 AND state = change.value ->> 0";

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
        transitions: impl IntoIterator<Item = &Transition>,
    ) -> Result<HashSet<JobId>, QueueError> {
        let transitions: Vec<&Transition> = transitions.into_iter().collect();
        if transitions.is_empty() {
            return Ok(HashSet::new());
        }
        // That a job has moved is rare: only then is it asked which, in a second transaction.
        for look in [false, true] {
            self.begin().await?;
            match write(&mut self.connection, batch, run, &transitions, look).await {
                Ok(Some(missed)) => {
                    crate::failpoint!("before_commit");
                    self.commit().await?;
                    crate::failpoint!("after_commit");
                    return Ok(missed);
                }
                Ok(None) => self.rollback().await,
                Err(error) => {
                    self.rollback().await;
                    return Err(error);
                }
            }
        }
        Err(QueueError::Bug(
            "a job moved inside a transaction that nobody else writes in".to_owned(),
        ))
    }
}

/// Inside a transaction: moves the jobs, writes the ledger, keeps the tally, erases passwords.
///
/// With `look` it first asks which of the jobs still stand where their transitions begin, moves
/// only those, and returns the others. Without, all of them must: else `None`, and the transaction
/// must be rolled back.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    batch: BatchId,
    run: Option<RunId>,
    transitions: &[&Transition],
    look: bool,
) -> Result<Option<HashSet<JobId>>, QueueError> {
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
        let mut steps = wave.to_vec();
        if look {
            let record = still_standing(connection, wave).await?;
            steps.retain(|step| record.contains(&step.job));
            let moved = wave.iter().map(|step| step.job);
            missed.extend(moved.filter(|job| !record.contains(job)));
        }
        if !write_wave(connection, batch, run, &steps).await? {
            return Ok(None);
        }
        rest = later;
    }
    Ok(Some(missed))
}

/// The jobs that stand where their transitions begin.
async fn still_standing(
    connection: &mut SqliteConnection,
    wave: &[&Transition],
) -> Result<HashSet<JobId>, QueueError> {
    let guards: Vec<_> = wave
        .iter()
        .map(|step| (step.job, step.from.state.as_str(), step.from.attempt))
        .collect();
    let record: Vec<i64> = sqlx::query_scalar(STANDING)
        .bind(json(&guards))
        .fetch_all(connection)
        .await?;
    Ok(record.into_iter().map(JobId).collect())
}

/// Writes steps of different jobs. `false`: not every job stood where its step begins.
async fn write_wave(
    connection: &mut SqliteConnection,
    batch: BatchId,
    run: Option<RunId>,
    written: &[&Transition],
) -> Result<bool, QueueError> {
    if written.is_empty() {
        return Ok(true);
    }
    for (shape, set) in &grouped_by_shape(written) {
        for set in set.chunks(ROWS_PER_STATEMENT) {
            let moved = move_jobs(shape, set)
                .query()
                .execute(&mut *connection)
                .await?;
            if moved.rows_affected() != set.len() as u64 {
                return Ok(false);
            }
        }
    }
    for set in written.chunks(ROWS_PER_STATEMENT) {
        add_entries(run, set)
            .query()
            .execute(&mut *connection)
            .await?;
    }

    let erased: Vec<i64> = written
        .iter()
        .filter(|step| matches!(step.to.state, State::Done | State::Cancelled))
        .map(|step| step.job.0)
        .collect();
    if !erased.is_empty() {
        sqlx::query(ERASE)
            .bind(json(&erased))
            .execute(&mut *connection)
            .await?;
    }

    keep_tally(connection, batch, written).await?;
    Ok(true)
}

async fn keep_tally(
    connection: &mut SqliteConnection,
    batch: BatchId,
    written: &[&Transition],
) -> Result<(), QueueError> {
    let mut change: HashMap<&'static str, i64> = HashMap::new();
    for step in written {
        *change.entry(step.from.state.as_str()).or_default() -= 1;
        *change.entry(step.to.state.as_str()).or_default() += 1;
        // Only the word `held` sets the flag, and every step out of doubt clears it.
        if matches!(step.entry, LedgerEntry::Held { .. }) {
            *change.entry("held").or_default() += 1;
        } else if step.from.held {
            *change.entry("held").or_default() -= 1;
        }
    }
    let changes: Vec<(&str, i64)> = change.into_iter().collect();
    let moved_ms = written.iter().map(|step| step.at_ms).max().unwrap_or(0);
    sqlx::query(COUNT)
        .bind(batch.0)
        .bind(json(&changes))
        .bind(moved_ms)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// The statement that adds the entries of `set` to the ledger, in its order.
pub(super) fn add_entries(run: Option<RunId>, set: &[&Transition]) -> Statement {
    let run = run.map_or_else(|| "NULL".to_owned(), |run| run.0.to_string());
    let mut statement = Statement::new(format!(
        "WITH entry (job_id, attempt, kind, at_ms, body) AS ({values})
         INSERT INTO ledger (job_id, run_id, attempt, kind, at_ms, body)
         SELECT job_id, {run}, attempt, kind, at_ms, body FROM entry WHERE job_id IS NOT NULL",
        values = values(&bound(5), padded(set.len())),
    ));
    for step in set {
        statement.bind(step.job.0);
        statement.bind(step.to.attempt);
        statement.bind(step.entry.kind());
        statement.bind(step.at_ms);
        statement.bind(json(&step.entry));
    }
    statement
}
