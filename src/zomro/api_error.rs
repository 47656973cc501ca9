//! An error in the API's own words (`doc.error`).

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::job::{Failure, FailureKind};
use crate::text;

use super::claims::ErrorNode;
use super::redact::redact;

/// Types that refuse for good.
const REFUSALS: [&str; 6] = ["value", "missed", "exists", "limit", "nofunc", "license"];
/// Types that mean a session without rights.
const NO_RIGHTS: [&str; 2] = ["auth", "access"];

/// An error type that is the API's word and nobody's secret.
pub(super) fn is_known(kind: &str) -> bool {
    REFUSALS.contains(&kind) || NO_RIGHTS.contains(&kind)
}

/// What an error's type says about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorMeaning {
    /// It is refused for good: nothing was done.
    Refusal,
    /// The session has no right to it: nothing was done.
    NoRights,
    /// Nothing that is known: the set of types is open, modules of the panel invent their own.
    Open,
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
    /// The error that `node` holds, without any of the `secrets`.
    pub(super) fn of(node: &ErrorNode<'_>, secrets: &[&str]) -> Self {
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
        Self {
            kind: if is_word {
                kind.into_owned()
            } else {
                FailureKind::ApiError.to_string()
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

    /// Object and message on one line.
    pub(super) fn text(&self) -> String {
        match (self.object.as_str(), self.message.as_str()) {
            ("", "") => format!("error of type {}", self.kind),
            ("", message) => message.to_owned(),
            (object, "") => object.to_owned(),
            (object, message) => format!("{object}: {message}"),
        }
    }

    pub(super) fn meaning(&self) -> ErrorMeaning {
        match self.kind.as_str() {
            kind if REFUSALS.contains(&kind) => ErrorMeaning::Refusal,
            kind if NO_RIGHTS.contains(&kind) => ErrorMeaning::NoRights,
            _ => ErrorMeaning::Open,
        }
    }

    pub(super) fn failure(&self) -> Failure {
        Failure::new(self.kind.as_str(), self.text())
    }
}

/// `$object` as text. JSON in it is written anew, so that no escape hides a word or a secret.
pub(super) fn object(raw: Option<&RawValue>) -> String {
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
