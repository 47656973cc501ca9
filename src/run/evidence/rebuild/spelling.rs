//! How the list spells the names of images, learned by watching rebuilds.

use std::collections::{HashMap, HashSet};

use super::names::{self, Shows};
use crate::job::{Evidence, JobRecord};
use crate::run::evidence::Observation;

/// The images whose names in the list are known, by the form of the preview's name.
#[derive(Debug, Clone, Default)]
pub struct Spelling {
    /// The list was seen to change a name to the preview's.
    spelled: HashSet<String>,
    /// The list calls the image otherwise: how it does.
    called: HashMap<String, String>,
}

impl Spelling {
    /// The list shows the new name of a job's image: it spells it as the preview does.
    pub fn effect_showed(&mut self, record: &JobRecord) {
        if let Some(target) = names::target(record) {
            self.name_showed(target);
        }
    }

    /// A rebuild is complete. One that was accepted and seen may come back under another name than the
    /// preview's: so the list calls that image.
    pub fn completed(&mut self, record: &JobRecord, observation: &Observation, evidence: Evidence) {
        if evidence == Evidence::Observed
            && record.accepted
            && let (Shows::Third(name), Some(target)) =
                (names::shows(record, observation), names::target(record))
        {
            self.is_called(target, name);
        }
    }

    pub(super) fn name_showed(&mut self, target: String) {
        self.spelled.insert(target);
    }

    pub(super) fn is_called(&mut self, target: String, name: String) {
        self.called.insert(target, name);
    }

    /// The list was seen to change a name to this one: it spells the image as the preview does.
    pub fn spells(&self, target: &str) -> bool {
        self.spelled.contains(target)
    }

    /// How the list calls the image, where that is not as the preview does.
    pub fn calls(&self, target: &str) -> Option<&str> {
        self.called.get(target).map(String::as_str)
    }
}
