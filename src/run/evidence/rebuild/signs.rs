//! What the list shows of a rebuild: the status `rebuilding`, and the image's name.

use super::names::{self, Shows};
use crate::job::{InstanceStatus, JobRecord};
use crate::run::evidence::Observation;

/// What shows that a rebuild was executed, as people call it.
pub const EFFECT: &str = "its new image";

/// It is being rebuilt.
pub fn is_at_work(status: &InstanceStatus) -> bool {
    *status == InstanceStatus::Rebuilding
}

/// The rebuild gives the instance's image another name, as far as both are known.
pub fn can_show(record: &JobRecord) -> bool {
    matches!(
        (names::before(record), names::target(record)),
        (Some(before), Some(target)) if before != target
    )
}

/// The new name shows.
pub fn shows_effect(record: &JobRecord, observation: &Observation) -> bool {
    names::shows(record, observation) == Shows::Target
}

/// The old name shows, and the new one is another.
pub fn shows_before(record: &JobRecord, observation: &Observation) -> bool {
    names::shows(record, observation) == Shows::Before
}

/// The list shows an image that was neither ordered nor there before; or the one of before, where it cannot
/// be that it shows an old state.
pub fn contradicts(record: &JobRecord, observation: &Observation, may_stand_still: bool) -> bool {
    match names::shows(record, observation) {
        Shows::Third(_) => true,
        Shows::Before => !may_stand_still,
        Shows::Nothing | Shows::Same | Shows::Target => false,
    }
}
