//! What can go wrong with a call beside the API's own refusals.
//!
//! Every fault has a word, kept for ever in ledgers and reports:
//!
//! | word | seen | written? |
//! |---|---|---|
//! | `dns` | the host name was not resolved | no |
//! | `connect` | no connection: refused, unreachable, a proxy that says no, a pooled one found closed | no |
//! | `tls` | the TLS handshake failed | no |
//! | `connect_timeout` | no connection in time | no |
//! | `timeout` | no answer, or not all of it, in time | yes |
//! | `reset` | the connection ended before the answer began | yes |
//! | `truncated` | the connection ended within the answer | yes |
//! | `body_too_large` | the answer was longer than this function's answers can be | yes |
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

use std::borrow::Cow;
use std::error::Error as _;
use std::io;

use crate::job::Failure;
use crate::text;

use super::answer::ApiError;

/// What went wrong. Holds no secret: details are the network's words, or redacted ones of the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("the host name was not resolved: {0}")]
    Dns(String),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    #[error("no connection within the time limit")]
    ConnectTimeout,
    #[error("no answer within the time limit")]
    Timeout,
    #[error("the connection ended before the answer: {0}")]
    Reset(String),
    #[error("the connection ended within the answer: {0}")]
    Truncated(String),
    #[error("the answer is longer than {max} bytes")]
    BodyTooLarge { max: usize },
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

impl Fault {
    /// The word.
    pub(super) fn word(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Dns(_) => "dns",
            Self::Connect(_) => "connect",
            Self::Tls(_) => "tls",
            Self::ConnectTimeout => "connect_timeout",
            Self::Timeout => "timeout",
            Self::Reset(_) => "reset",
            Self::Truncated(_) => "truncated",
            Self::BodyTooLarge { .. } => "body_too_large",
            Self::Status { status, .. } => return format!("http_{status}").into(),
            Self::Html => "html",
            Self::Garbled(_) => "garbled",
            Self::NoVerdict => "no_verdict",
            Self::RunningOperation(_) => "running_operation",
            Self::LongRequest(_) => "long_request",
            Self::Api(error) => return error.kind.clone().into(),
        })
    }

    /// A call that ended before its form was handed over.
    pub(super) fn before_sending(error: reqwest::Error) -> Self {
        if error.is_dns() {
            Self::Dns(cause(error))
        } else if error.is_timeout() {
            Self::ConnectTimeout
        } else if is_tls(&error) {
            Self::Tls(cause(error))
        } else {
            Self::Connect(cause(error))
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

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new(fault.word(), fault.to_string())
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

fn is_tls(error: &reqwest::Error) -> bool {
    sources(error).any(|source| {
        let mut source = Some(source);
        // An I/O error does not name what it wraps as its source, and each layer wraps once more.
        while let Some(io) = source.and_then(<dyn std::error::Error>::downcast_ref::<io::Error>) {
            source = io.get_ref().map(|inner| inner as _);
        }
        source.is_some_and(<dyn std::error::Error>::is::<rustls::Error>)
    })
}
