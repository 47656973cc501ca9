//! How the hooks of a batch stand.

use crate::job::HookState;

/// Hooks of a batch, but for those that have ended well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HookCounts {
    /// They wait for their turn.
    pub pending: u64,
    /// They were started, and their end is not known.
    pub started: u64,
    /// They have failed.
    pub failed: u64,
}

impl HookCounts {
    /// So many more are in `state`.
    pub fn add(&mut self, state: HookState, hooks: u64) {
        match state {
            HookState::Pending => self.pending += hooks,
            HookState::Started => self.started += hooks,
            HookState::Failed => self.failed += hooks,
            HookState::Done | HookState::Forgotten => {}
        }
    }

    /// Those that are not over.
    pub fn open(self) -> u64 {
        self.pending + self.started + self.failed
    }
}
