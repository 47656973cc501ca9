//! The token of the session that calls use, and how many sessions there have been.

use std::sync::{Arc, PoisonError, RwLock};

use secrecy::SecretString;

/// The token of the moment. Generation 0 has none, every later one has.
#[derive(Clone)]
pub(super) struct SessionToken {
    pub(super) generation: u64,
    pub(super) token: Option<Arc<SecretString>>,
}

/// The token of the moment, shared by all calls.
pub(super) struct SharedToken(RwLock<SessionToken>);

impl SharedToken {
    /// Before the first login.
    pub(super) fn none() -> Self {
        Self(RwLock::new(SessionToken {
            generation: 0,
            token: None,
        }))
    }

    /// Of a session that somebody else has opened.
    pub(super) fn given(token: SecretString) -> Self {
        Self(RwLock::new(SessionToken {
            generation: 1,
            token: Some(Arc::new(token)),
        }))
    }

    pub(super) fn current(&self) -> SessionToken {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// From now on calls use the `token` of a new session; returns its generation.
    pub(super) fn replace(&self, token: SecretString) -> u64 {
        let mut current = self.0.write().unwrap_or_else(PoisonError::into_inner);
        current.generation += 1;
        current.token = Some(Arc::new(token));
        current.generation
    }
}
