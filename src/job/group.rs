//! Groups of instances of which only so many may be down at once.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// A group, as the manifest names it. Neither letter case nor the spelling of an accent counts: that
/// somebody wrote `Web` in one row must not let two members of `web` go down together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Group(String);

impl Group {
    /// The group of this name; `None`: the name is empty.
    pub fn new(name: &str) -> Option<Self> {
        // Twice, for letters that only the one or the other tells apart: `ß`, the last sigma of a word.
        let name = name
            .trim()
            .to_uppercase()
            .to_lowercase()
            .nfc()
            .collect::<String>();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_letter_case_nor_how_an_accent_is_written_counts() {
        for (one, other) in [
            ("Web 1", "WEB 1"),
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "ΟΔΟσ"),
            ("Caf\u{e9}", "CAFE\u{301}"),
        ] {
            assert_eq!(Group::new(one), Group::new(other));
        }
        assert_ne!(Group::new("web-1"), Group::new("web 1"));
        assert_eq!(Group::new(" "), None);
    }
}
