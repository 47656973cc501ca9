//! What went wrong.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What went wrong, in one word for scripts and one sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In one word.
    pub error_kind: FailureKind,
    /// The API's or the network's own words, without secrets and control characters.
    pub error: String,
}

impl Failure {
    /// A failure of `kind`, explained by `error`.
    pub fn new(kind: impl Into<FailureKind>, error: impl Into<String>) -> Self {
        Self {
            error_kind: kind.into(),
            error: error.into(),
        }
    }

    /// The network is to blame: no answer came at all.
    pub fn is_network(&self) -> bool {
        self.error_kind.is_network()
    }
}

/// What jobs failed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    pub kind: FailureKind,
    /// So many.
    pub jobs: u64,
    /// What was said of one of them.
    pub error: String,
}

/// The kinds that refleet itself tells apart, each with its word.
macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// A failure in one word. The words are kept for ever in ledgers and reports.
        ///
        /// [`From`] makes it of a word: a known one never becomes [`Other`](Self::Other).
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub enum FailureKind {
            $($(#[$doc])* $variant,)+
            /// A word of the API (`value`, `missed`, …), an HTTP status (`http_502`), or a word of
            /// another version of refleet.
            Other(String),
        }

        impl FailureKind {
            /// The word, as the database, the report and the events write it.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }

            fn known(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        #[cfg(test)]
        const KNOWN: &[FailureKind] = &[$(FailureKind::$variant),+];
    };
}

kinds! {
    // On the way to the API; `zomro` says when.
    /// The host name was not resolved.
    Dns = "dns",
    /// No connection.
    Connect = "connect",
    /// The TLS handshake failed.
    Tls = "tls",
    /// The way through a proxy ended before or at it.
    Proxy = "proxy",
    /// No connection in time.
    ConnectTimeout = "connect_timeout",
    /// It was not let out: the right to send it was lost, or it had waited for too long.
    Barred = "barred",
    /// No answer in time.
    Timeout = "timeout",
    /// The connection ended before the answer.
    Reset = "reset",
    /// The connection ended within the answer.
    Truncated = "truncated",

    // Answers; `zomro` says which.
    /// The answer is longer than it can be.
    BodyTooLarge = "body_too_large",
    /// The answer belongs to another request.
    Foreign = "foreign",
    /// The answer says both yes and no.
    Contradiction = "contradiction",
    /// The answer is a form.
    Form = "form",
    /// The answer leads elsewhere.
    Elsewhere = "elsewhere",
    /// The answer is a web page.
    Html = "html",
    /// The answer cannot be read.
    Garbled = "garbled",
    /// The answer says neither yes nor no.
    NoVerdict = "no_verdict",
    /// The API is already working on this instance.
    RunningOperation = "running_operation",
    /// The API took the request as a long one, and its verdict was not to be had.
    LongRequest = "long_request",
    /// An error of the API whose type is missing or no word.
    ApiError = "api_error",
    /// The API asks to slow down.
    RateLimited = "rate_limited",
    /// The session has no right to it, or is no session.
    Unauthorized = "unauthorized",
    /// The API blocks this request.
    BlockedRequest = "blocked_request",
    /// The API refused without a reason.
    Refused = "refused",
    /// The API wants another half of a login.
    HalfSession = "half_session",

    // What became of a job.
    /// The process ended between the intent and the recorded answer.
    Interrupted = "interrupted",
    /// The host that was about to send it has lost the account's lease, and may send it yet.
    Orphaned = "orphaned",
    /// The account's list does not show the instance.
    NotListed = "not_listed",
    /// Something else stands on the instance than the order expects.
    PlanMismatch = "plan_mismatch",
    /// The instance did not become ready for a rebuild in time.
    NotReady = "not_ready",
    /// The job's password was erased.
    PasswordErased = "password_erased",
    /// It was never executed.
    NotExecuted = "not_executed",
    /// The instance did not come back in time.
    RebuildTimeout = "rebuild_timeout",
    /// The rebuild ended in an error of the instance.
    InstanceError = "instance_error",
    /// The instance came back with the image it had before.
    OldImage = "old_image",
    /// The instance came back with an image that is neither the old nor the new one.
    ThirdImage = "third_image",
}

impl FailureKind {
    /// The network is to blame: no answer came at all.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Dns
            | Self::Connect
            | Self::Tls
            | Self::Proxy
            | Self::ConnectTimeout
            | Self::Timeout
            | Self::Reset
            | Self::Truncated => true,
            Self::Barred
            | Self::BodyTooLarge
            | Self::Foreign
            | Self::Contradiction
            | Self::Form
            | Self::Elsewhere
            | Self::Html
            | Self::Garbled
            | Self::NoVerdict
            | Self::RunningOperation
            | Self::LongRequest
            | Self::ApiError
            | Self::RateLimited
            | Self::Unauthorized
            | Self::BlockedRequest
            | Self::Refused
            | Self::HalfSession
            | Self::Interrupted
            | Self::Orphaned
            | Self::NotListed
            | Self::PlanMismatch
            | Self::NotReady
            | Self::PasswordErased
            | Self::NotExecuted
            | Self::RebuildTimeout
            | Self::InstanceError
            | Self::OldImage
            | Self::ThirdImage
            | Self::Other(_) => false,
        }
    }
}

impl From<String> for FailureKind {
    fn from(word: String) -> Self {
        Self::known(&word).unwrap_or(Self::Other(word))
    }
}

impl From<&str> for FailureKind {
    fn from(word: &str) -> Self {
        Self::known(word).unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// As its word.
impl fmt::Debug for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl PartialEq<&str> for FailureKind {
    fn eq(&self, word: &&str) -> bool {
        self.as_str() == *word
    }
}

impl Serialize for FailureKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FailureKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_was_written() {
        for kind in KNOWN {
            assert_eq!(FailureKind::from(kind.as_str()), *kind);
            let json = serde_json::to_string(kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<FailureKind>(&json).unwrap(), *kind);
        }
        for word in ["value", "http_502", "a_kind_of_the_future", ""] {
            let kind = FailureKind::from(word);
            assert_eq!(kind, FailureKind::Other(word.to_owned()));
            assert_eq!(kind.as_str(), word);
        }
    }
}
