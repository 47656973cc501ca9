//! What counts for an instance beside its own row.

use std::time::Instant;

use super::HostKeys;

/// What stands around the instance in the reading that is judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings {
    /// The latest baseline among the submissions whose effect this very reading shows on the same
    /// page: when it was read. The page is younger than that.
    pub alive_since: Option<Instant>,
    /// A submission that would prove the page to be alive, or whatever else the proof still needs, may
    /// come.
    pub more_to_come: bool,
    /// Whether the instance's host keys are judged.
    pub host_keys: HostKeys,
}
