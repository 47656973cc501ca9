//! What is to be done with a manifest, and the doing of it.

use super::access;
use super::decide::{Known, Order, decide};
use super::last::{self, batches_of_last};
use super::options::OrderOptions;
use super::sheet::{Sheet, is_of, new_batch, sound_rows};
use crate::cli::error::CliError;
use crate::cli::question::Targets;
use crate::exit::Exit;
use crate::job::{BatchId, Expected, NewJob};
use crate::manifest::ManifestError;
use crate::queue::{
    Backend as _, Batch, Changes, EnqueuePolicy, LeftOut, Overview as _, Queue, Target,
};
use crate::time;

/// What became of a manifest.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The batch to work on; `None`: nothing is to be done.
    pub batch: Option<BatchId>,
    /// It had been begun before.
    pub resumed: bool,
    /// When it has ended, the same command is to look once more (`--every`).
    pub once_more: bool,
    /// Rows of the manifest that did not become jobs.
    pub left_out: LeftOut,
    /// The process's exit code, where nothing worse is to be said: that of what was left out, or of
    /// the batch that has ended.
    pub exit: Exit,
}

impl Loaded {
    /// Of a batch that has ended.
    pub fn of_ended(batch: &Batch) -> Self {
        Self {
            exit: Exit::of_counts(&batch.counts),
            ..Self::default()
        }
    }
}

/// What is to be done with a manifest.
pub enum Plan {
    /// Its batch is open.
    Resume {
        batch: Batch,
        /// When it has ended, there is a new order to be made.
        once_more: bool,
    },
    /// Its batch has ended.
    Ended(Batch),
    /// It is to be queued.
    New {
        policy: EnqueuePolicy,
        /// The last order of the same manifest that has ended, and those before it of the same sheet.
        last: Vec<BatchId>,
    },
}

/// Decides which order the validated manifest is.
pub async fn plan(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    options: OrderOptions,
) -> Result<Plan, CliError> {
    let action = sheet.source.action();
    if let Some(conflict) = queue.other_provider(&new_batch(sheet)?).await? {
        return Err(CliError::Conflict { action, conflict });
    }
    let mut batches = queue.batches().await?;
    batches.retain(|batch| batch.provider == sheet.provider && batch.action == action);
    let identity = *sheet.validated.identity.as_bytes();
    let (mut same, mut path) = (Vec::new(), Vec::new());
    for batch in &batches {
        if batch.identity == identity {
            same.push(batch.clone());
        }
        if is_of(sheet, batch)? {
            path.push(batch.clone());
        }
    }
    let known = Known {
        same: &same,
        path: &path,
    };
    match decide(&known, options, time::now_ms()) {
        Order::Resume { batch, then } => {
            if let Some(policy) = then {
                // A conflict that forbids the order that follows is reported now, before anything is sent.
                let mut rows = sound_rows(sheet.source, sheet.validated)?;
                queue
                    .preview(&new_batch(sheet)?, policy, &mut rows, &mut |_| {})
                    .await
                    .map_err(|error| CliError::of_order(action, error))?;
            }
            Ok(Plan::Resume {
                batch: batch.clone(),
                once_more: then.is_some(),
            })
        }
        Order::Ended(batch) => Ok(Plan::Ended(batch.clone())),
        Order::New(policy) => {
            // A manifest to which a forgotten key was added has another digest, and is the same order. Of the
            // many that may be open only those are looked through that have its first row.
            let has_first = batches_with_first_row(queue, sheet).await?;
            let may_be = |batch: &Batch| batch.is_open() && has_first.contains(&batch.id);
            for batch in batches.into_iter().rev().filter(may_be) {
                if access::is_same_but_for_access(queue, sheet, &batch).await? {
                    return Ok(Plan::Resume {
                        batch,
                        once_more: options.every.is_some(),
                    });
                }
            }
            Ok(Plan::New {
                policy,
                last: batches_of_last(known.path),
            })
        }
        Order::Future(batch) => Err(CliError::FutureOrder {
            batch: batch.id,
            at_ms: batch.created_ms,
        }),
    }
}

/// The batches with a job of the manifest's first row.
async fn batches_with_first_row(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
) -> Result<Vec<BatchId>, CliError> {
    let Some(first) = sound_rows(sheet.source, sheet.validated)?.next() else {
        return Ok(Vec::new());
    };
    let jobs = queue.jobs_of(first?.service).await?;
    Ok(jobs.into_iter().map(|(batch, _)| batch).collect())
}

/// Queues the manifest: all of it, or nothing. `seen`: what whoever ordered it saw of an instance,
/// which must stand there still when it is submitted.
pub async fn enqueue(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    policy: EnqueuePolicy,
    seen: &(dyn Fn(&NewJob) -> Result<Option<Expected>, ManifestError> + Sync),
) -> Result<Loaded, CliError> {
    let rows = sound_rows(sheet.source, sheet.validated)?;
    let mut rows = rows.map(|row| {
        let mut job = row?;
        if let Some(seen) = seen(&job)? {
            job.expected = seen.until(job.order.action()).and_pins(&job.expected);
        }
        Ok(job)
    });
    let enqueued = queue
        .enqueue(&new_batch(sheet)?, policy, &mut rows)
        .await
        .map_err(|error| CliError::of_order(sheet.source.action(), error))?;
    let left_out = enqueued.left_out;
    Ok(Loaded {
        batch: enqueued.batch,
        exit: match (left_out.held.is_empty(), left_out.failed.is_empty()) {
            (false, _) => Exit::InDoubt,
            (true, false) => Exit::Failed,
            (true, true) => Exit::Done,
        },
        left_out,
        ..Loaded::default()
    })
}

/// What a new order would be.
#[derive(Default)]
pub struct NewOrder {
    /// What would be sent.
    pub targets: Targets,
    /// Rows that would not be queued.
    pub left_out: LeftOut,
    /// How it differs from the last order of the same manifest, if there was one that was asked about.
    pub changes: Option<Changes>,
}

/// What [`enqueue`] would queue, for whoever looks at it before. One that is larger, or differs more
/// from the last order, which `batches_of_last` made up, than the operator allows is an error. Where
/// nobody wants to know how it differs, they are left out: that order is read whole.
pub async fn preview(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    policy: EnqueuePolicy,
    batches_of_last: &[BatchId],
    options: OrderOptions,
) -> Result<NewOrder, CliError> {
    let action = sheet.source.action();
    let mut rows = sound_rows(sheet.source, sheet.validated)?;
    let mut targets = Targets::default();
    let mut add = |row: &NewJob| targets.add(Target::from(row));
    let preview = queue
        .preview(&new_batch(sheet)?, policy, &mut rows, &mut add)
        .await
        .map_err(|error| CliError::of_order(action, error))?;
    let changes = last::read(queue, sheet, batches_of_last).await?;
    last::check_caps(action, targets.count(), changes.as_ref(), options)?;
    Ok(NewOrder {
        targets,
        left_out: preview.left_out,
        changes,
    })
}
