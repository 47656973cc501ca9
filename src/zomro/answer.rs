//! What came of a call, as its caller is told.
//!
//! The one fact to know: only an answer that proves "nothing was done" may lead to a second
//! submission. So every class of [`Answer`] but the last is a list of what is known to mean it, and
//! whatever is on no list is [`Answer::Unknown`]. How an HTTP answer gets into its class is decided
//! in `finding` (what it says) and `meaning` (what that means for the function that was called).

use std::time::Duration;

use crate::job::{Failure, FailureKind};

use super::api_error;
use super::claims::HalfSession;
use super::incurable::Incurable;

/// What the first answer to a submission means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// `doc.ok`: the API took it.
    Accepted,
    /// Not a byte of the form was written: nothing was done, and the network is to blame.
    NotSent(Failure),
    /// HTTP 429: nothing was done, the whole run should slow down.
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
    /// The API refused for good; nothing was done. The kind is the API's `$type`.
    Refused(Failure),
    /// `doc.error` of type `auth` or `access`, or no session yet: nothing was done. Either the
    /// session is dead or the service belongs to somebody else; `keepalive` tells which.
    Unauthorized { message: String },
    /// HTTP 403 or 460: nothing was done. The address is blocked, or only this request is.
    Blocked { status: u16 },
    /// An `ok` that asks for a second factor or a login. If the session answers every call like
    /// that, nothing was done; another call has to show whether it does. If it does not, it is
    /// unknown what was done.
    HalfSession {
        asks_for: HalfSession,
        /// What the answer means if other calls are not answered like that.
        failure: Failure,
    },
    /// Anything else: it may or may not have been executed.
    Unknown(Failure),
}

impl Answer {
    /// The class in one word.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::NotSent(_) => "not_sent",
            Self::SlowDown { .. } => "slow_down",
            Self::Refused(_) => "refused",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Blocked { .. } => "blocked",
            Self::HalfSession { .. } => "half_session",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What the ledger records of it; `None` where nothing went wrong. Classes that bring no kind
    /// of their own get `rate_limited`, `unauthorized` and `blocked_request`.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Accepted => None,
            Self::NotSent(failure)
            | Self::Refused(failure)
            | Self::Unknown(failure)
            | Self::HalfSession { failure, .. } => Some(failure.clone()),
            Self::SlowDown { .. } => Some(Failure::new(
                FailureKind::RateLimited,
                "the API asks to slow down (HTTP 429)",
            )),
            Self::Unauthorized { message } => {
                Some(Failure::new(FailureKind::Unauthorized, message))
            }
            Self::Blocked { status } => Some(Failure::new(
                FailureKind::BlockedRequest,
                format!("the API blocks this request (HTTP {status})"),
            )),
        }
    }
}

/// What `keepalive` says of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keepalive {
    /// The session works.
    Alive,
    /// It does not, or there is none.
    Dead { message: String },
    /// The session is not complete: it answers every call by asking for something more.
    Half(HalfSession),
    /// HTTP 403 or 460: this address is blocked.
    Blocked { status: u16 },
    /// HTTP 429, or a 5xx with `Retry-After`.
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
    /// The API cannot be reached as things are set up.
    Incurable(Incurable),
    /// Anything else: nothing is known about the session.
    Failed(Failure),
}

/// Why a login gave no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// There is a bare token and no password: nothing to log in with.
    #[error("there are no credentials to log in with")]
    NoCredentials,
    /// The API says no.
    #[error("the login was refused: {message}")]
    Refused {
        /// The API's reason as a word (`badpassword`, `badip`, `blocklogon`, …); may be empty.
        object: String,
        message: String,
    },
    /// The account asks for a one-time code, which nobody is there to give.
    #[error("the account asks for a second factor")]
    SecondFactor,
    /// The API says no, and the password has been changed since it was fetched: the new one is not
    /// tried yet.
    #[error("the login was refused, and the password is another one by now: {message}")]
    PasswordChanged { message: String },
    /// The one-time code is not accepted.
    #[error("the API does not accept the code of the second factor: {message}")]
    WrongCode { message: String },
    /// There is no one-time code.
    #[error("there is no code for the second factor: {0}")]
    NoCode(String),
    /// The API did not say no, but its answer holds no session.
    #[error("the answer to the login holds no session token")]
    NoToken,
    /// HTTP 403 or 460: this address is blocked.
    #[error("the API blocks this address (HTTP {status})")]
    Blocked { status: u16 },
    /// HTTP 429, or a 5xx with `Retry-After`.
    #[error("the API asks to slow down")]
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
    /// The API cannot be reached as things are set up.
    #[error("{0}")]
    Incurable(Incurable),
    /// Anything else: the login may work later.
    #[error("the login failed: {}", .0.error)]
    Failed(Failure),
}

impl LoginError {
    /// The API locks an account for 20 s after bad logins: a refusal that passes.
    pub fn is_temporary_lock(&self) -> bool {
        matches!(self, Self::Refused { object, .. } if object.eq_ignore_ascii_case("blocklogon"))
    }
}

/// Why a read-only call gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// `doc.error` of type `auth` or `access`, or no session yet.
    #[error("the session is not accepted: {message}")]
    Unauthorized {
        /// The generation of the token that was used; 0: there was none.
        generation: u64,
        message: String,
    },
    /// HTTP 403 or 460.
    #[error("the API blocks this request (HTTP {status})")]
    Blocked { status: u16 },
    /// HTTP 429, or a 5xx with `Retry-After`.
    #[error("the API asks to slow down")]
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
    /// An `ok` that asks for a second factor or a login: the session is not complete, or seems so.
    #[error("the session is not whole: the API asks for {}", .asks_for)]
    HalfSession { asks_for: HalfSession },
    /// The API cannot be reached as things are set up.
    #[error("{0}")]
    Incurable(Incurable),
    /// Anything else, other error types included.
    #[error("{}", .0.error)]
    Failed(Failure),
}

impl ReadError {
    /// The API's own no, of a type that is known to be one: asking again gets the same answer.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Failed(failure) => api_error::is_known(failure.error_kind.as_str()),
            Self::Unauthorized { .. }
            | Self::Blocked { .. }
            | Self::SlowDown { .. }
            | Self::HalfSession { .. }
            | Self::Incurable(_) => false,
        }
    }
}
