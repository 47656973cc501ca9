//! What is ordered for an instance.

use secrecy::SecretString;

use super::{Action, Rebuild, Task};
use crate::job::{Access, AccessKind, ImageId, StoredAccess};

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

    /// What is submitted for it. `target`: the name that its image will have in the list.
    pub fn task(&self, target: Option<String>) -> Task {
        match self {
            Self::Rebuild(rebuild) => Task::Rebuild {
                zone: rebuild.sent_zone().to_owned(),
                target,
            },
        }
    }

    /// How one gets in afterwards, if that changes.
    pub fn access(&self) -> Option<&A> {
        match self {
            Self::Rebuild(rebuild) => Some(&rebuild.access),
        }
    }
}

impl Order {
    /// With the zone that a preview has told, where the row says none.
    #[must_use]
    pub fn or_zone(mut self, told: Option<String>) -> Self {
        match &mut self {
            Self::Rebuild(rebuild) => rebuild.zone = rebuild.zone.take().or(told),
        }
        self
    }

    /// The password that is sent with it, if one is.
    pub fn password(&self) -> Option<&SecretString> {
        match self.access() {
            Some(Access::Password(password)) => Some(password),
            Some(Access::SshKey(_) | Access::Image) | None => None,
        }
    }

    /// The kind of access, if one is ordered.
    pub fn access_kind(&self) -> Option<AccessKind> {
        self.access().map(Access::kind)
    }
}

impl Order<StoredAccess> {
    /// The password, if one is ordered and was not erased.
    pub fn password(&self) -> Option<&SecretString> {
        match self.access()?.known()? {
            Access::Password(password) => Some(password),
            Access::SshKey(_) | Access::Image => None,
        }
    }

    /// The kind of access, if one is ordered.
    pub fn access_kind(&self) -> Option<AccessKind> {
        self.access().map(StoredAccess::kind)
    }

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

    /// Its password, where it has one, is erased.
    pub fn erase_secret(&mut self) {
        match self {
            Self::Rebuild(rebuild) => {
                if rebuild.access.kind() == AccessKind::Password {
                    rebuild.access = StoredAccess::ErasedPassword;
                }
            }
        }
    }

    /// `other` is the same order, whatever it says of access.
    pub fn is_same_but_for_access(&self, other: &Order) -> bool {
        match (self, other) {
            (Self::Rebuild(one), Order::Rebuild(other)) => {
                one.image == other.image && one.zone == other.zone
            }
        }
    }

    /// `other` gives the same way in, with the same secret. A secret that was erased is nobody's.
    pub fn has_access_of(&self, other: &Order) -> bool {
        match (self, other) {
            (Self::Rebuild(one), Order::Rebuild(other)) => {
                let known = one.access.known();
                known.is_some_and(|known| known.is_same(&other.access))
            }
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
