//! What an intent is about to submit.

use serde::{Deserialize, Serialize};

use super::Action;

/// What is about to be submitted, as far as the order leaves it open. The ledger keeps it, so it holds
/// no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Task {
    /// A rebuild.
    Rebuild {
        /// The zone that will be sent.
        zone: String,
        /// The name that the instance's image will have afterwards, where it is known.
        target: Option<String>,
    },
}

impl Task {
    /// Its kind.
    pub fn action(&self) -> Action {
        match self {
            Self::Rebuild { .. } => Action::Rebuild,
        }
    }

    /// What it is submitted with, for people: foreign text.
    pub fn detail(&self) -> String {
        match self {
            Self::Rebuild { zone, .. } => format!("zone {zone}"),
        }
    }

    /// The name that the instance's image will have afterwards, if it changes and is known.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Rebuild { target, .. } => target.as_deref(),
        }
    }
}
