//! The last order of the same manifest: how a new one differs from it, and whether that is more than allowed.

use std::collections::HashMap;

use super::options::OrderOptions;
use super::sheet::{Sheet, sound_rows};
use crate::cli::error::CliError;
use crate::cli::output::tell_prose;
use crate::job::{Action, BatchId, ImageId, ResultRow, ServiceId, State};
use crate::queue::{Backend as _, Batch, Changes, Queue};

/// The batches of the last order of `path`: the last one that has ended, and those before it of the
/// same sheet, since an order by the clock is only for what was due that night. An order that was
/// cancelled whole was a wrong one, and is no measure.
pub fn batches_of_last(path: &[Batch]) -> Vec<BatchId> {
    let is_one = |batch: &&Batch| !batch.is_open() && batch.counts.cancelled < batch.counts.total();
    let ended = || path.iter().filter(is_one);
    let Some(last) = ended().max_by_key(|batch| batch.id) else {
        return Vec::new();
    };
    let same_sheet = ended().filter(|batch| batch.identity == last.identity);
    same_sheet.map(|batch| batch.id).collect()
}

/// How the sheet differs from what the last order, which `batches` made up, ordered and nobody cancelled;
/// `None`: there was none.
pub async fn read(
    queue: &mut Queue,
    sheet: &Sheet<'_>,
    batches: &[BatchId],
) -> Result<Option<Changes>, CliError> {
    let Some(newest) = batches.iter().max() else {
        return Ok(None);
    };
    let mut ordered: HashMap<ServiceId, Option<ImageId>> = HashMap::new();
    for batch in batches {
        let mut note = |row: ResultRow| {
            if row.state != State::Cancelled {
                ordered.insert(row.service, row.image);
            }
            Ok(())
        };
        let read = queue.results(*batch, &[], &mut note).await?;
        read.map_err(CliError::System)?;
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
pub fn check_caps(
    action: Action,
    jobs: u64,
    changes: Option<&Changes>,
    options: OrderOptions,
) -> Result<(), CliError> {
    if let Some(max) = options.max_wipes.filter(|max| jobs > *max) {
        return Err(CliError::TooMany { action, jobs, max });
    }
    let Some(percent) = options.max_change else {
        return Ok(());
    };
    match changes {
        Some(changes) if changes.exceed(percent) => Err(CliError::TooDifferent {
            changes: changes.clone(),
            percent,
        }),
        Some(_) => Ok(()),
        None => {
            tell_prose(
                "warning: there is no earlier order of this manifest, and so nothing to compare with: --max-change did not apply\n",
            );
            Ok(())
        }
    }
}
