//! The API's address, in one spelling, and whose API it is.
//!
//! The provider matters: an order belongs to it, so that no other spelling of its address
//! (`HTTPS://API.zomro.com:443/billmgr`, `https://api.zomro.com./`) makes the same order a new one.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;

/// The provider of whatever answers on this machine.
const LOOPBACK: &str = "loopback";

/// Where the API answers: a normalised `https://` URL, or `http://` on loopback.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    url: Url,
}

/// Why a text is no [`Endpoint`]. Never quotes the text: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("is no URL: write for example https://api.zomro.com/")]
    Invalid,
    /// `ftp://…`, `file:///…`.
    #[error("is neither an https:// nor an http:// URL")]
    Scheme,
    /// `http://` to another machine: passwords and tokens would travel in the clear.
    #[error("is plain http://, which is allowed on loopback only: use https://")]
    Plain,
    /// `https://user:password@…`.
    #[error("holds a user name or password: these belong into the environment")]
    Credentials,
    /// `…?x` or `…#x`.
    #[error("holds a query or a fragment")]
    QueryOrFragment,
}

impl Endpoint {
    /// Reads and normalises a URL: host in lower case, default port dropped, path `/` where there is
    /// none, no slash at the end of a longer path (`https://host/billmgr`).
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let mut url = Url::parse(text.trim()).map_err(|_| EndpointError::Invalid)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EndpointError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::QueryOrFragment);
        }
        let path = format!("/{}", url.path().trim_matches('/'));
        url.set_path(&path);
        let endpoint = Self { url };
        if endpoint.is_plain() && !endpoint.is_loopback() {
            return Err(EndpointError::Plain);
        }
        Ok(endpoint)
    }

    /// Whose API it is: the host, without port, path, final dot and case. Two addresses with the
    /// same provider are one account with the same instances; all names of this machine are one.
    pub fn provider(&self) -> String {
        let host = self.host();
        let here = match self.ip() {
            Some(address) => address.is_loopback() || address.is_unspecified(),
            // RFC 6761 keeps the whole domain for this machine.
            None => host == "localhost" || host.ends_with(".localhost"),
        };
        match self.ip() {
            _ if here => LOOPBACK.to_owned(),
            Some(address) => address.to_string(),
            None => host.to_owned(),
        }
    }

    /// The host is this machine: `localhost`, `127.0.0.0/8` or `::1`.
    pub fn is_loopback(&self) -> bool {
        match self.ip() {
            Some(address) => address.is_loopback(),
            None => self.host() == "localhost",
        }
    }

    /// The host in lower case, as punycode, and without a final dot.
    pub(super) fn host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        host.trim_end_matches('.')
    }

    /// The host as an IP address, where it is one. An IPv4 address that is mapped into IPv6 counts
    /// as IPv4.
    fn ip(&self) -> Option<IpAddr> {
        let host = self.host();
        let address: IpAddr = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .ok()?;
        Some(address.to_canonical())
    }

    /// The vendor's own address, which is used unless another one is given.
    pub(super) fn is_vendors(&self) -> bool {
        self.host() == "api.zomro.com"
    }

    /// `http://`, that is, without TLS.
    pub(super) fn is_plain(&self) -> bool {
        self.url.scheme() == "http"
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// An address that [`Endpoint::parse`] would refuse.
    #[cfg(test)]
    pub(super) fn unchecked(url: &str) -> Self {
        Self {
            url: url.parse().unwrap(),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.url.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_spelling() {
        for (text, normalised) in [
            ("https://api.zomro.com", "https://api.zomro.com/"),
            ("https://api.zomro.com/", "https://api.zomro.com/"),
            (" HTTPS://API.Zomro.COM:443 ", "https://api.zomro.com/"),
            (
                "https://api.zomro.com/billmgr",
                "https://api.zomro.com/billmgr",
            ),
            (
                "https://api.zomro.com/billmgr/",
                "https://api.zomro.com/billmgr",
            ),
            (
                "https://api.zomro.com:8443//",
                "https://api.zomro.com:8443/",
            ),
            ("http://LOCALHOST:80/", "http://localhost/"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/"),
            ("http://127.9.9.9", "http://127.9.9.9/"),
            ("http://[::1]:8080", "http://[::1]:8080/"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.to_string(), normalised, "{text:?}");
            assert_eq!(
                Endpoint::parse(normalised),
                Ok(endpoint),
                "normalising twice changes nothing"
            );
        }
    }

    #[test]
    fn what_would_leak_or_mislead_is_refused() {
        for (text, why) in [
            ("", EndpointError::Invalid),
            ("api.zomro.com", EndpointError::Invalid),
            ("https://", EndpointError::Invalid),
            ("ftp://api.zomro.com/", EndpointError::Scheme),
            ("localhost:8080", EndpointError::Scheme),
            ("http://api.zomro.com/", EndpointError::Plain),
            ("http://128.0.0.1/", EndpointError::Plain),
            ("http://localhost.example.com/", EndpointError::Plain),
            ("http://[::2]/", EndpointError::Plain),
            ("https://u@api.zomro.com/", EndpointError::Credentials),
            ("https://:p@api.zomro.com/", EndpointError::Credentials),
            (
                "https://api.zomro.com/?out=json",
                EndpointError::QueryOrFragment,
            ),
            ("https://api.zomro.com/#x", EndpointError::QueryOrFragment),
        ] {
            assert_eq!(Endpoint::parse(text), Err(why), "{text:?}");
        }
    }

    // Field case B1.
    #[test]
    fn a_provider_is_one_however_its_address_is_spelled() {
        let provider = |text: &str| Endpoint::parse(text).unwrap().provider();
        for (provider_of, spellings) in [
            (
                "api.zomro.com",
                &[
                    "https://api.zomro.com/",
                    "https://API.zomro.COM./billmgr",
                    "https://api.zomro.com:8443/billmgr/",
                ][..],
            ),
            (
                "loopback",
                &[
                    "http://127.0.0.1:1/",
                    "http://127.9.9.9:2/billmgr",
                    "http://localhost",
                    "http://LOCALHOST.:3/",
                    "http://[::1]:4/",
                    "http://[0:0:0:0:0:0:0:1]/",
                    "http://[::ffff:127.0.0.1]:5/",
                    "http://2130706433/",
                    "https://api.localhost/",
                    "https://0.0.0.0/",
                ],
            ),
            (
                "192.0.2.7",
                &["https://192.0.2.7/", "https://[::ffff:c000:207]:8/"],
            ),
            (
                "2001:db8::1",
                &[
                    "https://[2001:db8::1]/",
                    "https://[2001:DB8:0:0:0:0:0:1]:443/x",
                ],
            ),
            (
                "xn--bcher-kva.example",
                &["https://Bücher.example/", "https://xn--Bcher-kva.example./"],
            ),
        ] {
            for spelling in spellings {
                assert_eq!(provider(spelling), provider_of, "{spelling}");
            }
        }
        assert_ne!(provider("https://api2.zomro.com/"), "api.zomro.com");
        assert_ne!(provider("https://localhost.example.com/"), "loopback");
    }

    #[test]
    fn loopback_is_this_machine_only() {
        assert!(Endpoint::parse("https://localhost/").unwrap().is_loopback());
        assert!(Endpoint::parse("http://127.1/").unwrap().is_loopback());
        assert!(
            !Endpoint::parse("https://api.zomro.com/")
                .unwrap()
                .is_loopback()
        );
    }
}
