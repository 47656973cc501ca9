//! What an HTTP answer means: the table of which every submission's fate hangs.
//!
//! The one fact to know: only an answer that proves "nothing was done" may lead to a second
//! submission. So every class but the last is a list of what is known to mean it, and whatever is
//! on no list is *unknown*.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::value::RawValue;

use zeroize::Zeroizing;

use crate::job::Failure;
use crate::text;

use super::fault::{Fault, Place};
use super::incurable::Incurable;
use super::long_request;
use super::redact::redact;
use super::verdict::{self, ErrorNode, HalfSession, Lead, Ours, Verdict};

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
    /// `doc.error` of type `auth` or `access`, or no session yet: nothing was done. A dead session or
    /// a service of somebody else; `keepalive` tells which.
    Unauthorized {
        /// The API's words.
        message: String,
    },
    /// HTTP 403 or 460: nothing was done. The address is blocked, or only this request is.
    Blocked {
        /// The HTTP status.
        status: u16,
    },
    /// An `ok` that names the second factor or a login: nothing was done if the session answers
    /// everything like that, which another call has to tell; else nothing is known.
    HalfSession {
        /// What it names.
        asks_for: HalfSession,
        /// What it means if no other call is answered alike.
        failure: Failure,
    },
    /// Anything else: it may or may not have been executed.
    Unknown(Failure),
}

impl Answer {
    /// The class in one word.
    pub fn class(&self) -> &'static str {
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

    /// What a ledger says of it; `None` where nothing went wrong. The words of the classes that do
    /// not bring their own: `rate_limited`, `unauthorized`, `blocked_request`.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Accepted => None,
            Self::NotSent(failure)
            | Self::Refused(failure)
            | Self::Unknown(failure)
            | Self::HalfSession { failure, .. } => Some(failure.clone()),
            Self::SlowDown { .. } => Some(Failure::new(
                "rate_limited",
                "the API asks to slow down (HTTP 429)",
            )),
            Self::Unauthorized { message } => Some(Failure::new("unauthorized", message)),
            Self::Blocked { status } => Some(Failure::new(
                "blocked_request",
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
    Dead {
        /// The API's words.
        message: String,
    },
    /// It answers like a session that is not whole.
    Half(HalfSession),
    /// HTTP 403 or 460: this address is blocked.
    Blocked {
        /// The HTTP status.
        status: u16,
    },
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
        /// The API's words.
        message: String,
    },
    /// The account asks for a one-time code, which nobody is there to give.
    #[error("the account asks for a second factor")]
    SecondFactor,
    /// The API did not say no, but its answer holds no session.
    #[error("the answer to the login holds no session token")]
    NoToken,
    /// HTTP 403 or 460: this address is blocked.
    #[error("the API blocks this address (HTTP {status})")]
    Blocked {
        /// The HTTP status.
        status: u16,
    },
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
        /// Of the token that was used; 0: there was none.
        generation: u64,
        /// The API's words.
        message: String,
    },
    /// HTTP 403 or 460.
    #[error("the API blocks this request (HTTP {status})")]
    Blocked {
        /// The HTTP status.
        status: u16,
    },
    /// HTTP 429, or a 5xx with `Retry-After`.
    #[error("the API asks to slow down")]
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
    /// A document that belongs to no list and no form: the session is not whole, or seems so.
    #[error("the session is not whole: the API asks for {}", .asks_for)]
    HalfSession {
        /// What it asks for.
        asks_for: HalfSession,
    },
    /// The API cannot be reached as things are set up.
    #[error("{0}")]
    Incurable(Incurable),
    /// Anything else, other error types included.
    #[error("{}", .0.error)]
    Failed(Failure),
}

/// An answer as it came over HTTP.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    /// The status stands even where the body did not arrive whole.
    pub(super) body: Result<Zeroizing<String>, Fault>,
}

/// What one answer says, whichever function was called.
#[derive(Debug)]
pub(super) enum Finding {
    Document(Document),
    /// A page to be followed instead of a document.
    LongRequest(String),
    Obstacle(Obstacle),
}

/// A document without `doc.error`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Document {
    /// It has `doc.ok`, which may lead elsewhere.
    Ok(Option<Lead>),
    /// It has `doc.slist`, and no `doc.ok`: a form.
    Form,
    /// It has neither.
    Data,
}

