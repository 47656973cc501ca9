//! One row of what an operator orders.

use super::{Expected, Group, Order, ServiceId};

/// One row of a manifest: an instance, and what is to be done with it.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Line of the manifest on which the row begins, counted from 1 (the header's line included).
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// What is to be done with it.
    pub order: Order,
    /// What must stand on the instance before that is done.
    pub expected: Expected,
    /// The group of which only so many may be down at once.
    pub group: Option<Group>,
    /// Where it answers SSH, if that is said for it.
    pub ssh_port: Option<u16>,
    /// Free text, carried to the report.
    pub note: Option<String>,
}
