//! How jobs move: the one transaction that every tick of a run and every operator's word is.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::Queue;
use crate::job::{BatchId, Entry, Evidence, JobId, RunId, Standing, State, Transition};
use crate::queue::QueueError;

/// Rows that go to SQLite as one statement: one of 20 columns stays below its 32,766 bound values.
const ROWS_PER_STATEMENT: usize = 256;

pub(super) const STANDING: &str =
    "SELECT job.id FROM json_each(?1) AS step CROSS JOIN job ON job.id = step.value ->> 0
     WHERE job.state = step.value ->> 1 AND job.attempt = step.value ->> 2";

pub(super) const ERASE: &str =
    "DELETE FROM secret WHERE job_id IN (SELECT value FROM json_each(?1))";

pub(super) const TOUCH: &str = "UPDATE batch SET touched_ms = max(touched_ms, ?2) WHERE id = ?1";

pub(super) const COUNT: &str =
    "UPDATE tally SET jobs = jobs + (change.value ->> 1) FROM json_each(?2) AS change
     WHERE batch_id = ?1 AND state = change.value ->> 0";

/// By how many rows the lengths of statements differ.
const ROWS_PER_STEP: usize = 8;

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
        // That a job has moved is rare: only then is it asked which, in a second transaction.
        for look in [false, true] {
            self.begin().await?;
            match write(&mut self.connection, batch, run, transitions, look).await {
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
///
/// With `look` it first asks which of the jobs still stand where their transitions begin, moves
/// only those, and returns the others. Without, all of them must: else `None`, and the transaction
/// must be rolled back.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    batch: BatchId,
    run: Option<RunId>,
    transitions: &[Transition],
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
        let mut steps: Vec<&Transition> = wave.iter().collect();
        if look {
            let standing = still_standing(connection, wave).await?;
            steps.retain(|step| standing.contains(&step.job));
            let moved = wave.iter().map(|step| step.job);
            missed.extend(moved.filter(|job| !standing.contains(job)));
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
    wave: &[Transition],
) -> Result<HashSet<JobId>, QueueError> {
    let guards: Vec<_> = wave
        .iter()
        .map(|step| (step.job, step.from.0.as_str(), step.from.1))
        .collect();
    let standing: Vec<i64> = sqlx::query_scalar(STANDING)
        .bind(json(&guards))
        .fetch_all(connection)
        .await?;
    Ok(standing.into_iter().map(JobId).collect())
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
    for set in written.chunks(ROWS_PER_STATEMENT) {
        let moved = move_jobs(set).build().execute(&mut *connection).await?;
        if moved.rows_affected() != set.len() as u64 {
            return Ok(false);
        }
    }
    for set in written.chunks(ROWS_PER_STATEMENT) {
        add_entries(run, set)
            .build()
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
    sqlx::query(COUNT)
        .bind(batch.0)
        .bind(json(&changes))
        .execute(&mut *connection)
        .await?;
    sqlx::query(TOUCH)
        .bind(batch.0)
        .bind(touched_ms)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

/// The statement that moves the jobs of `set`, each only where its guard holds.
pub(super) fn move_jobs(set: &[&Transition]) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "WITH step (id, from_state, from_attempt, state, attempt, retries, executed_before, executed_now,
             evidence, held, accepted, rebuilding_seen, not_before_ms, intent_ms, submitted_ms,
             completed_ms, error_kind, error, baseline, target) AS (",
    );
    query.push_values(padded(set.iter()), |mut row, step| {
        let Some(Transition { job, from, to, .. }) = step else {
            for _ in 0..20 {
                row.push_bind(None::<i64>);
            }
            return;
        };
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
        row.push_bind(job.0)
            .push_bind(from.0.as_str())
            .push_bind(from.1)
            .push_bind(state.as_str())
            .push_bind(*attempt)
            .push_bind(*retries)
            .push_bind(executed_before.as_str())
            .push_bind(executed_now.as_str())
            .push_bind(evidence.map(Evidence::as_str))
            .push_bind(*held)
            .push_bind(*accepted)
            .push_bind(*rebuilding_seen)
            .push_bind(*not_before_ms)
            .push_bind(*intent_ms)
            .push_bind(*submitted_ms)
            .push_bind(*completed_ms)
            .push_bind(failure.as_ref().map(|failure| failure.error_kind.as_str()))
            .push_bind(failure.as_ref().map(|failure| failure.error.as_str()))
            .push_bind(baseline.as_ref().map(json))
            .push_bind(target.as_deref());
    });
    query.push(
        ") UPDATE job SET
             state = step.state, attempt = step.attempt, retries = step.retries,
             executed_before = step.executed_before, executed_now = step.executed_now,
             evidence = step.evidence, held = step.held, accepted = step.accepted,
             rebuilding_seen = step.rebuilding_seen, not_before_ms = step.not_before_ms,
             intent_ms = step.intent_ms, submitted_ms = step.submitted_ms,
             completed_ms = step.completed_ms, error_kind = step.error_kind, error = step.error,
             baseline = step.baseline, target = step.target
         FROM step
         WHERE job.id = step.id AND job.state = step.from_state AND job.attempt = step.from_attempt",
    );
    query
}

/// The statement that adds the entries of `set` to the ledger, in its order.
pub(super) fn add_entries(run: Option<RunId>, set: &[&Transition]) -> QueryBuilder<Sqlite> {
    let mut query =
        QueryBuilder::new("WITH entry (job_id, run_id, attempt, kind, at_ms, body) AS (");
    query.push_values(padded(set.iter()), |mut row, step| match step {
        Some(Transition {
            job,
            to,
            entry,
            at_ms,
            ..
        }) => {
            row.push_bind(job.0)
                .push_bind(run.map(|run| run.0))
                .push_bind(to.attempt)
                .push_bind(entry.kind())
                .push_bind(*at_ms)
                .push_bind(json(entry));
        }
        None => {
            for _ in 0..6 {
                row.push_bind(None::<i64>);
            }
        }
    });
    query.push(
        ") INSERT INTO ledger (job_id, run_id, attempt, kind, at_ms, body)
         SELECT * FROM entry WHERE job_id IS NOT NULL",
    );
    query
}

/// `rows` and as many `None` as fill the last step of [`ROWS_PER_STEP`]: so the statements that a
/// run repeats all the time have few lengths, and each of them is prepared once.
fn padded<T>(rows: impl ExactSizeIterator<Item = T>) -> impl Iterator<Item = Option<T>> {
    let length = rows.len().next_multiple_of(ROWS_PER_STEP);
    rows.map(Some)
        .chain(std::iter::repeat_with(|| None))
        .take(length)
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("plain data is always JSON")
}
