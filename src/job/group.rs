//! Groups of instances of which only so many may be down at once.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A group, as the manifest names it. Letter case does not count: that somebody wrote `Web` in one row
/// must not let two members of `web` go down together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(String);

impl Group {
    /// The group of this name; `None`: the name is empty.
    pub fn new(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        (!name.is_empty()).then_some(Self(name))
    }

    /// For stores.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
