//! Who is turned away for having connected too often without logging in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long a connection counts.
const MEMORY: Duration = Duration::from_mins(1);

/// Connections in which nobody has logged in, by service.
#[derive(Debug, Default)]
pub(super) struct Penalties(Mutex<HashMap<i64, Vec<Instant>>>);

impl Penalties {
    /// A connection has ended, and nobody had logged in.
    pub(super) fn note(&self, service: i64, now: Instant) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.entry(service).or_default().push(now);
    }

    /// Have there been as many as `allowed` of late?
    pub(super) fn forbid(&self, service: i64, allowed: usize, now: Instant) -> bool {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let noted = noted.entry(service).or_default();
        noted.retain(|at| now.saturating_duration_since(*at) < MEMORY);
        noted.len() >= allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_turns_away_as_long_as_enough_is_remembered() {
        let penalties = Penalties::default();
        let start = Instant::now();
        assert!(!penalties.forbid(5, 2, start));
        penalties.note(5, start);
        penalties.note(5, start + MEMORY / 2);
        assert!(penalties.forbid(5, 2, start + MEMORY / 2));
        assert!(!penalties.forbid(6, 2, start + MEMORY / 2));
        assert!(!penalties.forbid(5, 2, start + MEMORY));
    }
}
