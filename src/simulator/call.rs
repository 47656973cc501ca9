//! The calls that the simulator tells apart.

use serde::{Deserialize, Serialize};

use super::vocabulary::Term;

/// One call of the API, as faults and counts tell it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// `func=auth`.
    Auth,
    /// `func=keepalive`.
    Keepalive,
    /// `func=instances`: one page of the list.
    Instances,
    /// The function of an action without `sok=ok`: its form.
    Preview,
    /// The function of an action with `sok=ok`: it is done. A rebuild destroys the instance's data.
    Submission,
    /// A GET of the link in a long-request page.
    LongRequest,
    /// Anything else.
    Other,
    /// `func=service.history`: what the panel has noted of a service.
    History,
}

impl Call {
    pub const ALL: [Self; 8] = [
        Self::Auth,
        Self::Keepalive,
        Self::Instances,
        Self::Preview,
        Self::Submission,
        Self::LongRequest,
        Self::Other,
        Self::History,
    ];

    /// As the command line writes them.
    const WORDS: [Term<Self>; 8] = [
        Term::plain("auth", Self::Auth),
        Term::plain("keepalive", Self::Keepalive),
        Term::plain("instances", Self::Instances),
        Term::plain("preview", Self::Preview),
        Term::plain("submission", Self::Submission),
        Term::plain("long-request", Self::LongRequest),
        Term::plain("other", Self::Other),
        Term::plain("history", Self::History),
    ];

    pub(super) fn parse(word: &str) -> Option<Self> {
        Term::find(&Self::WORDS, word).map(|known| known.value)
    }
}
