//! How hooks are counted.

use super::decode::word;
use crate::job::HookCounts;
use crate::queue::StoreError;

/// Of rows of a hook's state and how many are in it.
pub fn hook_counts(rows: Vec<(String, i64)>) -> Result<HookCounts, StoreError> {
    let mut counts = HookCounts::default();
    for (state, hooks) in rows {
        counts.add(word(&state)?, u64::try_from(hooks).unwrap_or(0));
    }
    Ok(counts)
}
