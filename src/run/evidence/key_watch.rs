//! What looks at an instance's host key have shown. What that proves stands at [`super::host_keys`].

use std::time::{Duration, Instant};

use crate::job::HostKey;

/// Whether host keys are judged, of one instance and in one reading.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostKeys {
    /// They may be: one was read before the submission, and nothing speaks against it.
    pub count: bool,
    /// The port is looked at again until it has told something.
    pub are_looked_at: bool,
}

/// What the looks at one submission's instance have shown since it was sent.
#[derive(Debug, Clone, Default)]
pub struct KeyWatch {
    /// When the latest look began that showed the key of before.
    old_until: Option<Instant>,
    new: Option<NewKey>,
}

/// Another key than before, which all looks have shown since the first one.
#[derive(Debug, Clone)]
struct NewKey {
    key: HostKey,
    since: Instant,
    until: Instant,
}

impl KeyWatch {
    /// A look that began at `asked_at` has shown `key`; `before`: the one of before the submission.
    pub fn note(&mut self, key: &HostKey, before: &HostKey, asked_at: Instant) {
        if key == before {
            self.old_until = self.old_until.max(Some(asked_at));
            self.new = None;
            return;
        }
        let since = match &self.new {
            Some(new) if new.key == *key => new.since,
            Some(_) | None => asked_at,
        };
        self.new = Some(NewKey {
            key: key.clone(),
            since,
            until: asked_at,
        });
    }

    /// The new key that the latest look has shown.
    pub fn new_key(&self) -> Option<&HostKey> {
        self.new.as_ref().map(|new| &new.key)
    }

    /// The latest look has shown a new key.
    pub fn is_new(&self) -> bool {
        self.new.is_some()
    }

    /// Two looks, so long apart, have shown the same new key: since when it stands.
    pub fn stands_for(&self, long: Duration) -> Option<Instant> {
        let NewKey { since, until, .. } = self.new.as_ref()?;
        (until > since && *until - *since >= long).then_some(*since)
    }

    /// The key of before was still shown at a moment after `at`.
    pub fn was_old_after(&self, at: Instant) -> bool {
        self.old_until.is_some_and(|old_until| old_until > at)
    }
}

/// What the new key of a job in progress is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none, or it does not count.
    Nothing,
    /// It proves that the action is complete, where the list has nothing better to say.
    New,
}
