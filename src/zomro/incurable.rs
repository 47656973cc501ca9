//! What no retry can cure: a person has to change something, so to try for half an hour helps nobody.
//!
//! Only the first call of a run ends it for such a fault: what worked a minute ago and does not now
//! is an outage.

/// Why the API cannot be reached as things are set up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Incurable {
    /// An unknown CA, an expired certificate, one of another host, …
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(String),
    /// The host name does not exist.
    #[error("there is no host `{0}`")]
    NoSuchHost(String),
    /// The address answers with a redirect, which a form with a password must not follow.
    #[error("the address only leads elsewhere (HTTP {status}): {location}")]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Where to.
        location: String,
    },
    /// HTTP 404 or 405 to a login.
    #[error("no API answers at this address (HTTP {status})")]
    NoApi {
        /// The HTTP status.
        status: u16,
    },
    /// The environment asks for a proxy of a kind that is not supported.
    #[error("a proxy of the kind `{scheme}` is not supported ({variable})")]
    ProxyScheme {
        /// The environment variable.
        variable: String,
        /// What stands before `://`.
        scheme: String,
    },
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
            Self::ProxyScheme { .. } => "name an http:// or https:// proxy, or unset the variable",
        }
    }
}
