//! What the names of images show of a rebuild. When two of them mean the same, `job` knows.

use crate::job::{JobRecord, image_name_form as form};
use crate::run::evidence::Observation;

/// What a reading shows of a job's image, by what stood there before and what was ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shows {
    /// One of the three names is not known or not readable: no evidence.
    Nothing,
    /// The image before and the ordered one have the same name, and that is shown.
    Same,
    /// What stood there before, which is not what was ordered.
    Before,
    /// What was ordered, which is not what stood there before.
    Target,
    /// Neither; its form.
    Third(String),
}

/// What `observation` shows of the job's image.
pub fn shows(record: &JobRecord, observation: &Observation) -> Shows {
    let now = observation.image.as_deref().and_then(form);
    let (Some(before), Some(target), Some(now)) = (before(record), target(record), now) else {
        return Shows::Nothing;
    };
    if now == target {
        if before == target {
            Shows::Same
        } else {
            Shows::Target
        }
    } else if now == before {
        Shows::Before
    } else {
        Shows::Third(now)
    }
}

/// The form of the name that the job's image will have, where it is known.
pub fn target(record: &JobRecord) -> Option<String> {
    record.target.as_deref().and_then(form)
}

/// The form of the name of what stood there before, where it is known.
pub fn before(record: &JobRecord) -> Option<String> {
    let baseline = record.baseline.as_ref()?;
    baseline.image.as_deref().and_then(form)
}
