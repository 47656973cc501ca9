//! In which status the account's list shows an instance.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An instance's status in the cloud. Its words are the API's, trimmed and in lower case; those that
/// decide nothing are [`Other`](Self::Other).
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub enum InstanceStatus {
    /// The list gives none, as it may while the instance is being ordered.
    #[default]
    Missing,
    /// It works.
    Active,
    /// It is switched off.
    Stopped,
    /// Something went wrong with it.
    Error,
    /// It is being rebuilt.
    Rebuilding,
    /// Anything else. [`From`] never makes one of the words above of it.
    Other(String),
}

impl InstanceStatus {
    /// The word; empty where the list gives none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Missing => "",
            Self::Active => "active",
            Self::Stopped => "stopped",
            Self::Error => "error",
            Self::Rebuilding => "rebuilding",
            Self::Other(word) => word,
        }
    }

    fn known(word: &str) -> Option<Self> {
        match word {
            "" => Some(Self::Missing),
            "active" => Some(Self::Active),
            "stopped" => Some(Self::Stopped),
            "error" => Some(Self::Error),
            "rebuilding" => Some(Self::Rebuilding),
            _ => None,
        }
    }

    /// The instance works and nothing is being done to it.
    pub fn is_back(&self) -> bool {
        match self {
            Self::Active | Self::Stopped => true,
            Self::Missing | Self::Error | Self::Rebuilding | Self::Other(_) => false,
        }
    }

    /// A rebuild may be submitted.
    pub fn is_ready(&self) -> bool {
        self.is_back() || *self == Self::Error
    }

    /// Something is being done to the instance, or nobody knows: it will have another status soon.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Missing | Self::Rebuilding => true,
            Self::Active | Self::Stopped | Self::Error => false,
            Self::Other(word) => word.ends_with("ing") || word == "pending",
        }
    }
}

impl From<String> for InstanceStatus {
    fn from(word: String) -> Self {
        Self::known(&word).unwrap_or(Self::Other(word))
    }
}

impl From<&str> for InstanceStatus {
    fn from(word: &str) -> Self {
        Self::known(word).unwrap_or_else(|| Self::Other(word.to_owned()))
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// As its word.
impl fmt::Debug for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl PartialEq<&str> for InstanceStatus {
    fn eq(&self, word: &&str) -> bool {
        self.as_str() == *word
    }
}

impl Serialize for InstanceStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for InstanceStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_and_decides_what_may_be_done() {
        // The word; is it back, ready, about to change?
        for (word, back, ready, passing) in [
            ("", false, false, true),
            ("active", true, true, false),
            ("stopped", true, true, false),
            ("error", false, true, false),
            ("rebuilding", false, false, true),
            ("rebooting", false, false, true),
            ("pending", false, false, true),
            ("suspended", false, false, false),
        ] {
            let status = InstanceStatus::from(word);
            assert_eq!(status.as_str(), word);
            let json = serde_json::to_string(&status).unwrap();
            assert_eq!(
                serde_json::from_str::<InstanceStatus>(&json).unwrap(),
                status
            );
            let all = (status.is_back(), status.is_ready(), status.is_passing());
            assert_eq!(all, (back, ready, passing), "{word:?}");
        }
    }
}