/// No document, and why.
#[derive(Debug)]
pub(super) enum Obstacle {
    Refused(ApiError),
    Unauthorized(ApiError),
    /// HTTP 429: not executed.
    SlowDown {
        retry_after: Option<Duration>,
    },
    /// A 5xx with `Retry-After`: whether it was executed is not known.
    Overloaded {
        fault: Fault,
        retry_after: Duration,
    },
    Blocked {
        status: u16,
    },
    HalfSession(HalfSession),
    Fault(Fault),
}

/// `doc.error`, safe to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApiError {
    /// `$type`, or `api_error` where that is no word.
    pub(super) kind: String,
    pub(super) object: String,
    pub(super) message: String,
}

impl ApiError {
    /// Object and message on one line.
    pub(super) fn text(&self) -> String {
        match (self.object.as_str(), self.message.as_str()) {
            ("", "") => format!("error of type {}", self.kind),
            ("", message) => message.to_owned(),
            (object, "") => object.to_owned(),
            (object, message) => format!("{object}: {message}"),
        }
    }

    fn failure(&self) -> Failure {
        Failure::new(self.kind.as_str(), self.text())
    }
}

/// What an answer to `ours` says. `secrets` are those that the request held: the answer may echo them.
pub(super) fn read(received: &Received, ours: &Ours, secrets: &[&str]) -> Finding {
    let status = received.status;
    let body = match &received.body {
        Ok(body) => body.as_str(),
        Err(fault) if status == 200 => return fault.clone().into(),
        Err(_) => "",
    };
    let verdict = match verdict::verdict(body) {
        Ok(verdict) => verdict,
        Err(error) if status == 200 => return no_document(body, &error),
        Err(_) => Verdict::default(),
    };
    let error = verdict.errors.as_ref().and_then(|nodes| {
        // Of several errors to a submission the one that proves nothing counts.
        let proves_nothing = |node: &&ErrorNode| ours.submits && !is_known(node.kind.trimmed());
        let counts = nodes.iter().find(proves_nothing).or(nodes.first());
        counts.map(|node| api_error(node, secrets))
    });
    // Looked at before everything else: the operation that runs may be the one just asked for.
    if let (Some(nodes), Some(error)) = (&verdict.errors, &error)
        && nodes.iter().any(says_running_operation)
    {
        return Fault::RunningOperation(error.text()).into();
    }
    // An error to a call that changes nothing is one, whoever it was meant for.
    if verdict.is_foreign(ours) && (ours.submits || error.is_none()) {
        return Fault::Foreign.into();
    }
    if ours.submits && (verdict.is_list || verdict.refuses_a_preview()) {
        return Fault::Foreign.into();
    }
    if ours.submits && error.is_some() && verdict.ok.is_some() {
        return Fault::Contradiction.into();
    }
    if ours.submits && verdict.is_form && verdict.ok.is_none() && error.is_none() {
        return Fault::Form.into();
    }
    let accepted = verdict.ok.is_some() && error.is_none();
    match status {
        200 => match error {
            Some(error) => error.into(),
            None if accepted => Finding::Document(Document::Ok(lead(&verdict, secrets))),
            None if verdict.is_form => Finding::Document(Document::Form),
            None => Finding::Document(Document::Data),
        },
        // A status that says "not executed" over a document that says "accepted" proves nothing.
        429 if !accepted => Finding::Obstacle(Obstacle::SlowDown {
            retry_after: received.retry_after,
        }),
        403 | 460 if !accepted => Finding::Obstacle(Obstacle::Blocked { status }),
        300..400 if let Some(location) = &received.location => Fault::Redirect {
            status,
            location: text::brief(&redact(location, secrets), text::MESSAGE_CHARS_MAX),
        }
        .into(),
        _ => {
            let fault = Fault::Status {
                status,
                message: error.map(|error| error.text()).unwrap_or_default(),
            };
            match received.retry_after {
                Some(retry_after) if (500..600).contains(&status) => {
                    Finding::Obstacle(Obstacle::Overloaded { fault, retry_after })
                }
                Some(_) | None => fault.into(),
            }
        }
    }
}

