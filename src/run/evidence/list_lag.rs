//! How far the account's list lags behind what happens.

use std::time::Duration;

/// How late the list shows the effect of an action, as far as this run has seen it.
#[derive(Debug, Clone, Copy, Default)]
pub struct ListLag {
    /// The longest time between an acceptance and the reading that showed the effect.
    longest: Option<Duration>,
    /// The longest time for which an accepted submission has not shown its effect.
    silence: Duration,
}

impl ListLag {
    /// An effect showed so long after the acceptance.
    pub fn lagged(&mut self, lag: Duration) {
        self.longest = Some(self.longest.map_or(lag, |longest| longest.max(lag)));
    }

    /// An accepted submission whose effect must show has not shown it for so long. That lengthens a
    /// lag which was learned, and teaches none: it may never show.
    pub fn was_silent(&mut self, silence: Duration) {
        self.silence = self.silence.max(silence);
    }

    /// An effect was seen after an acceptance, so it is known how far the list lags.
    pub fn is_known(&self) -> bool {
        self.longest.is_some()
    }

    /// How long after a submission an executed action must have shown its effect.
    pub fn window(&self, settle: Duration) -> Duration {
        self.longest.map_or(settle, |longest| {
            settle.max(longest.max(self.silence).saturating_mul(3))
        })
    }
}
