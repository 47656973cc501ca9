//! What a reading may mean for a job.

use crate::job::{Evidence, Failure};

/// What a reading means for a job in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Watch on.
    Open,
    /// The action was executed.
    Executed,
    /// It was, as the instance's new host key proves.
    Rekeyed,
    /// It was not, and that is proven.
    NotExecuted,
    /// No evidence is to be expected any more, and why.
    Hold(String),
}

/// What a reading means for a job in progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing new.
    Waiting,
    /// The action is seen at work for the first time.
    Begun,
    /// It is complete.
    Complete {
        /// What proves it.
        evidence: Evidence,
        /// What a human should look at all the same.
        remark: Option<Failure>,
    },
    /// It ended in an error.
    Broken(Failure),
    /// How it ended cannot be told.
    Unclear(Failure),
}