/// Where an `ok` leads, safe to show.
fn lead(verdict: &Verdict<'_>, secrets: &[&str]) -> Option<Lead> {
    verdict.lead().map(|lead| Lead {
        target: text::brief(&redact(&lead.target, secrets), text::MESSAGE_CHARS_MAX),
        half: lead.half,
    })
}

impl From<Fault> for Finding {
    fn from(fault: Fault) -> Self {
        Self::Obstacle(Obstacle::Fault(fault))
    }
}

/// Types that refuse for good.
const REFUSALS: [&str; 6] = ["value", "missed", "exists", "limit", "nofunc", "license"];
/// Types that mean a session without rights.
const NO_RIGHTS: [&str; 2] = ["auth", "access"];

/// An error type that is the API's word and nobody's secret.
fn is_known(kind: &str) -> bool {
    REFUSALS.contains(&kind) || NO_RIGHTS.contains(&kind)
}

impl From<ApiError> for Finding {
    fn from(error: ApiError) -> Self {
        Self::Obstacle(match error.kind.as_str() {
            kind if REFUSALS.contains(&kind) => Obstacle::Refused(error),
            kind if NO_RIGHTS.contains(&kind) => Obstacle::Unauthorized(error),
            // The set of types is open: modules invent their own.
            _ => Obstacle::Fault(Fault::Api(error)),
        })
    }
}

/// A body with status 200 that holds no `doc`.
fn no_document(body: &str, error: &serde_json::Error) -> Finding {
    if !body.trim_start().starts_with('<') {
        return Fault::json(error).into();
    }
    match long_request::link(body) {
        Some(link) => Finding::LongRequest(link),
        None => Fault::Html.into(),
    }
}

fn api_error(node: &ErrorNode<'_>, secrets: &[&str]) -> ApiError {
    let safe = |text: &str| text::brief(&redact(text, secrets), text::MESSAGE_CHARS_MAX);
    let kind = node.kind.trimmed();
    let kind = if is_known(kind) {
        Cow::Borrowed(kind)
    } else {
        redact(kind, secrets)
    };
    let is_word = !kind.is_empty()
        && kind.len() <= 64
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    ApiError {
        kind: if is_word {
            kind.into_owned()
        } else {
            "api_error".to_owned()
        },
        object: safe(&object(node.object)),
        message: safe(
            node.msg
                .filled()
                .or(node.detail.filled())
                .unwrap_or_default(),
        ),
    }
}

/// `$object` as text. JSON in it is written anew, so that no escape hides a word or a secret.
fn object(raw: Option<&RawValue>) -> String {
    let Some(raw) = raw.map(RawValue::get).filter(|raw| *raw != "null") else {
        return String::new();
    };
    let text = serde_json::from_str::<String>(raw).map_or(Cow::Borrowed(raw), Cow::Owned);
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
            value.to_string()
        }
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => text.into_owned(),
    }
}

fn says_running_operation(node: &ErrorNode<'_>) -> bool {
    object(node.object)
        .to_ascii_lowercase()
        .contains("runningoperation")
        || node.kind.trimmed().eq_ignore_ascii_case("runningoperation")
        || [&node.msg, &node.detail].into_iter().any(|text| {
            let text = text.trimmed().to_lowercase();
            // Collected by the panel itself, which reads both languages.
            text.contains("request in process") || text.contains("запрос обрабатывается")
        })
}

/// What a submission's answer means, long-request pages aside.
pub(super) fn submission(document: Result<Document, Obstacle>) -> Answer {
    match document {
        Ok(Document::Ok(None)) => Answer::Accepted,
        Ok(Document::Ok(Some(lead))) => {
            let half = lead.half;
            let failure = Fault::Elsewhere(lead.target).into();
            match half {
                Some(asks_for) => Answer::HalfSession { asks_for, failure },
                None => Answer::Unknown(failure),
            }
        }
        Ok(Document::Form) => Answer::Unknown(Fault::Form.into()),
        Ok(Document::Data) => Answer::Unknown(Fault::NoVerdict.into()),
        Err(Obstacle::Refused(error)) => Answer::Refused(error.failure()),
        Err(Obstacle::Unauthorized(error)) => Answer::Unauthorized {
            message: error.text(),
        },
        Err(Obstacle::SlowDown { retry_after }) => Answer::SlowDown { retry_after },
        Err(Obstacle::Blocked { status }) => Answer::Blocked { status },
        Err(Obstacle::Overloaded { fault, .. } | Obstacle::Fault(fault)) => {
            Answer::Unknown(fault.into())
        }
        Err(Obstacle::HalfSession(asks_for)) => {
            Answer::Unknown(Fault::Elsewhere(asks_for.to_string()).into())
        }
    }
}

