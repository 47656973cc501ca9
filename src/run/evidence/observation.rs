//! What the list said of one instance, once.

use std::time::Instant;

use crate::job::InstanceStatus;
use crate::text;

/// A row of the list, as the rules need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When the reading was requested.
    pub requested_at: Instant,
    /// The instance's status.
    pub status: InstanceStatus,
    /// The name of its image, where the list gave one.
    pub image: Option<String>,
}

impl Observation {
    pub(super) fn describe(&self) -> String {
        let status = if self.status == InstanceStatus::Missing {
            "no status"
        } else {
            self.status.as_str()
        };
        match &self.image {
            Some(image) => text::brief(&format!("{status} with {image}"), 120),
            None => text::brief(status, 120),
        }
    }
}
