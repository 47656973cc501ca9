//! What a run has learned of the account's list by watching its own rebuilds.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How the list behaves, as far as this run has seen it.
#[derive(Debug, Clone, Default)]
pub struct ListLag {
    /// The longest time between an acceptance and the reading that showed the new name.
    name_lag: Option<Duration>,
    /// The longest time for which an accepted rebuild has not shown its new name.
    silence: Duration,
    /// Images (by the form of the preview's name) whose name the list was seen to change to.
    spelled: HashSet<String>,
    /// Images (likewise) that the list calls otherwise: how it does.
    called: HashMap<String, String>,
}

impl ListLag {
    /// The list shows the new name of an image: it spells it as the preview does.
    pub fn name_showed(&mut self, target: &str) {
        if !self.spelled.contains(target) {
            self.spelled.insert(target.to_owned());
        }
    }

    /// A new name showed so long after the acceptance.
    pub fn lagged(&mut self, lag: Duration) {
        self.name_lag = Some(self.name_lag.map_or(lag, |longest| longest.max(lag)));
    }

    /// An accepted rebuild that must show has not shown for so long. That lengthens a lag which was
    /// learned, and teaches none: it may never show.
    pub fn was_silent(&mut self, silence: Duration) {
        self.silence = self.silence.max(silence);
    }

    /// An accepted rebuild that was seen came back under another name than the preview's.
    pub fn is_called(&mut self, target: &str, name: &str) {
        self.called.insert(target.to_owned(), name.to_owned());
    }

    /// The list was seen to change a name to this one: it spells the image as the preview does.
    pub fn spells(&self, target: &str) -> bool {
        self.spelled.contains(target)
    }

    /// How the list calls the image, where that is not as the preview does.
    pub fn calls(&self, target: &str) -> Option<&str> {
        self.called.get(target).map(String::as_str)
    }

    /// A change of name was seen after an acceptance, so it is known how far the list lags.
    pub fn knows_the_lag(&self) -> bool {
        self.name_lag.is_some()
    }

    /// How long after a submission an executed rebuild must have shown its name.
    pub fn window(&self, settle: Duration) -> Duration {
        self.name_lag.map_or(settle, |longest| {
            settle.max(longest.max(self.silence).saturating_mul(3))
        })
    }
}
