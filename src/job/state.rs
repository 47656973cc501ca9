//! The words a job's record is made of.

use super::words::words;

words! {
    /// Where a job is. `Queued`, `Submitting`, `InProgress` and `InDoubt` are *live*.
    State ("state") {
        /// Waits for its turn; nothing outstanding.
        Queued = "queued",
        /// An intent is committed, its answer is not: the request may or may not be on the wire.
        Submitting = "submitting",
        /// The API accepted it, or the list shows that it was executed.
        InProgress = "in_progress",
        /// It may or may not have been wiped: waits for evidence or for the operator.
        InDoubt = "in_doubt",
        /// Rebuilt.
        Done = "done",
        /// Ended without success; `executed` tells whether it was touched.
        Failed = "failed",
        /// Dropped by the operator.
        Cancelled = "cancelled",
    }
}

impl State {
    /// Nothing follows without an operator's word.
    pub fn is_final(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Cancelled => true,
            Self::Queued | Self::Submitting | Self::InProgress | Self::InDoubt => false,
        }
    }
}

words! {
    /// Was the instance touched?
    Executed ("answer to `executed`") {
        /// Surely not.
        No = "no",
        /// Unknown.
        Maybe = "maybe",
        /// Surely.
        Yes = "yes",
    }
}

words! {
    /// What proves that an action was done.
    Evidence ("evidence") {
        /// The instance's status was seen to change as the action changes it, and settled afterwards.
        Observed = "observed",
        /// The instance's image name became the target's.
        Image = "image",
        /// Its SSH host keys are new.
        HostKey = "host_key",
        /// The API said ok, and nothing more could be seen.
        Accepted = "accepted",
        /// An operator said so (`refleet resolve --as done`).
        Operator = "operator",
    }
}

impl Evidence {
    /// Somebody has seen when it was done: what was only accepted, or given out as done by somebody, says
    /// nothing of how long it took.
    pub fn is_seen(self) -> bool {
        match self {
            Self::Observed | Self::Image => true,
            // New keys are looked for now and then: the moment of the look says little.
            Self::HostKey | Self::Accepted | Self::Operator => false,
        }
    }
}
