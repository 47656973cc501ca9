//! How an order differs from the last one of the same manifest, and whether that is more than allowed.

use std::collections::HashMap;

use super::options::OrderOptions;
use super::sheet::{Sheet, sound_rows};
use crate::cli::error::CliError;
use crate::job::{BatchId, ImageId, ServiceId};
use crate::queue::{Batch, Queue};

/// What an order has otherwise than the last one of its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The last order.
    pub last: BatchId,
    /// How many services that was for.
    pub services: u64,
    /// Services that it was not for.
    pub added: Vec<ServiceId>,
    /// Those that get another image than it ordered.
    pub other_image: Vec<ServiceId>,
    /// Those that it was for, and this order is not.
    pub gone: Vec<ServiceId>,
}

impl Changes {
    /// Services in which the two differ.
    pub fn count(&self) -> u64 {
        (self.added.len() + self.other_image.len() + self.gone.len()) as u64
    }

    /// They differ in more services than `percent` of the last order's.
    pub fn exceed(&self, percent: u8) -> bool {
        self.count().saturating_mul(100) > self.services.saturating_mul(u64::from(percent))
    }
}

/// The orders of `path` that [`changes`] compares with: the last one that has ended, and those before
/// it of the same sheet, since an order by the clock is only for what was due that night.
pub fn last_order(path: &[Batch]) -> Vec<BatchId> {
    let ended = || path.iter().filter(|batch| !batch.is_open());
    let Some(last) = ended().max_by_key(|batch| batch.id) else {
        return Vec::new();
    };
    let same_sheet = ended().filter(|batch| batch.identity == last.identity);
    same_sheet.map(|batch| batch.id).collect()
}

/// How the sheet differs from what `last` ordered; `None`: there was no such order.
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
            ordered.insert(row.service, row.image);
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
/// operator allows.
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
    if let Some(percent) = options.max_change
        && let Some(changes) = changes(queue, sheet, last).await?
        && changes.exceed(percent)
    {
        return Err(CliError::TooDifferent { changes, percent });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_the_last_orders_services() {
        let service = |number| ServiceId::new(number).unwrap();
        let changes = Changes {
            last: BatchId(1),
            services: 100,
            added: vec![service(1), service(2)],
            other_image: vec![service(3)],
            gone: vec![service(4), service(5)],
        };
        assert!(changes.exceed(4) && !changes.exceed(5));
        let none = Changes {
            added: Vec::new(),
            other_image: Vec::new(),
            gone: Vec::new(),
            ..changes
        };
        assert!(!none.exceed(0));
    }
}
