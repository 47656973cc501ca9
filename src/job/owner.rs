//! Whose instances they are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The provider's name of an account: two are the same only letter by letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// As the API or the database names it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// For stores.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The account that owns the instances, safe to print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Which one it is: nothing else is compared.
    pub id: AccountId,
    /// What people call it: a mail address or a name, which its owner may change.
    pub label: Option<String>,
}

impl Owner {
    /// The same account, whatever people call it by now.
    pub fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(f, "{} ({label})", self.id),
            None => self.id.fmt(f),
        }
    }
}
