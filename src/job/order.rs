//! What an operator orders.

use super::{Access, ImageId, ServiceId};

/// One row of a manifest: an instance to rebuild, as the operator ordered it.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Line of the manifest on which the row begins, counted from 1 (the header's line included).
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// The image it gets.
    pub image: ImageId,
    /// Where the image stands in the provider's catalogue; `None`: what the preview says.
    pub zone: Option<String>,
    /// How one gets in afterwards.
    pub access: Access,
    /// Free text, carried to the report.
    pub note: Option<String>,
}
