//! Logins and sessions: who may call what.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::config::Config;
use super::form::Fields;
use super::random::random;
use super::refusal::Refusal;

/// What every call of a session is answered with that waits for a one-time code.
pub(super) const SECOND_FACTOR: &str = "func=totp.confirm";

/// What a login is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Whether the credentials are right.
    #[default]
    Check,
    /// `badpassword`, whatever they are.
    BadPassword,
    BadIp,
    /// `blocklogon`: blocked for 20 seconds.
    BlockLogon,
    BlockGeoIp,
}

/// What happens to sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sessions {
    /// All that exist are forgotten; new ones work.
    Expire,
    /// No session works any more, new ones included.
    Refuse,
    Accept,
}

/// Since when, and how often, a session has been used.
#[derive(Debug)]
struct Usage {
    used: Instant,
    calls: u64,
    /// It waits for a one-time code.
    wants_code: bool,
}

impl Usage {
    fn new(now: Instant) -> Self {
        Self {
            used: now,
            calls: 0,
            wants_code: false,
        }
    }
}

/// The sessions that are open.
#[derive(Debug)]
pub(super) struct OpenSessions {
    by_token: HashMap<String, Usage>,
    tokens: fastrand::Rng,
    login: Login,
    are_refused: bool,
}

impl OpenSessions {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let given = config.session.iter();
        Self {
            by_token: given
                .map(|token| (token.clone(), Usage::new(now)))
                .collect(),
            tokens: random(&[config.faults.seed]),
            login: Login::Check,
            are_refused: false,
        }
    }

    /// Opens a session; returns its token.
    pub(super) fn log_in(
        &mut self,
        config: &Config,
        fields: &Fields,
        now: Instant,
    ) -> Result<String, Refusal> {
        let bad_password = || Refusal::login("badpassword", "Invalid username or password");
        match self.login {
            Login::Check => {}
            Login::BadPassword => return Err(bad_password()),
            Login::BadIp => return Err(Refusal::login("badip", "Access from this IP denied")),
            Login::BlockLogon => {
                let message = "The account is blocked for 20 seconds";
                return Err(Refusal::login("blocklogon", message));
            }
            Login::BlockGeoIp => {
                let message = "Login from a new region: confirm it by e-mail";
                return Err(Refusal::login("blockgeoip", message));
            }
        }
        if !knows_credentials(config, fields) {
            return Err(bad_password());
        }
        if config.authinfo_only {
            return Err(Refusal::login("badip", "Access from this IP denied"));
        }
        Ok(self.open(config, config.code.is_some(), now))
    }

    fn open(&mut self, config: &Config, wants_code: bool, now: Instant) -> String {
        let token: String = (0..24)
            .map(|_| char::from_digit(self.tokens.u32(..16), 16).unwrap_or('0'))
            .collect();
        // Sessions that nobody uses any more would pile up in a long rehearsal.
        let ttl = config.session_ttl;
        self.by_token.retain(|_, session| now - session.used < ttl);
        let usage = Usage {
            wants_code,
            ..Usage::new(now)
        };
        self.by_token.insert(token.clone(), usage);
        token
    }

    /// The session that the call names waits for a one-time code.
    pub(super) fn wants_code(&self, fields: &Fields) -> bool {
        let session = fields
            .get("auth")
            .and_then(|token| self.by_token.get(token));
        !self.are_refused && session.is_some_and(|session| session.wants_code)
    }

    /// Opens a whole session instead of one that waits for a code; returns its token.
    pub(super) fn confirm(
        &mut self,
        config: &Config,
        fields: &Fields,
        now: Instant,
    ) -> Result<String, Refusal> {
        self.authorise(config, fields, now)?;
        let code = fields.get("qrcode");
        if !self.wants_code(fields) || code != config.code.as_deref() {
            return Err(Refusal::login("badcode", "Invalid code"));
        }
        if let Some(token) = fields.get("auth") {
            self.forget(token);
        }
        Ok(self.open(config, false, now))
    }

    /// Counts the call for the session that it names. `Err`: that session does not work.
    pub(super) fn authorise(
        &mut self,
        config: &Config,
        fields: &Fields,
        now: Instant,
    ) -> Result<(), Refusal> {
        let refused = || Refusal::access(fields.get("func").unwrap_or_default());
        if self.are_refused {
            return Err(refused());
        }
        let Some(token) = fields.get("auth") else {
            // A second factor is asked of sessions, so that without one nobody gets in.
            let known = fields.get("authinfo").is_some()
                && config.code.is_none()
                && knows_credentials(config, fields);
            return known.then_some(()).ok_or_else(refused);
        };
        if config.authinfo_only {
            return Err(refused());
        }
        let session = self.by_token.get_mut(token).ok_or_else(refused)?;
        let calls_max = config.odd.session_calls;
        if now - session.used >= config.session_ttl
            || calls_max.is_some_and(|max| session.calls >= max)
        {
            self.by_token.remove(token);
            return Err(refused());
        }
        session.used = now;
        session.calls += 1;
        Ok(())
    }

    pub(super) fn forget(&mut self, token: &str) {
        self.by_token.remove(token);
    }

    pub(super) fn set_login(&mut self, login: Login) {
        self.login = login;
    }

    pub(super) fn set(&mut self, sessions: Sessions) {
        match sessions {
            Sessions::Expire => self.by_token.clear(),
            Sessions::Refuse => self.are_refused = true,
            Sessions::Accept => self.are_refused = false,
        }
    }
}

fn knows_credentials(config: &Config, fields: &Fields) -> bool {
    let (username, password) = match fields.get("authinfo") {
        Some(pair) => pair.split_once(':').unwrap_or_default(),
        None => (
            fields.get("username").unwrap_or_default(),
            fields.get("password").unwrap_or_default(),
        ),
    };
    username == config.username && password == config.password
}
