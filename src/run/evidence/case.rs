//! What is judged, and by what.

use super::{ListLag, Observation, Rules};
use crate::job::JobRecord;

/// A job, one reading of its instance, and what the run knows of its list.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Where the job stands.
    pub record: &'a JobRecord,
    /// What the list shows.
    pub observation: &'a Observation,
    /// How the list behaves, as far as this run has seen it.
    pub list_lag: &'a ListLag,
    /// The times.
    pub rules: &'a Rules,
}
