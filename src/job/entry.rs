//! What the ledger may say about a job.

use serde::{Deserialize, Serialize};

use super::{Evidence, Failure, HookStep, InstanceStatus, ShownKey, Task};

/// What the latest list reading of this run said of an instance when its submission was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// Name of the image it ran; `None` where the list gave none.
    pub image: Option<String>,
    /// Its status.
    pub status: InstanceStatus,
    /// How old that reading was.
    pub age_ms: u64,
    /// The owner's name for it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its address, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The host key that it showed then, where it was asked and answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<ShownKey>,
    /// The ordered image is the account's own, or may be: such an image may carry any host key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_image: bool,
}

/// The operator's word on a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It was rebuilt.
    Done,
    /// Send it again, whatever happened before.
    Requeue,
    /// Leave it as it is.
    Failed,
}

/// One line of a job's history. The arrows say which states it leads from and to;
/// [`super::JobRecord::apply`] is where they are enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LedgerEntry {
    /// `queued → submitting`: committed before anything is sent; each re-send is an intent of its own.
    Intent {
        /// What will be submitted.
        #[serde(flatten)]
        task: Task,
        /// What stood there before; `None` where no list was read.
        baseline: Option<Baseline>,
    },
    /// `submitting → queued`: this submission surely did nothing (never written, 429, session refused).
    /// `in_doubt → queued`: its sender said so late.
    NotExecuted {
        /// Why.
        #[serde(flatten)]
        failure: Failure,
        /// When it may start again, as Unix time.
        not_before_ms: i64,
    },
    /// `submitting → failed`: refused for good, nothing was done. `in_doubt → failed`: its sender said so
    /// late.
    Refused {
        /// The API's reason.
        #[serde(flatten)]
        failure: Failure,
    },
    /// `submitting → in_progress`: the API said ok. `in_doubt | queued → in_progress`: it said so late; a
    /// queued job was put back by somebody's word, and its attempt is no longer a guess.
    Accepted {
        /// When the request was handed to the wire, as Unix time.
        submitted_ms: i64,
    },
    /// `submitting → in_doubt`: sent, and the answer tells nothing.
    Unknown {
        /// What was seen instead of an answer.
        #[serde(flatten)]
        failure: Failure,
        /// When the request was handed to the wire, as Unix time.
        submitted_ms: Option<i64>,
    },
    /// `submitting → in_doubt`: the process died between intent and recorded answer.
    Interrupted,
    /// `in_doubt → in_progress`, or seen for the first time while `in_progress`: the list shows that
    /// the rebuild was executed.
    Sighted {
        /// The status in the list.
        status: InstanceStatus,
        /// The image's name in the list.
        image: Option<String>,
    },
    /// `in_doubt → in_progress`: it shows another host key than before the submission, so that it was rebuilt.
    Rekeyed {
        /// The new one.
        #[serde(flatten)]
        shown: ShownKey,
    },
    /// `in_progress`, `in_doubt` or `done`, and nothing moves: the host key that it has shown since the submission.
    KeyShown {
        /// New or not.
        #[serde(flatten)]
        shown: ShownKey,
    },
    /// `in_progress → done`.
    Completed {
        /// What proves it.
        evidence: Evidence,
        /// The status in the list.
        status: InstanceStatus,
        /// The image's name in the list.
        image: Option<String>,
        /// What a human should look at although it is done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remark: Option<Failure>,
        /// A hook of the operator's is to follow.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hook: bool,
    },
    /// `in_progress → failed`: executed, and the instance ended in an error.
    Broken {
        /// What was seen.
        #[serde(flatten)]
        failure: Failure,
    },
    /// `in_progress → in_doubt`: executed, but how it ended cannot be told.
    Doubted {
        /// Why.
        #[serde(flatten)]
        failure: Failure,
    },
    /// `in_doubt → queued`: proof that nothing was executed. Uses up one retry.
    Disproved {
        /// When it may start again, as Unix time.
        not_before_ms: i64,
    },
    /// `in_doubt → failed`: proof that nothing was executed, and no retry is left.
    Exhausted {
        /// What the last attempt met.
        #[serde(flatten)]
        failure: Failure,
    },
    /// `in_doubt`, from now on without watching: only the operator can settle it.
    Held {
        /// Why no evidence is to be expected any more.
        reason: String,
    },
    /// `in_doubt`, and nothing moves: what the API itself has noted of the service. It proves nothing.
    HistoryRead {
        /// In words, for people.
        found: String,
        /// How many rebuilds it names, where all of it was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rebuilds: Option<u64>,
    },
    /// `queued → failed`: not sent, because the instance cannot be rebuilt now.
    Untouched {
        /// Why.
        #[serde(flatten)]
        failure: Failure,
    },
    /// `in_doubt → done | queued | failed`: the operator's word.
    Resolved {
        /// The word.
        verdict: Verdict,
        /// The operator's reason.
        reason: String,
        /// Resolved as done, and a hook of the operator's is to follow.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        hook: bool,
    },
    /// `queued` or `failed`, and nothing moves: the password or key is another one now. Which, the
    /// ledger never says.
    Access {
        /// The manifest that gave it, by name.
        manifest: String,
    },
    /// `queued` or `failed`, and nothing moves: something else must stand on its instance now.
    Expects {
        /// The manifest that says it, by name.
        manifest: String,
    },
    /// `failed → queued`: `refleet retry`.
    Retried,
    /// `queued | in_doubt | failed → cancelled`: `refleet cancel`.
    Cancelled,
    /// `done`, and stays so: what becomes of its hook.
    Hook(HookStep),
}

impl LedgerEntry {
    /// The word under which the ledger files it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Intent { .. } => "intent",
            Self::NotExecuted { .. } => "not_executed",
            Self::Refused { .. } => "refused",
            Self::Accepted { .. } => "accepted",
            Self::Unknown { .. } => "unknown",
            Self::Interrupted => "interrupted",
            Self::Sighted { .. } => "sighted",
            Self::Rekeyed { .. } => "rekeyed",
            Self::KeyShown { .. } => "key_shown",
            Self::Completed { .. } => "completed",
            Self::Broken { .. } => "broken",
            Self::Doubted { .. } => "doubted",
            Self::Disproved { .. } => "disproved",
            Self::Exhausted { .. } => "exhausted",
            Self::Held { .. } => "held",
            Self::HistoryRead { .. } => "history_read",
            Self::Untouched { .. } => "untouched",
            Self::Resolved { .. } => "resolved",
            Self::Access { .. } => "access",
            Self::Expects { .. } => "expects",
            Self::Retried => "retried",
            Self::Cancelled => "cancelled",
            Self::Hook(_) => "hook",
        }
    }

    /// What went wrong, or is odd, for the entries that say it.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::NotExecuted { failure, .. }
            | Self::Refused { failure }
            | Self::Unknown { failure, .. }
            | Self::Broken { failure }
            | Self::Doubted { failure }
            | Self::Exhausted { failure }
            | Self::Untouched { failure } => Some(failure),
            Self::Completed { remark, .. } => remark.as_ref(),
            Self::Intent { .. }
            | Self::Accepted { .. }
            | Self::Interrupted
            | Self::Sighted { .. }
            | Self::Rekeyed { .. }
            | Self::KeyShown { .. }
            | Self::Disproved { .. }
            | Self::Held { .. }
            | Self::HistoryRead { .. }
            | Self::Resolved { .. }
            | Self::Access { .. }
            | Self::Expects { .. }
            | Self::Retried
            | Self::Cancelled
            | Self::Hook(_) => None,
        }
    }
}
