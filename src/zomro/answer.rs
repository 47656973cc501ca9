//! What an HTTP answer means: the table of which every submission's fate hangs.
//!
//! The one fact to know: only an answer that proves "nothing was done" may lead to a second
//! submission. So every class but the last is a list of what is known to mean it, and whatever is
//! on no list is *unknown*.

use std::borrow::Cow;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::job::Failure;
use crate::{text, time};

use super::fault::Fault;
use super::long_request;
use super::redact::redact;
use super::shape::{self, Many, Text};

/// `Retry-After` is believed up to here.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(15);

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
    /// The rebuild form came back: the server did not take this for a submission.
    Form,
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
            Self::Form => "form",
            Self::Unknown(_) => "unknown",
        }
    }

    /// What a ledger says of it; `None` where nothing went wrong. The words of the classes that do
    /// not bring their own: `rate_limited`, `unauthorized`, `blocked_request`, `form`.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Accepted => None,
            Self::NotSent(failure) | Self::Refused(failure) | Self::Unknown(failure) => {
                Some(failure.clone())
            }
            Self::SlowDown { .. } => Some(Failure::new(
                "rate_limited",
                "the API asks to slow down (HTTP 429)",
            )),
            Self::Unauthorized { message } => Some(Failure::new("unauthorized", message)),
            Self::Blocked { status } => Some(Failure::new(
                "blocked_request",
                format!("the API blocks this request (HTTP {status})"),
            )),
            Self::Form => Some(Failure::new(
                "form",
                "the API answered with the form: it did not take this for a submission",
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
    /// HTTP 403 or 460: this address is blocked.
    Blocked {
        /// The HTTP status.
        status: u16,
    },
    /// HTTP 429.
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
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
    #[error("the account asks for a second factor: use a session token instead")]
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
    /// HTTP 429.
    #[error("the API asks to slow down (HTTP 429)")]
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
    /// Anything else: the login may work later.
    #[error("the login failed: {}", .0.error)]
    Failed(Failure),
}

impl LoginError {
    /// The API locks an account for 20 s after bad logins: a refusal that passes.
    pub fn is_temporary_lock(&self) -> bool {
        matches!(self, Self::Refused { object, .. } if object == "blocklogon")
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
    /// HTTP 429.
    #[error("the API asks to slow down (HTTP 429)")]
    SlowDown {
        /// What the API asks for, at most 15 minutes.
        retry_after: Option<Duration>,
    },
    /// Anything else, other error types included.
    #[error("{}", .0.error)]
    Failed(Failure),
}

/// An answer as it came over HTTP.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// The status stands even where the body did not arrive whole.
    pub(super) body: Result<Vec<u8>, Fault>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    /// It has `doc.ok`.
    Ok,
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
    SlowDown { retry_after: Option<Duration> },
    Blocked { status: u16 },
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

#[derive(Deserialize)]
struct Verdict<'a> {
    #[serde(borrow, default, deserialize_with = "shape::present")]
    ok: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "shape::present")]
    error: Option<Many<ErrorNode<'a>>>,
    #[serde(borrow, default)]
    slist: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorNode<'a> {
    #[serde(borrow, rename = "$type")]
    kind: Text<'a>,
    /// A word, or JSON of the cloud behind the panel: as a string, or who knows, as such.
    #[serde(borrow, rename = "$object")]
    object: Option<&'a RawValue>,
    #[serde(borrow)]
    msg: Text<'a>,
    #[serde(borrow)]
    detail: Text<'a>,
}

/// What an answer says. `secrets` are those that its request held: an error may echo them.
pub(super) fn read(received: &Received, secrets: &[&str]) -> Finding {
    let status = received.status;
    let body = match &received.body {
        Ok(body) => body.as_slice(),
        Err(fault) if status == 200 => return fault.clone().into(),
        Err(_) => b"",
    };
    let verdict = match shape::document::<Verdict<'_>>(body) {
        Ok(verdict) => verdict,
        Err(error) if status == 200 => return no_document(body, &error),
        Err(_) => Verdict {
            ok: None,
            error: None,
            slist: None,
        },
    };
    let nodes = verdict.error.map(|Many(nodes)| nodes);
    let error = nodes.as_deref().map(|nodes| match nodes.first() {
        Some(node) => api_error(node, secrets),
        None => api_error(&ErrorNode::default(), secrets),
    });
    // Looked at before everything else: the operation that runs may be the one just asked for.
    if let (Some(nodes), Some(error)) = (&nodes, &error)
        && nodes.iter().any(says_running_operation)
    {
        return Fault::RunningOperation(error.text()).into();
    }
    let accepted = verdict.ok.is_some() && error.is_none();
    match status {
        200 => match error {
            Some(error) => error.into(),
            None if accepted => Finding::Document(Document::Ok),
            None if verdict.slist.is_some() => Finding::Document(Document::Form),
            None => Finding::Document(Document::Data),
        },
        // A status that says "not executed" over a document that says "accepted" proves nothing.
        429 if !accepted => Finding::Obstacle(Obstacle::SlowDown {
            retry_after: received.retry_after,
        }),
        403 | 460 if !accepted => Finding::Obstacle(Obstacle::Blocked { status }),
        _ => Fault::Status {
            status,
            message: error.map(|error| error.text()).unwrap_or_default(),
        }
        .into(),
    }
}

