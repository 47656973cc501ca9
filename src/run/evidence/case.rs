//! What is judged, and by what.

use super::{Observation, Rules};
use crate::job::{Action, JobRecord};

/// A job, and one reading of its instance.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What is done to the instance.
    pub action: Action,
    /// Where the job stands.
    pub record: &'a JobRecord,
    /// What the list shows.
    pub observation: &'a Observation,
    /// The times.
    pub rules: &'a Rules,
}
