//! What is ordered for an instance.

use super::{Action, Rebuild};
use crate::job::{Access, ImageId, StoredAccess};

/// What a row of a manifest orders for its instance.
#[derive(Debug, Clone)]
pub enum Order<A = Access> {
    /// To be rebuilt.
    Rebuild(Rebuild<A>),
}

impl<A> Order<A> {
    /// Its kind.
    pub fn action(&self) -> Action {
        match self {
            Self::Rebuild(_) => Action::Rebuild,
        }
    }

    /// The image that the instance gets, if it gets one.
    pub fn image(&self) -> Option<ImageId> {
        match self {
            Self::Rebuild(rebuild) => Some(rebuild.image),
        }
    }

    /// Where that image stands in the provider's catalogue, if the row says it.
    pub fn zone(&self) -> Option<&str> {
        match self {
            Self::Rebuild(rebuild) => rebuild.zone.as_deref(),
        }
    }

    /// How one gets in afterwards, if that changes.
    pub fn access(&self) -> Option<&A> {
        match self {
            Self::Rebuild(rebuild) => Some(&rebuild.access),
        }
    }
}

impl Order<StoredAccess> {
    /// The order with its secret; `None`: that was erased.
    pub fn with_secret(&self) -> Option<Order> {
        match self {
            Self::Rebuild(rebuild) => Some(Order::Rebuild(Rebuild {
                image: rebuild.image,
                zone: rebuild.zone.clone(),
                access: rebuild.access.known()?.clone(),
            })),
        }
    }
}

impl From<Order> for Order<StoredAccess> {
    fn from(order: Order) -> Self {
        match order {
            Order::Rebuild(Rebuild {
                image,
                zone,
                access,
            }) => Self::Rebuild(Rebuild {
                image,
                zone,
                access: StoredAccess::Known(access),
            }),
        }
    }
}
