//! What one HTTP answer says, whichever function was called.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::text;

use super::api_error::{self, ApiError, ErrorMeaning};
use super::call_error::CallError;
use super::claims::{self, Claims, ErrorNode, HalfSession, Lead, Ours};
use super::long_request;
use super::redact::redact;

/// An answer as it came over HTTP.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) retry_after: Option<Duration>,
    /// Where a redirect leads.
    pub(super) location: Option<String>,
    /// The status stands even where the body did not arrive whole.
    pub(super) body: Result<Zeroizing<String>, CallError>,
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
        error: CallError,
        retry_after: Duration,
    },
    Blocked {
        status: u16,
    },
    HalfSession(HalfSession),
    Failed(CallError),
}

impl Obstacle {
    /// What an overloaded API asks for, beside an answer that proves nothing.
    pub(super) fn pause(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } => Some(*retry_after),
            Self::Refused(_)
            | Self::Unauthorized(_)
            | Self::SlowDown { .. }
            | Self::Blocked { .. }
            | Self::HalfSession(_)
            | Self::Failed(_) => None,
        }
    }
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) | Self::Unauthorized(error) => f.write_str(&error.text()),
            Self::SlowDown { .. } => f.write_str("the answer is HTTP 429"),
            Self::Blocked { status } => write!(f, "the answer is HTTP {status}"),
            Self::HalfSession(half) => write!(f, "the API asks for {half}"),
            Self::Overloaded { error, .. } | Self::Failed(error) => error.fmt(f),
        }
    }
}

/// What an answer to `ours` says. `secrets` are those that the request held: the answer may echo them.
pub(super) fn read(received: &Received, ours: &Ours<'_>, secrets: &[&str]) -> Finding {
    let status = received.status;
    let body = match &received.body {
        Ok(body) => body.as_str(),
        Err(error) if status == 200 => return error.clone().into(),
        Err(_) => "",
    };
    let claims = match claims::read(body) {
        Ok(claims) => claims,
        Err(error) if status == 200 => return no_document(body, &error),
        Err(_) => Claims::default(),
    };
    let error = claims.errors.as_ref().and_then(|nodes| {
        // If a submission gets several errors, one that proves nothing outweighs the others.
        let proves_nothing =
            |node: &&ErrorNode| ours.submits && !api_error::is_known(node.kind.trimmed());
        let counts = nodes.iter().find(proves_nothing).or(nodes.first());
        counts.map(|node| ApiError::of(node, secrets))
    });
    // First of all: the operation that is running may be the very one that this call has asked for.
    if let (Some(nodes), Some(error)) = (&claims.errors, &error)
        && nodes.iter().any(says_running_operation)
    {
        return CallError::RunningOperation(error.text()).into();
    }
    // A read-only call that gets an error has failed, even if the error was meant for another call.
    if claims.is_foreign(ours) && (ours.submits || error.is_none()) {
        return CallError::Foreign.into();
    }
    if ours.submits && (claims.is_list || claims.refuses_a_preview()) {
        return CallError::Foreign.into();
    }
    if ours.submits && error.is_some() && claims.ok.is_some() {
        return CallError::Contradiction.into();
    }
    if ours.submits && claims.is_form && claims.ok.is_none() && error.is_none() {
        return CallError::Form.into();
    }
    let accepted = claims.ok.is_some() && error.is_none();
    match status {
        200 => match error {
            Some(error) => error.into(),
            None if accepted => Finding::Document(Document::Ok(lead(&claims, secrets))),
            None if claims.is_form => Finding::Document(Document::Form),
            None => Finding::Document(Document::Data),
        },
        // A status that says "not executed" over a document that says "accepted" proves nothing.
        429 if !accepted => Finding::Obstacle(Obstacle::SlowDown {
            retry_after: received.retry_after,
        }),
        403 | 460 if !accepted => Finding::Obstacle(Obstacle::Blocked { status }),
        300..400 if let Some(location) = &received.location => CallError::Redirect {
            status,
            location: text::brief(&redact(location, secrets), text::MESSAGE_CHARS_MAX),
        }
        .into(),
        _ => {
            let error = CallError::Status {
                status,
                message: error.map(|error| error.text()).unwrap_or_default(),
            };
            match received.retry_after {
                Some(retry_after) if (500..600).contains(&status) => {
                    Finding::Obstacle(Obstacle::Overloaded { error, retry_after })
                }
                Some(_) | None => error.into(),
            }
        }
    }
}

/// Where an `ok` leads, safe to show.
fn lead(claims: &Claims<'_>, secrets: &[&str]) -> Option<Lead> {
    claims.lead().map(|lead| Lead {
        target: text::brief(&redact(&lead.target, secrets), text::MESSAGE_CHARS_MAX),
        half: lead.half,
    })
}

impl From<CallError> for Finding {
    fn from(error: CallError) -> Self {
        Self::Obstacle(Obstacle::Failed(error))
    }
}

impl From<ApiError> for Finding {
    fn from(error: ApiError) -> Self {
        Self::Obstacle(match error.meaning() {
            ErrorMeaning::Refusal => Obstacle::Refused(error),
            ErrorMeaning::NoRights => Obstacle::Unauthorized(error),
            ErrorMeaning::Open => Obstacle::Failed(CallError::Api(error)),
        })
    }
}

/// A body with status 200 that holds no `doc`.
fn no_document(body: &str, error: &serde_json::Error) -> Finding {
    if !body.trim_start().starts_with('<') {
        return CallError::json(error).into();
    }
    match long_request::link(body) {
        Some(link) => Finding::LongRequest(link),
        None => CallError::Html.into(),
    }
}

fn says_running_operation(node: &ErrorNode<'_>) -> bool {
    api_error::object(node.object)
        .to_ascii_lowercase()
        .contains("runningoperation")
        || node.kind.trimmed().eq_ignore_ascii_case("runningoperation")
        || [&node.msg, &node.detail].into_iter().any(|text| {
            let text = text.trimmed().to_lowercase();
            // The panel itself looks for these words, in both languages.
            text.contains("request in process") || text.contains("запрос обрабатывается")
        })
}
