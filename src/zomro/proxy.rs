//! The proxy that the environment names (`HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY`), checked before
//! the first call. reqwest would ignore some bad values in silence and fail with others at each
//! call; here the operator is told.

use std::env;

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use super::endpoint::Endpoint;
use super::settings::ClientError;

/// What is looked at, in this order, as reqwest does it.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Where the calls go first, as `host:port`; `None`: straight to the API.
pub(super) fn on_the_way_to(endpoint: &Endpoint) -> Result<Option<String>, ClientError> {
    if endpoint.is_loopback() {
        return Ok(None);
    }
    let given = VARIABLES.iter().find_map(|&variable| {
        let value = env::var(variable).ok()?;
        (!value.trim().is_empty()).then_some((variable, value))
    });
    let exempt = ["NO_PROXY", "no_proxy"]
        .iter()
        .find_map(|variable| env::var(variable).ok())
        .unwrap_or_default();
    match given {
        Some((variable, value)) if is_intercepted(endpoint, exempt) => {
            place(&value).map(Some).map_err(|scheme| match scheme {
                Some(scheme) => ClientError::ProxyScheme { variable, scheme },
                None => ClientError::Proxy { variable },
            })
        }
        Some(_) | None => Ok(None),
    }
}

/// Calls to this endpoint go through a proxy if there is one: `NO_PROXY` does not exempt it.
fn is_intercepted(endpoint: &Endpoint, exempt: String) -> bool {
    let any = Matcher::builder().all("http://proxy/").no(exempt).build();
    let uri = endpoint.url().as_str().parse();
    uri.is_ok_and(|uri| any.intercept(&uri).is_some())
}

/// Host and port of a proxy, without user and password. `Err`: the scheme that is not supported, if
/// it is an address at all.
fn place(value: &str) -> Result<String, Option<String>> {
    let value = value.trim();
    let value = if value.contains("://") {
        value.to_owned()
    } else {
        format!("http://{value}")
    };
    let url: Url = value.parse().map_err(|_| None)?;
    match (url.scheme(), url.host_str()) {
        ("http" | "https", Some(host)) => {
            let port = url.port_or_known_default().unwrap_or_default();
            Ok(format!("{host}:{port}"))
        }
        ("http" | "https", None) => Err(None),
        (scheme, _) => Err(Some(scheme.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Field case D4.
    #[test]
    fn only_the_supported_kinds_are_taken_and_no_password_is_shown() {
        for (value, expected) in [
            ("http://proxy.example:3128", Ok("proxy.example:3128")),
            ("https://me:Secret77@proxy.example", Ok("proxy.example:443")),
            ("proxy.example:8080", Ok("proxy.example:8080")),
            ("10.0.0.1", Ok("10.0.0.1:80")),
            ("socks5h://127.0.0.1:1080", Err(Some("socks5h"))),
            ("SOCKS4://127.0.0.1", Err(Some("socks4"))),
            ("ftp://proxy.example", Err(Some("ftp"))),
            ("http://", Err(None)),
            ("http://a b", Err(None)),
        ] {
            let found = place(value);
            let found = found.as_deref().map_err(|scheme| scheme.as_deref());
            assert_eq!(found, expected, "{value}");
        }
    }

    #[test]
    fn an_exempt_host_is_reached_without_the_proxy() {
        let endpoint = Endpoint::parse("https://api.zomro.com/").unwrap();
        for (exempt, intercepted) in [
            ("", true),
            ("example.com", true),
            ("api.zomro.com", false),
            (".zomro.com,localhost", false),
            ("*", false),
        ] {
            assert_eq!(is_intercepted(&endpoint, exempt.to_owned()), intercepted);
        }
    }
}
