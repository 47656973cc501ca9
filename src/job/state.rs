//! The words a job's record is made of.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is none of a closed set, as read from the database or the command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{word}`")]
pub struct UnknownWord {
    what: &'static str,
    word: String,
}

impl UnknownWord {
    pub(super) fn new(what: &'static str, word: &str) -> Self {
        Self {
            what,
            word: word.to_owned(),
        }
    }
}

/// A closed set of words: each variant is written as one lower-case word everywhere.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident ($what:literal) { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every word, in the order in which they are shown.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word, as the database, the report and the command line write it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(word: &str) -> Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(UnknownWord::new($what, word)),
                }
            }
        }
    };
}

words! {
    /// Where a job is. `Queued`, `Submitting`, `Rebuilding` and `InDoubt` are *live*.
    State ("state") {
        /// Waits for its turn; nothing outstanding.
        Queued = "queued",
        /// An intent is committed, its answer is not: the request may or may not be on the wire.
        Submitting = "submitting",
        /// The API accepted it, or the instance was seen rebuilding.
        Rebuilding = "rebuilding",
        /// It may or may not have been wiped: waits for evidence or for the operator.
        InDoubt = "in_doubt",
        /// Rebuilt.
        Done = "done",
        /// Ended without success; `executed` tells whether it was touched.
        Failed = "failed",
        /// Dropped by the operator.
        Cancelled = "cancelled",
    }
}

impl State {
    /// Nothing follows without an operator's word.
    pub fn is_final(self) -> bool {
        match self {
            Self::Done | Self::Failed | Self::Cancelled => true,
            Self::Queued | Self::Submitting | Self::Rebuilding | Self::InDoubt => false,
        }
    }
}

words! {
    /// Was the instance touched?
    Executed ("answer to `executed`") {
        /// Surely not.
        No = "no",
        /// Unknown.
        Maybe = "maybe",
        /// Surely.
        Yes = "yes",
    }
}

words! {
    /// What proves that a rebuild happened.
    Evidence ("evidence") {
        /// The instance was seen `rebuilding`, and settled afterwards.
        Observed = "observed",
        /// The instance's image name became the target's.
        Image = "image",
        /// The API said ok, and nothing more could be seen.
        Accepted = "accepted",
        /// An operator said so (`refleet resolve --as done`).
        Operator = "operator",
    }
}
