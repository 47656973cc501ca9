//! How jobs move: the one transaction that every tick of a run and every operator's word is.

use std::collections::HashSet;

use sqlx::SqliteConnection;

use super::change::{grouped_by_shape, move_jobs};
use super::handle::SqliteQueue;
use super::lease::lost;
use super::statement::{Statement, bound, padded, values};
use crate::job::{BatchId, JobId, RunId, Transition};
use crate::queue::stored::{Writer, erased, is_intent, json, tally_changes, waves};
use crate::queue::{Lease, Recorded, StoreError};

/// Rows that go to SQLite as one statement: whatever changes, its 32,766 bound values are enough.
const ROWS_PER_STATEMENT: usize = 256;

pub(super) const STANDING: &str =
    "SELECT job.id FROM json_each(?1) AS step CROSS JOIN job ON job.id = step.value ->> 0
     WHERE job.state = step.value ->> 1 AND job.attempt = step.value ->> 2";

pub(super) const ERASE: &str =
    "DELETE FROM secret WHERE job_id IN (SELECT value FROM json_each(?1))";

/// It counts nothing where a run has lost its lease (?4: its epoch), or begins something while an
/// operator holds that back (?5: the run).
pub(super) const COUNT: &str = concat!(
    "UPDATE tally SET jobs = jobs + (change.value ->> 1), moved_ms = max(moved_ms, ?3)
     FROM json_each(?2) AS change
     WHERE batch_id = ?1 AND state = change.value ->> 0
       AND (?4 IS NULL OR ?4 = (SELECT epoch FROM batch WHERE id = ?1))
       AND (?5 IS NULL OR NOT ",
    held!("?5"),
    ")"
);

/// What to do with steps whose jobs have moved, or must not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    /// They are not expected: one is enough to give up.
    GiveUp,
    /// It is asked first which they are, and they are left out.
    LeaveOut,
}

/// The transaction must be rolled back.
enum Refused {
    /// A job had moved, or must not begin; or the lease was lost.
    Moved,
    Error(StoreError),
}

impl<E: Into<StoreError>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl SqliteQueue {
    pub(super) async fn record_steps(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
    ) -> Result<Recorded, StoreError> {
        if steps.is_empty() {
            return Ok(Recorded::default());
        }
        // That a job has moved, or must not begin, is rare: only then is it asked which, in a second
        // transaction.
        for moved in [Moved::GiveUp, Moved::LeaveOut] {
            self.begin().await?;
            match self.write_steps(lease, steps, moved).await {
                Ok(recorded) => {
                    crate::failpoint!("before_commit");
                    self.commit().await?;
                    crate::failpoint!("after_commit");
                    return Ok(recorded);
                }
                Err(Refused::Moved) => self.rollback().await,
                Err(Refused::Error(error)) => {
                    self.rollback().await;
                    return Err(error);
                }
            }
        }
        Err(moved_meanwhile())
    }

    async fn write_steps(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
        moved: Moved,
    ) -> Result<Recorded, Refused> {
        let mut held = HashSet::new();
        if moved == Moved::LeaveOut {
            // Where nothing is left to be written, no statement would notice.
            self.renew(lease).await?;
            held = self.held_back(lease, steps).await?;
        }
        let rest: Vec<&Transition> = (steps.iter().copied())
            .filter(|step| !(is_intent(step) && held.contains(&step.job)))
            .collect();
        let writer = Writer::Run(lease);
        let conflicts = write(&mut self.connection, lease.batch(), writer, &rest, moved).await?;
        Ok(Recorded { conflicts, held })
    }

    /// The jobs among `steps` that are to be begun, while an operator holds the batch back.
    async fn held_back(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
    ) -> Result<HashSet<JobId>, StoreError> {
        let begun: HashSet<JobId> = (steps.iter())
            .filter(|step| is_intent(step))
            .map(|step| step.job)
            .collect();
        if begun.is_empty() || !self.is_held(lease).await? {
            return Ok(HashSet::new());
        }
        Ok(begun)
    }
}

