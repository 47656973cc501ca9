//! The HTTP client, and how it is set up for this API.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, Url, redirect, retry};
use tracing::debug;
use zeroize::Zeroizing;

use crate::job::ServiceId;
use crate::time;

use super::call_error::{self, CallError};
use super::claims::Ours;
use super::destination::Destination;
use super::endpoint::Endpoint;
use super::finding::Received;
use super::form::Form;
use super::retry_after::retry_after;
use super::settings::{ClientError, Settings};
use super::wiped::Wiped;
use super::wire::{Gate, Sent, WatchedForm, Wire};
use super::{lenient, proxy};

/// A connection that takes longer to set up has failed.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// A connection that was idle for longer may be closed by now, and a submission over it would be in
/// doubt: it is not reused. Calls that follow each other at once share one, calls at the pace of a
/// careful operator get a new one each.
const POOL_IDLE_MAX: Duration = Duration::from_millis(25);
/// Lines of an answer's head.
const HEADERS_MAX: usize = 500;

/// One HTTP exchange.
pub(super) struct Exchange {
    /// When the form was handed to the connection; `None`: not a byte of it was written.
    pub(super) sent: Option<Sent>,
    pub(super) requested_at: Instant,
    pub(super) outcome: Result<Received, CallError>,
}

/// Sends requests to one address.
pub(super) struct Transport {
    http: reqwest::Client,
    endpoint: Endpoint,
    destination: Destination,
    calls: AtomicU64,
    /// Longest duration of one request; `None`: as the settings say.
    timeout: Mutex<Option<Duration>>,
}

impl Transport {
    /// Sets up the connection pool; nothing is sent yet.
    pub(super) fn new(settings: &Settings) -> Result<Self, ClientError> {
        let proxy = proxy::on_the_way_to(&settings.endpoint)?;
        let http = builder(settings)
            .build()
            .map_err(|error| ClientError::Setup(call_error::cause(error)))?;
        Ok(Self::with_http(settings.endpoint.clone(), http, proxy))
    }

    pub(super) fn with_http(
        endpoint: Endpoint,
        http: reqwest::Client,
        proxy: Option<String>,
    ) -> Self {
        Self {
            http,
            destination: Destination {
                host: endpoint.host().to_owned(),
                is_vendors: endpoint.is_vendors(),
                proxy,
            },
            endpoint,
            calls: AtomicU64::new(0),
            timeout: Mutex::new(None),
        }
    }

    /// Requests so far, whatever came of them.
    pub(super) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn set_timeout(&self, timeout: Duration) {
        *self.timeout.lock().unwrap_or_else(PoisonError::into_inner) = Some(timeout);
    }

    fn within_time(&self, request: RequestBuilder) -> RequestBuilder {
        let timeout = *self.timeout.lock().unwrap_or_else(PoisonError::into_inner);
        match timeout {
            Some(timeout) => request.timeout(timeout),
            None => request,
        }
    }

    pub(super) fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Sends one form, as long as `gate` is open, and takes the answer, whatever it is.
    pub(super) async fn exchange(
        &self,
        form: Form,
        ours: &Ours<'_>,
        body_max: usize,
        gate: Option<Gate>,
    ) -> Exchange {
        let requested_at = Instant::now();
        self.calls.fetch_add(1, Ordering::Relaxed);
        let wire = Arc::new(Wire::behind(gate));
        let result = self.send(form, &wire).await;
        let sent = wire.settle();
        let outcome = match result {
            Ok(response) => Ok(receive(response, body_max).await),
            Err(error) if sent.is_none() => Err(match wire.barred() {
                Some(why) => CallError::Barred(why),
                None => CallError::before_sending(error, &self.destination),
            }),
            Err(error) => Err(CallError::after_sending(error)),
        };
        debug!(
            func = ours.func,
            elid = ours.service.map(ServiceId::get),
            status = outcome.as_ref().ok().map(|received| received.status),
            error = outcome.as_ref().err().map(|error| error.kind().to_string()),
            elapsed = ?requested_at.elapsed(),
            "called"
        );
        Exchange {
            sent,
            requested_at,
            outcome,
        }
    }

    async fn send(&self, form: Form, wire: &Arc<Wire>) -> reqwest::Result<Response> {
        let url = self.endpoint.url().clone();
        let (content_type, body) = form.encode();
        let length = body.len();
        let form = WatchedForm::new(body, Arc::clone(wire));
        self.within_time(self.http.post(url))
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, length)
            .body(reqwest::Body::wrap(form))
            .send()
            .await
    }

    /// Takes the answer to a plain request for `link`, which must lead to the same server. `Err` says
    /// in words why there is none.
    pub(super) async fn get(&self, link: &str, body_max: usize) -> Result<Received, String> {
        let base = self.endpoint.url();
        let url: Url = base
            .join(link)
            .ok()
            .filter(|url: &Url| url.origin() == base.origin())
            .ok_or("its page leads to another server")?;
        match self.within_time(self.http.get(url)).send().await {
            Ok(response) => Ok(receive(response, body_max).await),
            Err(error) if error.is_connect() => {
                Err(CallError::before_sending(error, &self.destination).to_string())
            }
            Err(error) => Err(CallError::after_sending(error).to_string()),
        }
    }
}

/// One HTTP/1.1 request a call: no redirects, no retries.
pub(super) fn builder(settings: &Settings) -> reqwest::ClientBuilder {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("refleet/", env!("CARGO_PKG_VERSION")))
        // One reset of an HTTP/2 connection would put everything in flight in doubt.
        .http1_only()
        // What browsers and curl pass over must not hide an answer.
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http1_max_headers(HEADERS_MAX)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .timeout(settings.timeout)
        .connect_timeout(settings.timeout.min(CONNECT_TIMEOUT_MAX))
        .pool_idle_timeout(POOL_IDLE_MAX)
        .tcp_nodelay(true);
    if settings.endpoint.is_loopback() {
        builder = builder.no_proxy();
    }
    if settings.endpoint.is_plain() {
        builder.tls_backend_preconfigured(trusting_nobody())
    } else {
        // An error only says that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        builder
    }
}

/// For plain HTTP: this machine's CA certificates are not needed, and so not read.
pub(super) fn trusting_nobody() -> rustls::ClientConfig {
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the protocol versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

/// Takes an answer's head and body. An answer beyond `body_max` is left unread.
async fn receive(mut response: Response, body_max: usize) -> Received {
    let header = |name: HeaderName| response.headers().get(name)?.to_str().ok();
    let retry_after = header(RETRY_AFTER).and_then(|value| retry_after(value, time::now_ms()));
    let location = header(LOCATION).map(str::to_owned);
    let content_type = header(CONTENT_TYPE).map(str::to_owned);
    let status = response.status().as_u16();
    let body = body(&mut response, body_max)
        .await
        .and_then(|body| lenient::text(body, content_type.as_deref(), body_max))
        .map(Zeroizing::new);
    Received {
        status,
        retry_after,
        location,
        body,
    }
}

async fn body(response: &mut Response, body_max: usize) -> Result<Wiped, CallError> {
    let too_large = CallError::BodyTooLarge { max: body_max };
    let length = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if length > body_max {
        return Err(too_large);
    }
    let mut body = Wiped::with_capacity(length);
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > body_max => return Err(too_large),
            Ok(Some(chunk)) => body.push(&chunk),
            Ok(None) => return Ok(body),
            Err(error) => return Err(CallError::within_body(error)),
        }
    }
}
