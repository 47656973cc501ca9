//! One POST, to which the answer is a status and nothing else.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url, redirect, retry};

use crate::text;

/// Whoever is slower is given up.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is sent.
pub(super) struct Post {
    pub(super) url: Url,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, HeaderValue)>,
    pub(super) body: String,
}

/// Sends it. `Err` says in words what went wrong, and names no address: that may be a secret.
///
/// The body of the answer is never read, however long it is, and a redirect is no success: what is told would
/// reach somebody whom nobody has named.
pub(super) async fn post(post: Post) -> Result<(), String> {
    let Post {
        url,
        content_type,
        headers,
        body,
    } = post;
    let client = client(&url).map_err(cause)?;
    let mut all = HeaderMap::new();
    all.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let headers = headers.into_iter();
    all.extend(headers.map(|(name, value)| (HeaderName::from_static(name), value)));
    let sent = client.post(url).headers(all).body(body).send().await;
    let status = sent.map_err(cause)?.status();
    if status.is_success() {
        Ok(())
    } else if status.is_redirection() {
        Err(format!(
            "it answered {}, which leads elsewhere and is not followed: give the address where it is now",
            status.as_u16()
        ))
    } else {
        Err(format!("it answered {}", status.as_u16()))
    }
}

fn client(url: &Url) -> reqwest::Result<Client> {
    let builder = Client::builder()
        .user_agent(concat!("refleet/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .timeout(TIMEOUT);
    let provider = rustls::crypto::ring::default_provider();
    if url.scheme() == "https" {
        // An error only says that there is one already.
        let _ = provider.install_default();
        return builder.build();
    }
    // Plain HTTP needs no CA certificates, and a machine may have none.
    let nobody = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("ring knows the protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    builder.tls_backend_preconfigured(nobody).build()
}

/// The innermost reason: the outer ones only say that there was one.
fn cause(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", TIMEOUT.as_secs());
    }
    let error = error.without_url();
    let mut innermost = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        innermost = inner.to_string();
        source = inner.source();
    }
    text::brief(&innermost, text::MESSAGE_CHARS_MAX)
}
