//! Members of groups that are down, as they are read.

use super::decode::{damaged, service_id, word};
use crate::job::{BatchId, Group, JobId};
use crate::queue::{Down, StoreError};

/// The batch that took it down, its job, its service, its group (`None`: the sheet of the batch that is
/// asked about has taken it out of its group), its state, whether others wait for it.
pub type DownRow = (i64, i64, i64, Option<String>, String, bool);

/// What is down, as `batch` sees it, in the manifest's order.
pub fn down(batch: BatchId, rows: Vec<DownRow>) -> Result<Vec<Down>, StoreError> {
    let mut down = Vec::with_capacity(rows.len());
    for (by, id, service, group, state, is_waited_for) in rows {
        let Some(group) = group else { continue };
        down.push(Down {
            other_batch: (by != batch.0).then_some(BatchId(by)),
            job: JobId::from_stored(id),
            service: service_id(service)?,
            group: Group::new(&group).ok_or_else(|| damaged("a group"))?,
            state: word(&state)?,
            is_waited_for,
        });
    }
    down.sort_unstable_by_key(|down| down.job);
    Ok(down)
}
