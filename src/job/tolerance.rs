//! How much may go wrong, as an operator says it.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `--max-failures`, `--max-mismatch`: a number of jobs, or a share of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum Tolerance {
    /// So many jobs, at least 1.
    Jobs(u64),
    /// So many per cent of the batch's jobs, 1 to 100; 100 switches the bound off.
    Percent(u8),
}

/// Why a text is no [`Tolerance`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is neither a number from 1 up nor a share from 1% to 100%")]
pub struct InvalidTolerance(String);

impl FromStr for Tolerance {
    type Err = InvalidTolerance;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTolerance(text.to_owned());
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse() {
                Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
                _ => Err(invalid()),
            },
            None => match text.parse() {
                Ok(jobs @ 1..) => Ok(Self::Jobs(jobs)),
                _ => Err(invalid()),
            },
        }
    }
}

impl TryFrom<String> for Tolerance {
    type Error = InvalidTolerance;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Tolerance> for String {
    fn from(tolerance: Tolerance) -> Self {
        tolerance.to_string()
    }
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Jobs(jobs) => write!(f, "{jobs}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl Tolerance {
    /// The budget for a batch of `jobs` jobs; `None`: there is none.
    pub fn of(self, jobs: u64) -> Option<u64> {
        match self {
            Self::Jobs(max) => Some(max),
            Self::Percent(100) => None,
            Self::Percent(percent) => Some((jobs.saturating_mul(u64::from(percent)) / 100).max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_but_never_to_zero() {
        assert_eq!(Tolerance::Percent(20).of(500), Some(100));
        assert_eq!(Tolerance::Percent(20).of(12), Some(2));
        assert_eq!(Tolerance::Percent(20).of(3), Some(1));
        assert_eq!(Tolerance::Percent(100).of(3), None);
        assert_eq!(Tolerance::Jobs(7).of(3), Some(7));
    }

    #[test]
    fn zero_and_nonsense_are_refused() {
        assert_eq!("20%".parse(), Ok(Tolerance::Percent(20)));
        assert_eq!("5".parse(), Ok(Tolerance::Jobs(5)));
        for text in ["0", "0%", "101%", "-1", "", "%", "a", "1.5"] {
            assert!(text.parse::<Tolerance>().is_err(), "{text:?}");
        }
    }
}
