//! What a service takes next.

use std::collections::HashMap;

use crate::cli::database::is_strange;
use crate::cli::error::CliError;
use crate::cli::held::held_now;
use crate::job::{BatchId, Counts, Owner};
use crate::queue::{Backend as _, Batch, HostLease, Queue, Store as _};
use crate::time;

/// What is there for an account.
#[derive(Debug)]
pub struct Choice {
    /// Open orders that belong to nobody yet.
    pub unbound: Vec<Batch>,
    pub next: Next,
}

#[derive(Debug)]
pub enum Next {
    /// Nobody works on it.
    Take(Box<Batch>),
    /// Another process works for the account.
    StandBy(HostLease),
    /// No order is open, or each that is has to wait.
    Nothing,
}

/// Orders that are left alone until somebody has spoken, or something has happened to them.
#[derive(Debug, Default)]
pub struct Resting(HashMap<BatchId, Rest>);

/// How an order stood when it was left alone.
#[derive(Debug)]
struct Rest {
    touched_ms: i64,
    counts: Counts,
    /// The last word of an operator.
    word: i64,
    /// When its window opens, if that is what it waits for.
    until_ms: Option<i64>,
    /// It was ordered in another database, and nobody has adopted it.
    is_strange: bool,
}

impl Resting {
    /// Leaves `batch` alone as it stands now.
    pub async fn leave(&mut self, queue: &mut Queue, batch: BatchId) -> Result<(), CliError> {
        let batches = queue.batches().await?;
        let Some(batch) = batches.into_iter().find(|one| one.id == batch) else {
            return Ok(());
        };
        let said = queue.control(batch.id, 0).await?;
        let held = held_now(queue, &batch).await?;
        let rest = Rest {
            touched_ms: batch.touched_ms,
            counts: batch.counts,
            word: said.last().map_or(0, |(number, _)| *number),
            until_ms: held.window.map(|window| window.opens_ms),
            is_strange: is_strange(queue, batch.id).await?,
        };
        self.0.insert(batch.id, rest);
        Ok(())
    }

    async fn holds(&self, queue: &mut Queue, batch: &Batch) -> Result<bool, CliError> {
        let Some(rest) = self.0.get(&batch.id) else {
            return Ok(false);
        };
        let is_due = rest
            .until_ms
            .is_some_and(|until_ms| time::now_ms() >= until_ms);
        if is_due || (rest.touched_ms, rest.counts) != (batch.touched_ms, batch.counts) {
            return Ok(false);
        }
        if rest.is_strange && !is_strange(queue, batch.id).await? {
            return Ok(false);
        }
        Ok(queue.control(batch.id, rest.word).await?.is_empty())
    }
}

/// What there is for `owner`'s account of `provider`, the oldest first.
pub async fn choose(
    queue: &mut Queue,
    provider: &str,
    owner: &Owner,
    resting: &Resting,
) -> Result<Choice, CliError> {
    let batches = queue.batches().await?.into_iter();
    let open = batches.filter(|batch| batch.is_open() && batch.provider == provider);
    let (bound, unbound): (Vec<_>, Vec<_>) = open.partition(|batch| batch.owner.is_some());
    let is_ours = |batch: &Batch| batch.owner.as_ref().is_some_and(|its| its.id == owner.id);
    let mut next = Next::Nothing;
    for batch in bound.into_iter().filter(is_ours) {
        if !resting.holds(queue, &batch).await? {
            next = match holder(queue, provider, owner).await? {
                Some(lease) => Next::StandBy(lease),
                None => Next::Take(Box::new(batch)),
            };
            break;
        }
    }
    Ok(Choice { unbound, next })
}

/// The process that works for the account, if one does.
async fn holder(
    queue: &mut Queue,
    provider: &str,
    owner: &Owner,
) -> Result<Option<HostLease>, CliError> {
    let Some(queue) = queue.shared() else {
        return Ok(None);
    };
    let leases = queue.hosts().await?.into_iter();
    let of_account = |lease: &HostLease| {
        lease.provider == provider && lease.account.as_deref() == Some(owner.id.as_str())
    };
    let mut at_work = leases.filter(|lease| of_account(lease) && lease.works());
    Ok(at_work.next())
}
