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
    /// When the latest look began that has shown none.
    silent_until: Option<Instant>,
    /// Some look has shown another key than before.
    was_new: bool,
    /// A new key was followed by another one, or by the one of before: what answers there changes, and says
    /// nothing of a rebuild.
    is_restless: bool,
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
        let since = match &self.new {
            Some(new) if new.key == *key => new.since,
            Some(_) => {
                self.is_restless = true;
                asked_at
            }
            None => asked_at,
        };
        if key == before {
            self.old_until = self.old_until.max(Some(asked_at));
            self.new = None;
            return;
        }
        self.was_new = true;
        self.new = Some(NewKey {
            key: key.clone(),
            since,
            until: asked_at,
        });
    }

    /// A look that began at `asked_at` has shown no key.
    pub fn note_silence(&mut self, asked_at: Instant) {
        self.silent_until = self.silent_until.max(Some(asked_at));
    }

    /// A look has shown no key that began after `at`.
    pub fn was_silent_after(&self, at: Instant) -> bool {
        self.silent_until.is_some_and(|until| until > at)
    }

    /// The new key that the latest look has shown.
    pub fn new_key(&self) -> Option<&HostKey> {
        self.new.as_ref().map(|new| &new.key)
    }

    /// The latest look has shown a new key.
    pub fn is_new(&self) -> bool {
        self.new.is_some()
    }

    /// Some look has shown a new key, whatever later ones show.
    pub fn was_new(&self) -> bool {
        self.was_new
    }

    /// What answers there changes from look to look.
    pub fn is_restless(&self) -> bool {
        self.is_restless
    }

    /// Two looks, so long apart, have shown the same new key, and none any other: since when it stands.
    pub fn stands_for(&self, long: Duration) -> Option<Instant> {
        let NewKey { since, until, .. } = self.new.as_ref()?;
        let stands = until > since && *until - *since >= long;
        (stands && !self.is_restless).then_some(*since)
    }

    /// The new key was shown by a look that began after `at`.
    pub fn is_new_after(&self, at: Instant) -> bool {
        self.new.as_ref().is_some_and(|new| new.until > at)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(last: char) -> HostKey {
        let text = format!(
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4{last}"
        );
        text.parse().unwrap()
    }

    /// What looks a minute apart have shown, where `a` stood there before.
    fn watched(shown: &str) -> KeyWatch {
        let mut keys = KeyWatch::default();
        let mut at = Instant::now();
        for letter in shown.chars() {
            keys.note(&key(letter), &key('a'), at);
            at += Duration::from_mins(1);
        }
        keys
    }

    #[test]
    fn a_new_key_stands_only_while_nothing_else_was_shown_after_it() {
        let stands = |shown| watched(shown).stands_for(Duration::from_secs(30)).is_some();
        for shown in ["ff", "aff", "aaaff", "fff"] {
            assert!(stands(shown), "{shown}");
        }
        for shown in ["", "a", "f", "af", "ffa", "faff", "fgg", "affag", "fafaff"] {
            assert!(!stands(shown), "{shown}");
        }
    }

    #[test]
    fn that_a_key_was_new_is_not_forgotten_when_the_old_one_comes_back() {
        assert!(watched("fa").was_new() && !watched("fa").is_new());
        assert!(!watched("aaa").was_new());
    }
}
