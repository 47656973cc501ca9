//! How to reach the API, and as whom.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::endpoint::Endpoint;
use super::owner::AccountField;

/// How to reach the API.
#[derive(Debug, Clone)]
pub struct Settings {
    pub endpoint: Endpoint,
    pub credentials: Credentials,
    /// Where `whoami` names the account: that was never seen at the real thing.
    pub account_field: AccountField,
    /// Longest duration of one request, connection and whole answer included.
    pub timeout: Duration,
    /// Pause between two looks at a long request's answer.
    pub follow_interval: Duration,
    /// Longest duration of a long request, from its page to its verdict.
    pub follow_timeout: Duration,
}

/// As whom the API is called.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A session that somebody else opened.
    Token(SecretString),
    /// An account: sessions are opened with it.
    Login {
        /// The account's name or mail address.
        username: String,
        password: SecretString,
    },
    /// An account whose name and password go with each call: there is no session.
    AuthInfo {
        username: String,
        password: SecretString,
    },
}

/// A secret that is fetched when it is needed. `Err`: why there is none, in words.
#[derive(Clone)]
pub struct Source(Arc<dyn Fn() -> Fetching + Send + Sync>);

type Fetching = Pin<Box<dyn Future<Output = Result<SecretString, String>> + Send>>;

impl Source {
    /// `fetch` may take its time, and ends when it is dropped: a run that is stopped leaves nothing behind.
    pub fn new<F>(fetch: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<SecretString, String>> + Send + 'static,
    {
        Self(Arc::new(move || Box::pin(fetch())))
    }

    pub(super) async fn fetch(&self) -> Result<SecretString, String> {
        (self.0)().await
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// What a login may need that was not there from the start.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The password as it is now, for when the one of the start is refused.
    pub password: Option<Source>,
    /// A one-time code.
    pub code: Option<Source>,
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// For example: this machine has no CA certificates.
    #[error("the HTTPS client could not be set up: {0}")]
    Setup(String),
    /// The environment asks for a proxy of another kind than HTTP.
    #[error("{variable} names a proxy of the kind `{scheme}`, which is not supported")]
    ProxyScheme {
        variable: &'static str,
        /// What stands before `://`.
        scheme: String,
    },
    /// The environment asks for a proxy, and what it says is no address.
    #[error("{variable} is no address of a proxy")]
    Proxy { variable: &'static str },
}
