//! What a request asks for.

use super::action::{FUNCTIONS, Form, Function};
use super::call::Call;
use super::catalogue::{self, Catalogue};
use super::form::Fields;
use super::history;
use crate::job::Action;

/// What a request asks for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// A session.
    Login,
    /// A session for one that waits for a one-time code, and the code.
    Confirmation,
    /// An ok, which says that the session works.
    Keepalive,
    /// Whose the session is.
    WhoAmI,
    /// One page of the instances.
    List,
    /// The form of an action, filled in for one instance.
    Form(Form),
    /// That the action is done.
    Execution(Action),
    /// Something of the catalogue.
    Catalogue(Catalogue),
    /// What the panel has noted of a service.
    History,
    /// That a server is ordered.
    Order,
    /// Nothing that is known here.
    Unknown,
}

impl Asked {
    /// The table of the API's functions by their names; of those of an action, by whether the request
    /// says `sok=ok`, too.
    pub(super) fn of(fields: &Fields) -> Self {
        let is_confirmed = fields.get("sok") == Some("ok");
        match fields.get("func").unwrap_or_default() {
            "auth" => Self::Login,
            "totp.confirm" if is_confirmed => Self::Confirmation,
            "keepalive" => Self::Keepalive,
            "whoami" => Self::WhoAmI,
            "instances" => Self::List,
            history::FUNC => Self::History,
            // Whatever it says: nobody has tried what else the API takes for a yes.
            catalogue::ORDER if fields.get("sok").is_some() => Self::Order,
            name => match FUNCTIONS.iter().find(|function| function.name == name) {
                Some(Function { action, .. }) if is_confirmed => Self::Execution(*action),
                Some(Function {
                    form: Some(form), ..
                }) => Self::Form(*form),
                Some(Function { form: None, .. }) => Self::Unknown,
                None => Catalogue::of(name).map_or(Self::Unknown, Self::Catalogue),
            },
        }
    }

    /// Which call that is.
    pub(super) fn call(self) -> Call {
        match self {
            Self::Login => Call::Auth,
            Self::Keepalive => Call::Keepalive,
            Self::List => Call::Instances,
            Self::History => Call::History,
            Self::Form(_) => Call::Preview,
            Self::Execution(_) => Call::Submission,
            Self::Confirmation
            | Self::WhoAmI
            | Self::Catalogue(_)
            | Self::Order
            | Self::Unknown => Call::Other,
        }
    }
}
