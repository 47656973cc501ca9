//! How an order differs from the last one of the same manifest, and whether that is more than allowed.

use std::collections::HashMap;

use super::options::OrderOptions;
use super::sheet::{Sheet, sound_rows};
use crate::cli::error::CliError;
use crate::cli::output::tell_prose;
use crate::job::{BatchId, ImageId, ServiceId, State};
use crate::queue::{Batch, Changes, Queue};

/// The orders of `path` that [`changes`] compares with: the last one that has ended, and those before
/// it of the same sheet, since an order by the clock is only for what was due that night. An order that
/// was cancelled whole was a wrong one, and is no measure.
pub fn last_order(path: &[Batch]) -> Vec<BatchId> {
    let is_one = |batch: &&Batch| !batch.is_open() && batch.counts.cancelled < batch.counts.total();
    let ended = || path.iter().filter(is_one);
    let Some(last) = ended().max_by_key(|batch| batch.id) else {
        return Vec::new();
    };
    let same_sheet = ended().filter(|batch| batch.identity == last.identity);
    same_sheet.map(|batch| batch.id).collect()
}

/// How the sheet differs from what `last` ordered, and nobody cancelled; `None`: there was no such order.
pub async fn changes(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    last: &[BatchId],
) -> Result<Option<Changes>, CliError> {
    let Some(newest) = last.iter().max() else {
        return Ok(None);
    };
    let mut ordered: HashMap<ServiceId, Option<ImageId>> = HashMap::new();
    for batch in last {
        let mut note = |row: crate::job::ResultRow| {
            if row.state != State::Cancelled {
                ordered.insert(row.service, row.image);
            }
            Ok(())
        };
        queue
            .results(*batch, &[], &mut note)
            .await?
            .map_err(CliError::System)?;
    }
    let mut changes = Changes {
        last: *newest,
        services: ordered.len() as u64,
        added: Vec::new(),
        other_image: Vec::new(),
        gone: Vec::new(),
    };
    for row in sound_rows(sheet.source, sheet.validated)? {
        let row = row?;
        match ordered.remove(&row.service) {
            None => changes.added.push(row.service),
            Some(image) if image != row.order.image() => changes.other_image.push(row.service),
            Some(_) => {}
        }
    }
    changes.gone = ordered.into_keys().collect();
    changes.gone.sort_unstable();
    Ok(Some(changes))
}

/// Refuses a new order of `jobs` jobs that is larger, or differs more from the last one, than the
/// operator allows. Where there is no last one, that is always said: a cap that does not apply is none.
pub async fn check_caps(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    last: &[BatchId],
    jobs: u64,
    options: OrderOptions,
) -> Result<(), CliError> {
    if let Some(max) = options.max_wipes.filter(|max| jobs > *max) {
        let action = sheet.source.action();
        return Err(CliError::TooMany { action, jobs, max });
    }
    let Some(percent) = options.max_change else {
        return Ok(());
    };
    match changes(queue, sheet, last).await? {
        Some(changes) if changes.exceed(percent) => {
            Err(CliError::TooDifferent { changes, percent })
        }
        Some(_) => Ok(()),
        None => {
            tell_prose(
                "warning: there is no earlier order of this manifest, and so nothing to compare with: --max-change did not apply\n",
            );
            Ok(())
        }
    }
}
