//! What the proof that nothing was executed needs of a rebuild beyond what any action needs.

use super::names;
use super::signs;
use super::spelling::Spelling;
use crate::job::{InstanceStatus, JobRecord};

/// Why silence can't prove anything, whatever is seen.
pub fn never_provable(record: &JobRecord) -> Option<&'static str> {
    let baseline = record.baseline.as_ref();
    if names::before(record).is_none() {
        Some("it is not known what stood on it before")
    } else if names::target(record).is_none() {
        Some("the image's name is not known, so the list cannot tell")
    } else if !signs::can_show(record) {
        Some("it had the same image before, so the list cannot tell")
    } else if baseline.is_none_or(|baseline| baseline.status == InstanceStatus::Error) {
        Some(
            "it stood in status error before, so a rebuild that failed at once would look like none",
        )
    } else {
        None
    }
}

/// What is still missing, although silence may come to prove it.
pub fn not_yet_proven(record: &JobRecord, spelling: &Spelling) -> Option<&'static str> {
    let spelled = names::target(record).is_some_and(|target| spelling.spells(&target));
    (!spelled).then_some(
        "no instance was seen to get this image, so it is not known whether the list spells its name alike",
    )
}
