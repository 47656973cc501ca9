//! Errors that no retry can cure: a person has to change something first, and half an hour of
//! retries would only hide that.
//!
//! Such an error ends a run only at its first call. What worked a minute ago and does not work now
//! is an outage.

use crate::job::{Failure, FailureKind};

/// Why the API cannot be reached as things are set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incurable {
    /// An unknown CA, an expired certificate, one of another host, …
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(String),
    #[error("there is no host `{0}`")]
    NoSuchHost(String),
    /// The address answers with a redirect, which a form with a password must not follow.
    #[error("the address only leads elsewhere (HTTP {status}): {location}")]
    Redirect { status: u16, location: String },
    /// HTTP 404 or 405 to a login.
    #[error("no API answers at this address (HTTP {status})")]
    NoApi { status: u16 },
    #[error("there is no host for the proxy {0}")]
    NoSuchProxy(String),
    /// The proxy does not let us through without a user and a password, or not with this one.
    #[error("the proxy {0} asks for a user and a password")]
    ProxyPassword(String),
}

impl Incurable {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Certificate(_) => {
                "is this machine's clock right, and does it know the CA (SSL_CERT_FILE names a file with another one)? is --api-url right?"
            }
            Self::NoSuchHost(_) => "is --api-url or REFLEET_API_URL right?",
            Self::Redirect { .. } => {
                "if that is where the API is, give that address with --api-url"
            }
            Self::NoApi { .. } => "is the path in --api-url or REFLEET_API_URL right?",
            Self::NoSuchProxy(_) => "is HTTPS_PROXY or ALL_PROXY right?",
            Self::ProxyPassword(_) => {
                "write them into HTTPS_PROXY or ALL_PROXY: http://USER:PASSWORD@HOST:PORT"
            }
        }
    }
}

/// Later in a run it is an error like others. Its kinds are the words of [`super::call_error`].
impl From<Incurable> for Failure {
    fn from(incurable: Incurable) -> Self {
        let kind = match &incurable {
            Incurable::Certificate(_) => FailureKind::Tls,
            Incurable::NoSuchHost(_) => FailureKind::Dns,
            Incurable::NoSuchProxy(_) | Incurable::ProxyPassword(_) => FailureKind::Proxy,
            Incurable::Redirect { status, .. } | Incurable::NoApi { status } => {
                format!("http_{status}").into()
            }
        };
        Self::new(kind, incurable.to_string())
    }
}
