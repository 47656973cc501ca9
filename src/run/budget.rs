//! The failure budget: how much may go wrong before the run stops by itself.

use std::str::FromStr;

/// `--max-failures`, `--max-mismatch`: a number of jobs, or a share of the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// What counts against the budget: failures and doubts of the batch, whichever run bore them, until
/// the operator has dealt with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs in doubt that are still watched.
    pub watched: u64,
    /// Jobs in doubt that only the operator can settle.
    pub held: u64,
}

/// Jobs that may start now without risking more than `budget`, if everything in flight goes wrong.
pub fn headroom(budget: Option<u64>, failures: Failures, in_flight: usize) -> usize {
    let Some(budget) = budget else {
        return usize::MAX;
    };
    let at_risk = failures.failed + failures.watched + failures.held + in_flight as u64;
    usize::try_from(budget.saturating_sub(at_risk)).unwrap_or(usize::MAX)
}

/// The budget is used up for good.
pub fn is_exhausted(budget: Option<u64>, failures: Failures) -> bool {
    budget.is_some_and(|budget| failures.failed + failures.held >= budget)
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

    #[test]
    fn everything_in_flight_may_go_wrong_without_breaking_the_budget() {
        let failures = Failures {
            failed: 1,
            watched: 2,
            held: 1,
        };
        assert_eq!(headroom(Some(10), failures, 3), 3);
        assert_eq!(headroom(Some(4), failures, 0), 0);
        assert_eq!(headroom(None, failures, 3), usize::MAX);
        assert!(
            !is_exhausted(Some(3), failures),
            "a watched doubt may still end well"
        );
        assert!(is_exhausted(Some(2), failures));
    }
}
