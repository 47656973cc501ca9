//! Which installation of a machine it is.

/// Which installation of an instance it is: the first, or that of a rebuild.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Installation {
    pub(super) service: i64,
    /// Rebuilds by a client that have begun.
    pub(super) wipes: u64,
    /// Rebuilds by somebody else: in the panel.
    pub(super) by_others: u64,
}

impl Installation {
    /// Nobody has rebuilt it.
    pub(super) fn is_first(self) -> bool {
        self.wipes == 0 && self.by_others == 0
    }
}
