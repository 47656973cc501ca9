//! Who goes first, and who never goes down together: the rules as the operator gives them.

use std::num::NonZeroU32;

use super::StartOrder;
use crate::time::Window;

/// The rules of a roll-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Of each image so many instances go first, and nothing else before they are proven.
    pub canary: Option<NonZeroU32>,
    /// Of each group so many are down at once, at most.
    pub max_per_group: NonZeroU32,
    /// Nothing starts that would not be back before it closes.
    pub window: Option<Window>,
    /// In which order the others start.
    pub order: StartOrder,
}

impl Default for Rollout {
    fn default() -> Self {
        Self {
            canary: None,
            max_per_group: NonZeroU32::MIN,
            window: None,
            order: StartOrder::Auto,
        }
    }
}
