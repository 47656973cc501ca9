//! The kinds of things that may be done.

use super::terms::{REBUILD, Terms};
use crate::job::InstanceStatus;
use crate::job::words::words;

words! {
    /// What is done to an instance.
    Action ("action") {
        /// Everything on it is destroyed, and an image is put there.
        Rebuild = "rebuild",
    }
}

impl Action {
    /// It does no harm if it is done twice. Of any other action, a submission that may have been
    /// executed is followed by another one only with proof that it was not, or on the operator's word.
    pub fn is_repeatable(self) -> bool {
        match self {
            Self::Rebuild => false,
        }
    }

    /// It may be submitted for an instance in this status.
    pub fn may_begin(self, status: &InstanceStatus) -> bool {
        match self {
            Self::Rebuild => status.is_ready(),
        }
    }

    /// How people speak of it.
    pub fn terms(self) -> &'static Terms {
        match self {
            Self::Rebuild => &REBUILD,
        }
    }
}
