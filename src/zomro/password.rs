//! The password of the moment: where it comes from a command, somebody may have changed it since the
//! start.

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};

use super::settings::Source;

/// The password that logins use.
pub(super) struct Password {
    state: Mutex<State>,
    source: Option<Source>,
}

struct State {
    current: Arc<SecretString>,
    /// It was fetched again, and no login has succeeded since.
    is_fetched: bool,
}

impl Password {
    pub(super) fn new(password: SecretString, source: Option<Source>) -> Self {
        let state = State {
            current: Arc::new(password),
            is_fetched: false,
        };
        Self {
            state: Mutex::new(state),
            source,
        }
    }

    pub(super) fn current(&self) -> Arc<SecretString> {
        Arc::clone(&self.lock().current)
    }

    /// A login succeeded.
    pub(super) fn accepted(&self) {
        self.lock().is_fetched = false;
    }

    /// A login was refused: fetches the password once more, and says whether it is another one. The
    /// same one is not tried again, since bad logins lock the account.
    pub(super) async fn is_another_now(&self) -> bool {
        let Some(source) = &self.source else {
            return false;
        };
        if std::mem::replace(&mut self.lock().is_fetched, true) {
            return false;
        }
        let Ok(fetched) = source.fetch().await else {
            return false; // the refusal says more than that its remedy failed too
        };
        let mut state = self.lock();
        let is_another = fetched.expose_secret() != state.current.expose_secret();
        if is_another {
            state.current = Arc::new(fetched);
        }
        is_another
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