/// Inside an operator's transaction, in which the jobs were read: none can have moved.
pub(super) async fn write_all(
    connection: &mut SqliteConnection,
    batch: BatchId,
    steps: &[Transition],
) -> Result<(), StoreError> {
    let steps: Vec<&Transition> = steps.iter().collect();
    match write(connection, batch, Writer::Operator, &steps, Moved::GiveUp).await {
        Ok(_) => Ok(()),
        Err(Refused::Moved) => Err(moved_meanwhile()),
        Err(Refused::Error(error)) => Err(error),
    }
}

fn moved_meanwhile() -> StoreError {
    StoreError::Bug("a job moved inside a transaction that nobody else writes in".to_owned())
}

/// Inside a transaction: moves the jobs, writes the ledger, keeps the tally, erases passwords.
/// Returns the jobs that were left out.
async fn write(
    connection: &mut SqliteConnection,
    batch: BatchId,
    writer: Writer<'_>,
    steps: &[&Transition],
    moved: Moved,
) -> Result<HashSet<JobId>, Refused> {
    let mut conflicts = HashSet::new();
    for wave in waves(steps) {
        let mut steps = wave.to_vec();
        if moved == Moved::LeaveOut {
            let standing = still_standing(connection, wave).await?;
            steps.retain(|step| standing.contains(&step.job));
            let moved = wave.iter().map(|step| step.job);
            conflicts.extend(moved.filter(|job| !standing.contains(job)));
        }
        write_wave(connection, batch, writer, &steps, moved).await?;
    }
    Ok(conflicts)
}

/// The jobs that stand where their transitions begin.
async fn still_standing(
    connection: &mut SqliteConnection,
    wave: &[&Transition],
) -> Result<HashSet<JobId>, StoreError> {
    let guards: Vec<_> = wave
        .iter()
        .map(|step| (step.job, step.from.state.as_str(), step.from.attempt))
        .collect();
    let record: Vec<i64> = sqlx::query_scalar(STANDING)
        .bind(json(&guards))
        .fetch_all(connection)
        .await?;
    Ok(record.into_iter().map(JobId::from_stored).collect())
}

/// Writes steps of different jobs, all of which must stand where their steps begin.
async fn write_wave(
    connection: &mut SqliteConnection,
    batch: BatchId,
    writer: Writer<'_>,
    written: &[&Transition],
    moved: Moved,
) -> Result<(), Refused> {
    if written.is_empty() {
        return Ok(());
    }
    for (shape, set) in &grouped_by_shape(written) {
        for set in set.chunks(ROWS_PER_STATEMENT) {
            let written = move_jobs(shape, set)
                .query()
                .execute(&mut *connection)
                .await?;
            if written.rows_affected() != set.len() as u64 {
                return Err(Refused::Moved);
            }
        }
    }
    for set in written.chunks(ROWS_PER_STATEMENT) {
        add_entries(writer.run(), set)
            .query()
            .execute(&mut *connection)
            .await?;
    }

    let erased = erased(written);
    if !erased.is_empty() {
        sqlx::query(ERASE)
            .bind(json(&erased))
            .execute(&mut *connection)
            .await?;
    }

    if keep_tally(connection, batch, writer, written).await? {
        return Ok(());
    }
    Err(match moved {
        Moved::GiveUp => Refused::Moved,
        // By now the lease was looked at, and what must not begin was left out.
        Moved::LeaveOut => Refused::Error(lost(batch)),
    })
}

/// Also where it is noticed that a run's lease was lost, or that something must not begin, since each
/// write passes here. Returns whether all of it is counted.
async fn keep_tally(
    connection: &mut SqliteConnection,
    batch: BatchId,
    writer: Writer<'_>,
    written: &[&Transition],
) -> Result<bool, StoreError> {
    let changes = tally_changes(written);
    let moved_ms = written.iter().map(|step| step.at_ms).max().unwrap_or(0);
    let begins = writer
        .run()
        .filter(|_| written.iter().any(|step| is_intent(step)));
    let counted = sqlx::query(COUNT)
        .bind(batch.0)
        .bind(json(&changes))
        .bind(moved_ms)
        .bind(writer.lease().map(Lease::epoch))
        .bind(begins.map(|run| run.0))
        .execute(&mut *connection)
        .await?;
    Ok(counted.rows_affected() == changes.len() as u64)
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
        statement.bind(step.job.stored());
        statement.bind(step.to.attempt);
        statement.bind(step.entry.kind());
        statement.bind(step.at_ms);
        statement.bind(json(&step.entry));
    }
    statement
}
