//! What a rebuild is ordered with.

use crate::job::{Access, ImageId};

/// The documented value of `zone`.
const ZONE_DEFAULT: &str = "image";

/// An image that an instance gets, and how its owner gets in afterwards. `A` is the access: as it was
/// ordered ([`Access`]), or as a store has it ([`crate::job::StoredAccess`]).
#[derive(Debug, Clone)]
pub struct Rebuild<A = Access> {
    /// The image it gets.
    pub image: ImageId,
    /// Where the image stands in the provider's catalogue; `None`: what the preview says.
    pub zone: Option<String>,
    /// How one gets in afterwards.
    pub access: A,
}

impl<A> Rebuild<A> {
    /// The zone that is sent: the documented one, where nothing better is known.
    pub fn sent_zone(&self) -> &str {
        self.zone.as_deref().unwrap_or(ZONE_DEFAULT)
    }
}
