//! How jobs move: the one transaction that every tick of a run and every operator's word is.
//!
//! Under READ COMMITTED each statement sees what was committed when it began. So what a decision rests on
//! is locked by the statement that reads it, or before it: the lease FOR SHARE, so that a take-over waits
//! for the transaction or is seen by it; and for an intent first the batch FOR SHARE, against which an
//! operator's instruction takes the stronger lock, so that no intent is committed after a pause that it has
//! not seen. The order is always batch, lease, jobs, tally.

use std::collections::HashSet;

use super::change::{MOVE, steps as as_json};
use super::control::HELD;
use super::handle::PostgresQueue;
use super::session::Transaction;
use super::sight::{Line, OriginRow, digest};
use crate::job::{BatchId, JobId, Transition};
use crate::queue::stored::{Writer, is_intent, tally_changes, waves};
use crate::queue::{Identity, Lease, Recorded, StoreError};

/// How often a transaction is tried that the server has ended because another one was in its way.
pub(super) const TRIES: u32 = 4;

pub(super) const SHARE_BATCH: &str = "SELECT id FROM batch WHERE id = $1 FOR SHARE";

/// The lease of the run $1 holds, and what the database says of itself, with the digest of the line $2. It is
/// known by its run: an account's lease may take over what was a batch's own, with an epoch of its own.
pub(super) const HOLDS: &str = concat!(
    "SELECT system_id, timeline, adoptions, noticed_why, (SELECT ",
    digest!(),
    " FROM ledger WHERE seq = $2) FROM lease, origin
     WHERE lease.run_id = $1 AND lease.released_at IS NULL FOR SHARE OF lease"
);

/// Counts in the rows of the writer $2 of batch $1: the states $3 by $4, at the time $5.
pub(super) const COUNT: &str =
    "UPDATE tally SET jobs = tally.jobs + change.jobs, moved_ms = greatest(moved_ms, $5)
     FROM unnest($3::text[], $4::bigint[]) AS change(state, jobs)
     WHERE tally.batch_id = $1 AND tally.writer = $2 AND tally.state = change.state";

impl PostgresQueue {
    pub(super) async fn record_steps(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
    ) -> Result<Recorded, StoreError> {
        if steps.is_empty() {
            return Ok(Recorded::default());
        }
        for _ in 1..TRIES {
            match self.try_record(lease, steps).await {
                Err(StoreError::Busy) => {}
                other => return other,
            }
        }
        self.try_record(lease, steps).await
    }

    async fn try_record(
        &mut self,
        lease: &Lease,
        steps: &[&Transition],
    ) -> Result<Recorded, StoreError> {
        let mut transaction = self.session.begin().await?;
        match write_steps(&mut transaction, lease, steps).await {
            Ok((recorded, intended)) => {
                crate::failpoint!("before_commit");
                transaction.commit().await?;
                crate::failpoint!("after_commit");
                if let Some((adoptions, line)) = intended {
                    // The forms go to the wire when this returns: what they rest on is on this disk by then.
                    self.session.sight.see(adoptions, Some(line)).await;
                }
                Ok(recorded)
            }
            Err(error) => {
                transaction.rollback().await;
                if matches!(error, StoreError::Another { .. }) {
                    self.session.doubt();
                }
                Err(error)
            }
        }
    }
}

/// How often the ledger was adopted by then, and its last line.
type Intended = (i32, Line);

