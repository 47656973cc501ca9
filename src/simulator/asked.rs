//! What a request asks for.

use super::call::Call;
use super::form::Fields;
use super::rebuild;
use crate::job::Action;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A session.
    Login,
    /// An ok, which says that the session works.
    Keepalive,
    /// The same of another function.
    WhoAmI,
    /// One page of the instances.
    List,
    /// The form of an action, filled in for one instance.
    Form(Action),
    /// That the action is done.
    Execution(Action),
    /// Nothing that is known here.
    Unknown,
}

impl Asked {
    /// The table of the API's functions: by their names, and by whether the request says `sok=ok`.
    pub(super) fn of(fields: &Fields) -> Self {
        let is_confirmed = fields.get("sok") == Some("ok");
        match (fields.get("func").unwrap_or_default(), is_confirmed) {
            ("auth", _) => Self::Login,
            ("keepalive", _) => Self::Keepalive,
            ("whoami", _) => Self::WhoAmI,
            ("instances", _) => Self::List,
            (rebuild::FUNC, false) => Self::Form(Action::Rebuild),
            (rebuild::FUNC, true) => Self::Execution(Action::Rebuild),
            _ => Self::Unknown,
        }
    }

    /// Which call that is.
    pub(super) fn call(self) -> Call {
        match self {
            Self::Login => Call::Auth,
            Self::Keepalive => Call::Keepalive,
            Self::List => Call::Instances,
            Self::Form(_) => Call::Preview,
            Self::Execution(_) => Call::Submission,
            Self::WhoAmI | Self::Unknown => Call::Other,
        }
    }
}
