//! What the host keys of a batch's instances say, taken together.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use serde::Serialize;

use super::{HostKey, JobRecord, ShownKey, State};

/// What an instance's host keys say of a doubt, where they prove nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyHint {
    /// They are new: somebody has rebuilt it.
    New,
    /// They are the same as before: probably nobody has.
    Same,
}

impl KeyHint {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::New => {
                "its SSH host key is new, so somebody has rebuilt it since it was submitted"
            }
            Self::Same => {
                "it still shows the SSH host key of before it was submitted, so probably nothing was done"
            }
        }
    }
}

/// Where keys were shown: what several addresses have shown says nothing of any of them.
#[derive(Debug, Clone, Default)]
pub struct KeyPlaces {
    shown: HashMap<HostKey, SocketAddr>,
    shared: HashSet<HostKey>,
}

impl KeyPlaces {
    /// A key was shown.
    pub fn note(&mut self, shown: &ShownKey) {
        let ShownKey { address, key } = shown;
        let known = self.shown.entry(key.clone()).or_insert(*address);
        if *known != *address {
            self.shared.insert(key.clone());
        }
    }

    /// Several addresses have shown it.
    pub fn is_shared(&self, key: &HostKey) -> bool {
        self.shared.contains(key)
    }

    /// So many keys were shown by several addresses.
    pub fn shared(&self) -> usize {
        self.shared.len()
    }

    /// What the keys say of a job that is in doubt; `None`: nothing.
    pub fn hint(&self, record: &JobRecord) -> Option<KeyHint> {
        let baseline = record.baseline.as_ref()?;
        let (before, now) = (baseline.host_key.as_ref()?, record.host_key.as_ref()?);
        let counts = record.state == State::InDoubt
            && !baseline.own_image
            && before.address == now.address
            && ![before, now].iter().any(|shown| self.is_shared(&shown.key));
        counts.then_some(if before == now {
            KeyHint::Same
        } else {
            KeyHint::New
        })
    }
}