async fn write_steps(
    transaction: &mut Transaction<'_>,
    lease: &Lease,
    steps: &[&Transition],
) -> Result<(Recorded, Option<Intended>), StoreError> {
    let mut held = HashSet::new();
    let begun = steps.iter().filter(|step| is_intent(step));
    let begun: HashSet<JobId> = begun.map(|step| step.job).collect();
    if !begun.is_empty() {
        let batch = sqlx::query(SHARE_BATCH).bind(lease.batch().0);
        transaction.execute(batch).await?;
        if is_held(transaction, lease).await? {
            held = begun;
        }
    }
    let holds = sqlx::query_as(HOLDS)
        .bind(lease.run().0)
        .bind(transaction.sight.line());
    let found: Option<OriginRow> = transaction.maybe(holds).await?;
    let Some(origin) = found else {
        return Err(StoreError::LeaseLost {
            batch: lease.batch(),
        });
    };
    if let Identity::Another { why, .. } = transaction.sight.judge(&origin, transaction.identity) {
        return Err(StoreError::Another { why });
    }
    let begins = steps.iter().any(|step| is_intent(step));
    let rest: Vec<&Transition> = (steps.iter().copied())
        .filter(|step| !(is_intent(step) && held.contains(&step.job)))
        .collect();
    let Written { conflicts, last } =
        write(transaction, lease.batch(), Writer::Run(lease), &rest).await?;
    let intended = last.filter(|_| begins).map(|line| (origin.2, line));
    Ok((Recorded { conflicts, held }, intended))
}

/// Nothing of the lease's batch may be started by its run.
async fn is_held(transaction: &mut Transaction<'_>, lease: &Lease) -> Result<bool, StoreError> {
    let held = sqlx::query_as(HELD)
        .bind(lease.batch().0)
        .bind(lease.run().0);
    let (is_held,) = transaction.one(held).await?;
    Ok(is_held)
}

/// Inside an operator's transaction, which has locked the jobs when it read them: none can have moved.
pub(super) async fn write_all(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    steps: &[Transition],
) -> Result<(), StoreError> {
    let steps: Vec<&Transition> = steps.iter().collect();
    let written = write(transaction, batch, Writer::Operator, &steps).await?;
    if written.conflicts.is_empty() {
        return Ok(());
    }
    Err(StoreError::Bug(
        "a job moved although it was locked".to_owned(),
    ))
}

/// A job that has moved; or the number and the digest of the last line.
type MovedRow = (Option<i64>, Option<i64>, Option<Vec<u8>>);

/// What has come of steps.
struct Written {
    /// The jobs that were left out, because they did not stand where their steps begin.
    conflicts: HashSet<JobId>,
    /// The ledger's last line.
    last: Option<Line>,
}

/// Moves the jobs, writes the ledger, keeps the tally, erases passwords.
async fn write(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    writer: Writer<'_>,
    steps: &[&Transition],
) -> Result<Written, StoreError> {
    let mut conflicts = HashSet::new();
    let mut last = None;
    for wave in waves(steps) {
        let written = sqlx::query_as(sqlx::AssertSqlSafe(MOVE.as_str()))
            .bind(as_json(wave))
            .bind(writer.run().map(|run| run.0));
        let rows: Vec<MovedRow> = transaction.all(written).await?;
        let mut moved = HashSet::with_capacity(rows.len());
        for (id, seq, digest) in rows {
            moved.extend(id);
            last = seq.zip(digest).or(last);
        }
        let (written, left): (Vec<&Transition>, Vec<&Transition>) =
            (wave.iter().copied()).partition(|step| moved.contains(&step.job.stored()));
        conflicts.extend(left.iter().map(|step| step.job));
        keep_tally(transaction, batch, writer, &written).await?;
    }
    Ok(Written { conflicts, last })
}

async fn keep_tally(
    transaction: &mut Transaction<'_>,
    batch: BatchId,
    writer: Writer<'_>,
    written: &[&Transition],
) -> Result<(), StoreError> {
    let (states, jobs): (Vec<&str>, Vec<i64>) = tally_changes(written).into_iter().unzip();
    if states.is_empty() {
        return Ok(());
    }
    let changes = states.len() as u64;
    let moved_ms = written.iter().map(|step| step.at_ms).max();
    let count = sqlx::query(COUNT)
        .bind(batch.0)
        .bind(i16::from(writer.run().is_some()))
        .bind(states)
        .bind(jobs)
        .bind(moved_ms);
    let counted = transaction.execute(count).await?;
    if counted == changes {
        return Ok(());
    }
    Err(StoreError::Bug(format!(
        "{counted} of {changes} rows of the tally of batch {batch} were found"
    )))
}
