//! The time, on both clocks.

use std::time::{Duration, Instant};

/// Now, on both clocks: durations inside the process are monotonic, what is stored is Unix time.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The monotonic clock.
    pub at: Instant,
    /// The clock on the wall.
    pub unix_ms: i64,
}

impl Now {
    /// Reads both clocks.
    pub fn read() -> Self {
        Self {
            at: Instant::now(),
            unix_ms: crate::time::now_ms(),
        }
    }

    /// So much time has passed since then; `None`: it never was.
    pub fn is_past(self, then: Option<Instant>, time: Duration) -> bool {
        then.is_none_or(|then| self.at.saturating_duration_since(then) >= time)
    }

    /// `delay` from now, as Unix time.
    pub fn after_ms(self, delay: Duration) -> i64 {
        let delay_ms = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
        self.unix_ms.saturating_add(delay_ms)
    }
}
