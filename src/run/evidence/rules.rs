//! The times that the rules need; all of them are options of `refleet run`.

use std::time::Duration;

/// When doubts end and jobs in progress are complete.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// `--settle`
    pub settle: Duration,
    /// `--poll-interval`
    pub poll_interval: Duration,
    /// `--unseen-after`
    pub unseen_after: Duration,
    /// `--rebuild-timeout`
    pub rebuild_timeout: Duration,
    /// `--timeout`: a call ends within it.
    pub request_timeout: Duration,
    /// Silence may prove that nothing was executed; `--no-requeue` says that it may not.
    pub silence_counts: bool,
    /// A hook of the operator's follows each success: `--on-done`
    pub hooks: bool,
    /// How often a submission is sent again that was proven not to be executed: `--retries`
    pub retries: u32,
}

impl Rules {
    /// Two readings say more than one if they are so far apart.
    pub fn apart(&self) -> Duration {
        self.poll_interval.max(self.settle / 10)
    }
}
