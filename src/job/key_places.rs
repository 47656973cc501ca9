//! What the host keys of a batch's instances say, taken together.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;

use serde::Serialize;

use super::{Executed, HostKey, JobRecord, ShownKey, State};

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
        // What was seen or accepted was executed, whatever its key says.
        let is_refuted = before == now && record.executed_now == Executed::Yes;
        let counts = record.state == State::InDoubt
            && !is_refuted
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Baseline, Failure, InstanceStatus, LedgerEntry, Task};

    fn shown(host: u8, last: char) -> ShownKey {
        let key = format!(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4{last}"
        );
        ShownKey {
            address: SocketAddr::from(([127, 66, 0, host], 22)),
            key: key.parse().unwrap(),
        }
    }

    /// A doubt at an instance that showed `f` before and `now` since.
    fn doubt(now: char, own_image: bool, between: &[LedgerEntry]) -> JobRecord {
        let baseline = Baseline {
            image: None,
            status: InstanceStatus::Active,
            age_ms: 0,
            name: None,
            ip: None,
            host_key: Some(shown(1, 'f')),
            own_image,
        };
        let task = Task::Rebuild {
            zone: "pub".to_owned(),
            target: None,
        };
        let intent = LedgerEntry::Intent {
            task,
            baseline: Some(baseline),
        };
        let failure = || Failure::new("timeout", "no answer");
        let unknown = LedgerEntry::Unknown {
            failure: failure(),
            submitted_ms: None,
        };
        let told = LedgerEntry::KeyShown {
            shown: shown(1, now),
        };
        let all = [&[intent, unknown][..], between, &[told]].concat();
        let mut record = JobRecord::queued();
        for entry in &all {
            record = record.apply(entry, 0).unwrap();
        }
        record
    }

    #[test]
    fn a_hint_is_what_an_own_key_says_of_a_doubt_that_nothing_else_has_told_of() {
        let alone = KeyPlaces::default();
        assert_eq!(alone.hint(&doubt('f', false, &[])), Some(KeyHint::Same));
        assert_eq!(alone.hint(&doubt('g', false, &[])), Some(KeyHint::New));
        assert_eq!(alone.hint(&doubt('g', true, &[])), None, "an own image");
        let mut places = KeyPlaces::default();
        places.note(&shown(1, 'g'));
        places.note(&shown(2, 'g'));
        assert_eq!(places.hint(&doubt('g', false, &[])), None, "a gateway");
        assert_eq!(places.shared(), 1);
    }

    #[test]
    fn what_was_seen_to_be_executed_is_not_sent_again_for_an_old_key() {
        let sighted = LedgerEntry::Sighted {
            status: InstanceStatus::Rebuilding,
            image: None,
        };
        let doubted = LedgerEntry::Doubted {
            failure: Failure::new("timeout", "it never came back"),
        };
        let seen = doubt('f', false, &[sighted, doubted]);
        assert_eq!(seen.state, State::InDoubt);
        assert_eq!(KeyPlaces::default().hint(&seen), None);
    }
}
