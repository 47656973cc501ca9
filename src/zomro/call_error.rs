//! What can go wrong with a call beside the API's own refusals.
//!
//! Every error has a word, kept for ever in ledgers and reports:
//!
//! | word | seen | written? |
//! |---|---|---|
//! | `dns` | the host name was not resolved | no |
//! | `connect` | no connection: refused, unreachable, a proxy that says no, a pooled one found closed | no |
//! | `tls` | the TLS handshake failed, or the server's certificate is not accepted | no |
//! | `proxy` | the way to the API goes through a proxy, and ended before or at it | no |
//! | `connect_timeout` | no connection in time | no |
//! | `barred` | the run had lost the right to send it, or it had waited for too long | no |
//! | `timeout` | no answer, or not all of it, in time | yes |
//! | `reset` | the connection ended before the answer began | yes |
//! | `truncated` | the connection ended within the answer | yes |
//! | `body_too_large` | the answer was longer than this function's answers can be | yes |
//! | `foreign` | a document that names another function, instance or image: the answer to another request | yes |
//! | `contradiction` | a document with `ok` and `error` | yes |
//! | `form` | the rebuild form as the answer to a submission | yes |
//! | `elsewhere` | an `ok` that leads elsewhere (`func=…`, a path, an address) | yes |
//! | `http_301`, `http_502`, … | a status that says nothing about what was done | yes |
//! | `html` | a page that is no long-request page | yes |
//! | `garbled` | no HTTP, no JSON, or JSON of another shape | yes |
//! | `no_verdict` | a document with neither `ok` nor `error` | yes |
//! | `running_operation` | the API is already working on this instance | yes |
//! | `long_request` | the API took it, and its verdict was not to be had | yes |
//! | `busy`, … | an error type of the API that is not known as a refusal: its own word | yes |
//! | `api_error` | the same, where the type is missing or no word | yes |
//!
//! Where the API answers in its own words, the kind is the API's `$type` (`value`, `missed`, …);
//! the words of the remaining classes are at [`super::Answer::failure`].

use std::error::Error as _;
use std::io;

use crate::job::{Failure, FailureKind};
use crate::text;

use super::api_error::ApiError;
use super::destination::Destination;
use super::incurable::Incurable;

/// What went wrong. Holds no secret: details are the network's words, or redacted ones of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    #[error("the host name was not resolved: {0}")]
    Dns(String),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("the host name does not exist: {0}")]
    NoSuchHost(String),
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(String),
    #[error("through the proxy {proxy}: {error}")]
    Proxy {
        proxy: String,
        error: Box<CallError>,
    },
    #[error("no connection within the time limit")]
    ConnectTimeout,
    #[error("{0}")]
    Barred(String),
    #[error("no answer within the time limit")]
    Timeout,
    #[error("the connection ended before the answer: {0}")]
    Reset(String),
    #[error("the connection ended within the answer: {0}")]
    Truncated(String),
    #[error("the answer is longer than {max} bytes")]
    BodyTooLarge { max: usize },
    #[error("the answer belongs to another request")]
    Foreign,
    #[error("the answer says both ok and error")]
    Contradiction,
    #[error("the answer is the form: it may belong to another request")]
    Form,
    #[error("the answer only leads elsewhere: {0}")]
    Elsewhere(String),
    #[error("the answer is HTTP {status} and leads to {location}")]
    Redirect { status: u16, location: String },
    #[error("the answer is HTTP {status}{}", suffix(.message))]
    Status { status: u16, message: String },
    #[error("the answer is a web page")]
    Html,
    #[error("the answer is not understood: {0}")]
    Garbled(String),
    #[error("the answer says neither ok nor error")]
    NoVerdict,
    #[error("an operation is already running{}", suffix(.0))]
    RunningOperation(String),
    #[error("the API took the request as a long one, and then: {0}")]
    LongRequest(String),
    #[error("{}", .0.text())]
    Api(ApiError),
}

fn suffix(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}

impl CallError {
    pub(super) fn kind(&self) -> FailureKind {
        match self {
            Self::Dns(_) | Self::NoSuchHost(_) => FailureKind::Dns,
            Self::Connect(_) => FailureKind::Connect,
            Self::Tls(_) | Self::Certificate(_) => FailureKind::Tls,
            Self::Proxy { .. } => FailureKind::Proxy,
            Self::ConnectTimeout => FailureKind::ConnectTimeout,
            Self::Barred(_) => FailureKind::Barred,
            Self::Timeout => FailureKind::Timeout,
            Self::Reset(_) => FailureKind::Reset,
            Self::Truncated(_) => FailureKind::Truncated,
            Self::BodyTooLarge { .. } => FailureKind::BodyTooLarge,
            Self::Foreign => FailureKind::Foreign,
            Self::Contradiction => FailureKind::Contradiction,
            Self::Form => FailureKind::Form,
            Self::Elsewhere(_) => FailureKind::Elsewhere,
            Self::Redirect { status, .. } | Self::Status { status, .. } => {
                format!("http_{status}").into()
            }
            Self::Html => FailureKind::Html,
            Self::Garbled(_) => FailureKind::Garbled,
            Self::NoVerdict => FailureKind::NoVerdict,
            Self::RunningOperation(_) => FailureKind::RunningOperation,
            Self::LongRequest(_) => FailureKind::LongRequest,
            Self::Api(error) => error.kind.clone().into(),
        }
    }