/// The document of a call that changes nothing: one that asks for more than the session has is none.
pub(super) fn whole(document: Document) -> Result<Document, Obstacle> {
    match document {
        Document::Ok(Some(Lead {
            half: Some(half), ..
        })) => Err(Obstacle::HalfSession(half)),
        Document::Ok(_) | Document::Form | Document::Data => Ok(document),
    }
}

/// What `keepalive` and `whoami` say of the session.
pub(super) fn keepalive(document: Result<(), Obstacle>, place: &Place) -> Keepalive {
    match document {
        Ok(()) => Keepalive::Alive,
        Err(Obstacle::Unauthorized(error)) => Keepalive::Dead {
            message: error.text(),
        },
        Err(Obstacle::HalfSession(half)) => Keepalive::Half(half),
        Err(Obstacle::Refused(error)) => Keepalive::Failed(error.failure()),
        Err(Obstacle::SlowDown { retry_after }) => Keepalive::SlowDown { retry_after },
        Err(Obstacle::Overloaded { retry_after, .. }) => Keepalive::SlowDown {
            retry_after: Some(retry_after),
        },
        Err(Obstacle::Blocked { status }) => Keepalive::Blocked { status },
        Err(Obstacle::Fault(fault)) => match fault.incurable(place) {
            Some(incurable) => Keepalive::Incurable(incurable),
            None => Keepalive::Failed(fault.into()),
        },
    }
}

/// Why a login gave no session. Any error of the API is a refusal: a captcha that was switched on for
/// the account has a type of its own, and asking again locks the account.
pub(super) fn login_error(obstacle: Obstacle, place: &Place) -> LoginError {
    match obstacle {
        Obstacle::Refused(error)
        | Obstacle::Unauthorized(error)
        | Obstacle::Fault(Fault::Api(error)) => LoginError::Refused {
            message: error.text(),
            object: error.object,
        },
        Obstacle::SlowDown { retry_after } => LoginError::SlowDown { retry_after },
        Obstacle::Overloaded { retry_after, .. } => LoginError::SlowDown {
            retry_after: Some(retry_after),
        },
        Obstacle::Blocked { status } => LoginError::Blocked { status },
        Obstacle::HalfSession(HalfSession::SecondFactor) => LoginError::SecondFactor,
        Obstacle::HalfSession(HalfSession::Login) => LoginError::NoToken,
        Obstacle::Fault(fault) => match fault.incurable(place) {
            Some(incurable) => LoginError::Incurable(incurable),
            None => LoginError::Failed(fault.into()),
        },
    }
}

/// Why a read-only call with the token of this `generation` gave nothing.
pub(super) fn read_error(obstacle: Obstacle, generation: u64, place: &Place) -> ReadError {
    match obstacle {
        Obstacle::Unauthorized(error) => ReadError::Unauthorized {
            generation,
            message: error.text(),
        },
        Obstacle::HalfSession(asks_for) => ReadError::HalfSession { asks_for },
        Obstacle::Refused(error) => ReadError::Failed(error.failure()),
        Obstacle::SlowDown { retry_after } => ReadError::SlowDown { retry_after },
        Obstacle::Overloaded { retry_after, .. } => ReadError::SlowDown {
            retry_after: Some(retry_after),
        },
        Obstacle::Blocked { status } => ReadError::Blocked { status },
        Obstacle::Fault(fault) => match fault.incurable(place) {
            Some(incurable) => ReadError::Incurable(incurable),
            None => ReadError::Failed(fault.into()),
        },
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) | Self::Unauthorized(error) => f.write_str(&error.text()),
            Self::SlowDown { .. } => f.write_str("the answer is HTTP 429"),
            Self::Blocked { status } => write!(f, "the answer is HTTP {status}"),
            Self::HalfSession(half) => write!(f, "the API asks for {half}"),
            Self::Overloaded { fault, .. } | Self::Fault(fault) => fault.fmt(f),
        }
    }
}
