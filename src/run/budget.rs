//! The failure budget: how much may go wrong before the run stops by itself.

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

/// So many of `jobs` are not in the account's list that it is the wrong account or a filter, rather than the
/// sheet: nothing is sent.
pub fn lacks_too_many(missing: u64, jobs: u64) -> bool {
    missing.saturating_mul(10) > jobs
}

#[cfg(test)]
mod tests {
    use super::*;

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