    /// A call that ended before its form was handed over.
    pub(super) fn before_sending(error: reqwest::Error, destination: &Destination) -> Self {
        let failed = if error.is_dns() {
            let cause = cause(error);
            if destination.is_vendors || !says_no_such_host(&cause) && !destination.cannot_exist() {
                Self::Dns(cause)
            } else {
                Self::NoSuchHost(cause)
            }
        } else if error.is_timeout() {
            Self::ConnectTimeout
        } else if let Some(tls) = tls_error(&error) {
            match rejection(tls) {
                Some(why) => Self::Certificate(why),
                None => Self::Tls(cause(error)),
            }
        } else {
            Self::Connect(cause(error))
        };
        match &destination.proxy {
            Some(proxy) => Self::Proxy {
                proxy: proxy.clone(),
                error: Box::new(failed),
            },
            None => failed,
        }
    }

    /// Why no retry helps, if a person has to change something first.
    pub(super) fn incurable(&self, destination: &Destination) -> Option<Incurable> {
        match self {
            Self::Certificate(why) => Some(Incurable::Certificate(why.clone())),
            Self::NoSuchHost(_) => Some(Incurable::NoSuchHost(destination.host.clone())),
            Self::Proxy { proxy, error } => match error.as_ref() {
                Self::NoSuchHost(_) => Some(Incurable::NoSuchProxy(proxy.clone())),
                Self::Connect(cause) if cause.contains("proxy authorization required") => {
                    Some(Incurable::ProxyPassword(proxy.clone()))
                }
                error => error.incurable(destination),
            },
            Self::Redirect { status, location } => Some(Incurable::Redirect {
                status: *status,
                location: location.clone(),
            }),
            Self::Status {
                status: status @ (404 | 405),
                ..
            } => Some(Incurable::NoApi { status: *status }),
            Self::Dns(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::ConnectTimeout
            | Self::Barred(_)
            | Self::Timeout
            | Self::Reset(_)
            | Self::Truncated(_)
            | Self::BodyTooLarge { .. }
            | Self::Foreign
            | Self::Contradiction
            | Self::Form
            | Self::Elsewhere(_)
            | Self::Status { .. }
            | Self::Html
            | Self::Garbled(_)
            | Self::NoVerdict
            | Self::RunningOperation(_)
            | Self::LongRequest(_)
            | Self::Api(_) => None,
        }
    }

    /// A call that ended after its form was handed over and before the head of an answer.
    pub(super) fn after_sending(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        let io = sources(&error).any(<dyn std::error::Error>::is::<io::Error>);
        let cause = cause(error);
        // hyper's error type is not reqwest's API. An end of the connection that is no I/O error
        // is told by its text; what remains is an answer that is no HTTP.
        if io || cause.contains("closed") {
            Self::Reset(cause)
        } else {
            Self::Garbled(cause)
        }
    }

    /// A call that ended within the body of an answer.
    pub(super) fn within_body(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            Self::Timeout
        } else {
            Self::Truncated(cause(error))
        }
    }

    /// JSON that is none, or has another shape. Says where, but quotes nothing: the body may echo a
    /// password.
    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::Garbled(match error.classify() {
            serde_json::error::Category::Eof => "the JSON ends early".to_owned(),
            serde_json::error::Category::Syntax | serde_json::error::Category::Io => {
                format!("no JSON at line {} column {}", error.line(), error.column())
            }
            serde_json::error::Category::Data => format!(
                "JSON of another shape at line {} column {}",
                error.line(),
                error.column()
            ),
        })
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

fn sources(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    let mut next = error.source();
    std::iter::from_fn(move || {
        let source = next?;
        next = source.source();
        Some(source)
    })
}

/// The innermost reason; reqwest's own texts name the URL and little else.
pub(super) fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let cause = sources(&error)
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string);
    text::brief(&cause, text::MESSAGE_CHARS_MAX)
}

fn tls_error(error: &reqwest::Error) -> Option<&rustls::Error> {
    sources(error).find_map(|source| {
        let mut source = Some(source);
        // An I/O error does not name what it wraps as its source, and each layer wraps once more.
        while let Some(io) = source.and_then(<dyn std::error::Error>::downcast_ref::<io::Error>) {
            source = io.get_ref().map(|inner| inner as _);
        }
        source.and_then(<dyn std::error::Error>::downcast_ref::<rustls::Error>)
    })
}

/// Why the server's certificate was not accepted, in words; `None`: the handshake did not come so far.
fn rejection(error: &rustls::Error) -> Option<String> {
    use rustls::CertificateError as Why;

    let rustls::Error::InvalidCertificate(why) = error else {
        return None;
    };
    Some(match why {
        Why::UnknownIssuer => "nobody whom this machine trusts has issued it".to_owned(),
        Why::Expired | Why::ExpiredContext { .. } => "it has expired".to_owned(),
        Why::NotValidYet | Why::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        Why::NotValidForName | Why::NotValidForNameContext { .. } => {
            "it belongs to another name".to_owned()
        }
        why => text::brief(&why.to_string(), text::MESSAGE_CHARS_MAX),
    })
}

/// The resolver's words for "this name does not exist". Its other failures may be temporary, and
/// the system gives no number to tell them apart.
fn says_no_such_host(cause: &str) -> bool {
    [
        "Name or service not known",
        "No address associated with hostname",
        "Name does not resolve",
        "Name has no usable address",
        "nodename nor servname provided",
    ]
    .iter()
    .any(|words| cause.contains(words))
}
