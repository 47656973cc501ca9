//! The calls that the simulator tells apart.

use serde::{Deserialize, Serialize};

use super::form::Fields;
use super::vocabulary::Term;

/// The function that lists the instances.
pub(super) const LIST: &str = "instances";
/// The function that shows the rebuild form and takes it.
pub(super) const REBUILD: &str = "instances.fleio.rebuild";

/// One call of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `func=auth`.
    Auth,
    /// `func=keepalive`.
    Keepalive,
    /// `func=instances`: one page of the list.
    Instances,
    /// `func=instances.fleio.rebuild` without `sok=ok`: the form.
    Preview,
    /// `func=instances.fleio.rebuild` with `sok=ok`: destroys the instance's data.
    Submission,
    /// A GET of the link in a long-request page.
    LongRequest,
    /// Anything else.
    Other,
}

impl Call {
    pub const ALL: [Self; 7] = [
        Self::Auth,
        Self::Keepalive,
        Self::Instances,
        Self::Preview,
        Self::Submission,
        Self::LongRequest,
        Self::Other,
    ];

    /// As the command line writes them.
    const WORDS: [Term<Self>; 7] = [
        Term::plain("auth", Self::Auth),
        Term::plain("keepalive", Self::Keepalive),
        Term::plain("instances", Self::Instances),
        Term::plain("preview", Self::Preview),
        Term::plain("submission", Self::Submission),
        Term::plain("long-request", Self::LongRequest),
        Term::plain("other", Self::Other),
    ];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Term::find(&Self::WORDS, word).map(|known| known.value)
    }

    pub(super) fn of(fields: &Fields) -> Self {
        match fields.get("func").unwrap_or_default() {
            "auth" => Self::Auth,
            "keepalive" => Self::Keepalive,
            LIST => Self::Instances,
            REBUILD if fields.get("sok") == Some("ok") => Self::Submission,
            REBUILD => Self::Preview,
            _ => Self::Other,
        }
    }

    pub(super) fn func(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Keepalive => "keepalive",
            Self::Instances => LIST,
            Self::Preview | Self::Submission => REBUILD,
            Self::LongRequest | Self::Other => "",
        }
    }
}
