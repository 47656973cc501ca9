//! What became of an order.

use std::time::Duration;

use super::{
    Evidence, Executed, FailureKind, Group, HookState, ImageId, ServiceId, ShownKey, State,
};

/// One line of the report: what happened to one instance.
#[derive(Debug, Clone)]
pub struct ResultRow {
    /// Line of the manifest.
    pub line: u64,
    /// The instance.
    pub service: ServiceId,
    /// The image ordered for it, if it gets one.
    pub image: Option<ImageId>,
    /// The name that this image will have, where it is known.
    pub image_name: Option<String>,
    /// Where the job is.
    pub state: State,
    /// Was the instance touched?
    pub executed: Executed,
    /// What proves a finished rebuild.
    pub evidence: Option<Evidence>,
    /// Submissions so far.
    pub attempts: u32,
    /// When the last request was handed to the wire, as Unix time.
    pub submitted_ms: Option<i64>,
    /// When the answer arrived that ended the job, as Unix time.
    pub completed_ms: Option<i64>,
    /// What went wrong, as one word.
    pub error_kind: Option<FailureKind>,
    /// What went wrong, in the API's words.
    pub error: Option<String>,
    /// The manifest's note.
    pub note: Option<String>,
    /// The group of which only so many may be down at once.
    pub group: Option<Group>,
    /// In doubt, and only the operator can settle it.
    pub held: bool,
    /// An operator's word has ended it: when that was says nothing of the instance.
    pub by_word: bool,
    /// The owner's name for the instance, where a list showed it before the submission.
    pub name: Option<String>,
    /// Its address, likewise.
    pub ip: Option<String>,
    /// Where it answers SSH, if the manifest says so.
    pub ssh_port: Option<u16>,
    /// The host key that it showed before the last submission.
    pub host_key_before: Option<ShownKey>,
    /// The one that it has shown last since then.
    pub host_key: Option<ShownKey>,
    /// Where its hook is, if it has one.
    pub hook: Option<HookState>,
}

/// What happens to an instance that people want to know the time of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A request was handed to the wire.
    Submitted,
    /// It was complete.
    Done,
    /// It was known that it would not be.
    Failed,
}

impl ResultRow {
    /// It is done, and a human should look at it all the same.
    pub fn is_flagged(&self) -> bool {
        self.state == State::Done && self.error_kind.is_some()
    }

    /// From the submission to the completion, where that was seen ([`Evidence::is_seen`]).
    pub fn took(&self) -> Option<Duration> {
        self.evidence.filter(|evidence| evidence.is_seen())?;
        let (submitted_ms, completed_ms) = self.submitted_ms.zip(self.completed_ms)?;
        let ms = u64::try_from(completed_ms.saturating_sub(submitted_ms)).ok()?;
        Some(Duration::from_millis(ms))
    }
}
