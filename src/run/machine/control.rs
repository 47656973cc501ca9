//! What operators say from another terminal while the run works: pause, go, set, drain.
//!
//! The one fact to know: the store refuses the intents of a batch that is held back, in the transaction
//! that would commit them. So nothing rests on how soon the run hears of it; it asks so that it does not
//! try again and again, and says what it waits for.

use std::time::{Duration, Instant};

use crate::event::Limit;
use crate::job::{Control, ControlEntry, Limits};
use crate::run::Now;

/// How long the store's word on it is believed.
const AGE_MAX: Duration = Duration::from_secs(1);

/// What was said, and when the store was asked for it.
#[derive(Debug, Default)]
pub(super) struct Instructions {
    control: Control,
    /// `None`: something says that there is news.
    asked_at: Option<Instant>,
}

impl Instructions {
    /// What was said before the run began.
    pub(super) fn new(control: Control, now: Now) -> Self {
        Self {
            control,
            asked_at: Some(now.at),
        }
    }

    /// The store has to be asked.
    pub(super) fn is_old(&self, now: Now) -> bool {
        now.is_past(self.asked_at, AGE_MAX)
    }

    /// The store's answer. Returns the entries that concern the run.
    pub(super) fn hear(
        &mut self,
        entries: Vec<(i64, ControlEntry)>,
        now: Now,
    ) -> Vec<ControlEntry> {
        self.asked_at = Some(now.at);
        let mut ours = Vec::new();
        for (seq, entry) in entries {
            if self.control.hear(seq, &entry) {
                ours.push(entry);
            }
        }
        ours
    }

    /// Why the batch is paused, if it is.
    pub(super) fn pause(&self) -> Option<&ControlEntry> {
        self.control.paused.as_ref()
    }

    /// Why the run is drained, if it is.
    pub(super) fn drain(&self) -> Option<&ControlEntry> {
        self.control.drained.as_ref()
    }

    /// What was set for the run.
    pub(super) fn limits(&self) -> Limits {
        self.control.limits
    }

    /// Number of the last one that was heard.
    pub(super) fn heard(&self) -> i64 {
        self.control.heard()
    }

    /// Somebody has let everything start, though those that go first are not proven.
    pub(super) fn is_released(&self) -> bool {
        self.control.released.is_some()
    }

    /// Nothing starts until somebody says `go`.
    pub(super) fn is_paused(&self) -> bool {
        self.control.paused.is_some()
    }

    /// Nothing starts: the batch is paused, or the run drained.
    pub(super) fn is_held(&self) -> bool {
        self.control.is_held()
    }

    /// What keeps the run from starting anything.
    pub(super) fn limit(&self) -> Option<Limit> {
        if self.control.paused.is_some() {
            Some(Limit::Pause)
        } else {
            self.control.drained.is_some().then_some(Limit::Drain)
        }
    }

    /// The store has refused to begin something: it has to be asked why.
    pub(super) fn ask_again(&mut self) {
        self.asked_at = None;
    }
}