impl From<Fault> for Finding {
    fn from(fault: Fault) -> Self {
        Self::Obstacle(Obstacle::Fault(fault))
    }
}

impl From<ApiError> for Finding {
    fn from(error: ApiError) -> Self {
        Self::Obstacle(match error.kind.as_str() {
            "value" | "missed" | "exists" | "limit" | "nofunc" | "license" => {
                Obstacle::Refused(error)
            }
            "auth" | "access" => Obstacle::Unauthorized(error),
            // The set of types is open: modules invent their own.
            _ => Obstacle::Fault(Fault::Api(error)),
        })
    }
}

/// A body with status 200 that holds no `doc`.
fn no_document(body: &[u8], error: &serde_json::Error) -> Finding {
    if body.trim_ascii_start().first() != Some(&b'<') {
        return Fault::json(error).into();
    }
    match long_request::link(&String::from_utf8_lossy(body)) {
        Some(link) => Finding::LongRequest(link),
        None => Fault::Html.into(),
    }
}

fn api_error(node: &ErrorNode<'_>, secrets: &[&str]) -> ApiError {
    let safe = |text: &str| text::brief(&redact(text, secrets), text::MESSAGE_CHARS_MAX);
    let kind = node.kind.trimmed();
    let is_word = !kind.is_empty()
        && kind.len() <= 64
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    ApiError {
        kind: if is_word { kind } else { "api_error" }.to_owned(),
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
        Ok(Document::Ok) => Answer::Accepted,
        Ok(Document::Form) => Answer::Form,
        Ok(Document::Data) => Answer::Unknown(Fault::NoVerdict.into()),
        Err(Obstacle::Refused(error)) => Answer::Refused(error.failure()),
        Err(Obstacle::Unauthorized(error)) => Answer::Unauthorized {
            message: error.text(),
        },
        Err(Obstacle::SlowDown { retry_after }) => Answer::SlowDown { retry_after },
        Err(Obstacle::Blocked { status }) => Answer::Blocked { status },
        Err(Obstacle::Fault(fault)) => Answer::Unknown(fault.into()),
    }
}

/// What `keepalive` says of the session.
pub(super) fn keepalive(document: Result<(), Obstacle>) -> Keepalive {
    match document {
        Ok(()) => Keepalive::Alive,
        Err(Obstacle::Unauthorized(error)) => Keepalive::Dead {
            message: error.text(),
        },
        Err(Obstacle::Refused(error)) => Keepalive::Failed(error.failure()),
        Err(Obstacle::SlowDown { retry_after }) => Keepalive::SlowDown { retry_after },
        Err(Obstacle::Blocked { status }) => Keepalive::Blocked { status },
        Err(Obstacle::Fault(fault)) => Keepalive::Failed(fault.into()),
    }
}

/// Why a login gave no session.
pub(super) fn login_error(obstacle: Obstacle) -> LoginError {
    match obstacle {
        Obstacle::Refused(error) | Obstacle::Unauthorized(error) => LoginError::Refused {
            message: error.text(),
            object: error.object,
        },
        Obstacle::SlowDown { retry_after } => LoginError::SlowDown { retry_after },
        Obstacle::Blocked { status } => LoginError::Blocked { status },
        Obstacle::Fault(fault) => LoginError::Failed(fault.into()),
    }
}

/// Why a read-only call with the token of this `generation` gave nothing.
pub(super) fn read_error(obstacle: Obstacle, generation: u64) -> ReadError {
    match obstacle {
        Obstacle::Unauthorized(error) => ReadError::Unauthorized {
            generation,
            message: error.text(),
        },
        Obstacle::Refused(error) => ReadError::Failed(error.failure()),
        Obstacle::SlowDown { retry_after } => ReadError::SlowDown { retry_after },
        Obstacle::Blocked { status } => ReadError::Blocked { status },
        Obstacle::Fault(fault) => ReadError::Failed(fault.into()),
    }
}

/// `Retry-After`: seconds, or an HTTP date.
pub(super) fn retry_after(value: &str, now_ms: i64) -> Option<Duration> {
    let value = value.trim();
    let wait = if value.bytes().all(|byte| byte.is_ascii_digit()) && !value.is_empty() {
        // More digits than a number can hold are still a long time.
        value.parse().map_or(RETRY_AFTER_MAX, Duration::from_secs)
    } else {
        time::between(now_ms, time::parse_http_date(value)?)
    };
    Some(wait.min(RETRY_AFTER_MAX))
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) | Self::Unauthorized(error) => f.write_str(&error.text()),
            Self::SlowDown { .. } => f.write_str("the answer is HTTP 429"),
            Self::Blocked { status } => write!(f, "the answer is HTTP {status}"),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}
