//! Session and calls: each method is one request, and says what came of it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, redirect, retry};
use secrecy::{ExposeSecret, SecretString};
use tracing::debug;
use zeroize::Zeroizing;

use crate::job::{Access, ImageId, ServiceId};
use crate::time;

use super::answer::{
    self, Answer, Document, Finding, Keepalive, LoginError, Obstacle, ReadError, Received,
};
use super::endpoint::Endpoint;
use super::fault::{Fault, Place};
use super::form::Form;
use super::instances::Page;
use super::preview::Preview;
use super::retry_after::retry_after;
use super::verdict::Ours;
use super::wiped::Wiped;
use super::wire::{Sent, WatchedForm, Wire};
use super::{fault, form, lenient, proxy, session};

/// A connection comes about in this time or not at all.
const CONNECT_TIMEOUT_MAX: Duration = Duration::from_secs(10);
/// A connection that was idle for longer may be closed by now, and a submission over it would be in
/// doubt: it is not reused. Calls that follow each other at once share one, calls at the pace of a
/// careful operator get a new one each.
const POOL_IDLE_MAX: Duration = Duration::from_millis(25);
/// Lines of an answer's head.
const HEADERS_MAX: usize = 500;
/// Answers to submissions, `keepalive` and login are small.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Lists and forms are not.
const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// How to reach the API.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it answers.
    pub endpoint: Endpoint,
    /// As whom.
    pub credentials: Credentials,
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
        /// Its password.
        password: SecretString,
    },
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
        /// The environment variable.
        variable: &'static str,
        /// What stands before `://`.
        scheme: String,
    },
    /// The environment asks for a proxy, and what it says is no address.
    #[error("{variable} is no address of a proxy")]
    Proxy {
        /// The environment variable.
        variable: &'static str,
    },
}

/// A rebuild to submit.
#[derive(Debug, Clone)]
pub struct Rebuild {
    /// The instance.
    pub service: ServiceId,
    /// The image it gets.
    pub image: ImageId,
    /// Where the image stands in the catalogue.
    pub zone: String,
    /// How one gets in afterwards.
    pub access: Access,
}

/// What came of one submission.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Of the token that was used; 0: there was none, and nothing was sent.
    pub generation: u64,
    /// When the form was handed to the wire; `None`: not a byte of it was written.
    pub sent: Option<Sent>,
    /// When the answer was there, or the call had failed, as Unix time.
    pub answered_ms: i64,
    /// The same on the monotonic clock.
    pub answered_at: Instant,
    /// What it means.
    pub answer: Answer,
    /// The pause that an overloaded API asks for beside an answer that says nothing more: at most 15
    /// minutes.
    pub pause: Option<Duration>,
}

/// What a read-only call gave.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// The document.
    pub value: T,
    /// Of the token that was used.
    pub generation: u64,
    /// When the request was begun: the document is not older than this.
    pub requested_at: Instant,
    /// When the document was there.
    pub answered_at: Instant,
    /// The same as Unix time.
    pub answered_ms: i64,
}

/// What came of a read-only call.
pub type Read<T> = Result<Reply<T>, ReadError>;

/// The API. Clones share connections and session.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    settings: Settings,
    place: Place,
    session: RwLock<Session>,
}

/// Generation 0 has no token, every later one has.
#[derive(Clone)]
struct Session {
    generation: u64,
    token: Option<Arc<SecretString>>,
}

/// One HTTP exchange.
struct Exchange {
    sent: Option<Sent>,
    requested_at: Instant,
    outcome: Result<Received, Fault>,
}

impl Client {
    /// Sets up the connection pool; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        let proxy = proxy::on_the_way_to(&settings.endpoint)?;
        let http = builder(&settings)
            .build()
            .map_err(|error| ClientError::Setup(fault::cause(error)))?;
        Ok(Self::with_http(settings, http, proxy))
    }

    pub(super) fn with_http(
        settings: Settings,
        http: reqwest::Client,
        proxy: Option<String>,
    ) -> Self {
        let session = match &settings.credentials {
            Credentials::Token(token) => Session {
                generation: 1,
                token: Some(Arc::new(token.clone())),
            },
            Credentials::Login { .. } => Session {
                generation: 0,
                token: None,
            },
        };
        Self {
            inner: Arc::new(Inner {
                http,
                place: Place {
                    host: settings.endpoint.host().to_owned(),
                    is_vendors: settings.endpoint.is_vendors(),
                    proxy,
                },
                settings,
                session: RwLock::new(session),
            }),
        }
    }

    /// Counts the sessions: 0 before the first login, 1 for a bare token, one more with every login.
    pub fn generation(&self) -> u64 {
        self.session().generation
    }

    /// There is something to open a session with.
    pub fn can_login(&self) -> bool {
        matches!(self.inner.settings.credentials, Credentials::Login { .. })
    }

    /// Opens a session and uses it from now on; gives its generation.
    pub async fn login(&self) -> Result<u64, LoginError> {
        let Credentials::Login { username, password } = &self.inner.settings.credentials else {
            return Err(LoginError::NoCredentials);
        };
        let form = form::login(username, password.expose_secret());
        let exchange = self
            .exchange(form::AUTH, None, form, ANSWER_BYTES_MAX)
            .await;
        let (_, body) = self
            .conclude(
                exchange.outcome,
                &reading(form::AUTH, None),
                &self.secrets(None, None),
                ANSWER_BYTES_MAX,
            )
            .await
            .map_err(|obstacle| answer::login_error(obstacle, &self.inner.place))?;
        let token = session::token(&body)?;
        let mut session = self
            .inner
            .session
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        session.generation += 1;
        session.token = Some(Arc::new(token));
        Ok(session.generation)
    }

    /// Asks whether the session lives.
    pub async fn keepalive(&self) -> Keepalive {
        self.ask(form::KEEPALIVE).await
    }

    /// Asks whose the session is, only to see how it answers: what waits for a second factor says so
    /// here, whatever `keepalive` says.
    pub async fn whoami(&self) -> Keepalive {
        self.ask(form::WHOAMI).await
    }

    async fn ask(&self, func: &'static str) -> Keepalive {
        let Some(token) = self.session().token else {
            return Keepalive::Dead {
                message: NO_SESSION.to_owned(),
            };
        };
        let token = token.expose_secret();
        let exchange = self
            .exchange(
                func,
                None,
                form::about_session(func, token),
                ANSWER_BYTES_MAX,
            )
            .await;
        let document = self
            .conclude(
                exchange.outcome,
                &reading(func, None),
                &self.secrets(Some(token), None),
                ANSWER_BYTES_MAX,
            )
            .await;
        answer::keepalive(document.map(|_| ()), &self.inner.place)
    }

    /// Reads one page of the account's list, counted from 1.
    pub async fn list_page(&self, page: u32) -> Read<Page> {
        self.read(
            form::INSTANCES,
            None,
            |token| form::list_page(token, page),
            |_, body| Page::decode(body, page),
        )
        .await
    }

    /// Reads what an instance can be rebuilt with.
    pub async fn preview(&self, service: ServiceId) -> Read<Preview> {
        self.read(
            form::REBUILD,
            Some(service),
            |token| form::preview(token, service),
            |document, body| match document {
                Document::Form => Preview::decode(body),
                Document::Ok(_) | Document::Data => {
                    Err(Fault::Garbled("the preview is no form".to_owned()))
                }
            },
        )
        .await
    }

    /// Submits a rebuild, once. A long request is followed until its verdict.
    pub async fn submit(&self, rebuild: &Rebuild) -> Submitted {
        let session = self.session();
        let Some(token) = session.token else {
            return Submitted {
                generation: 0,
                sent: None,
                answered_ms: time::now_ms(),
                answered_at: Instant::now(),
                answer: Answer::Unauthorized {
                    message: NO_SESSION.to_owned(),
                },
                pause: None,
            };
        };
        let token = token.expose_secret();
        let form = form::rebuild(token, rebuild);
        let exchange = self
            .exchange(form::REBUILD, Some(rebuild.service), form, ANSWER_BYTES_MAX)
            .await;
        let secrets = self.secrets(Some(token), Some(&rebuild.access));
        let ours = Ours {
            func: form::REBUILD,
            service: Some(rebuild.service),
            image: Some(rebuild.image),
            submits: true,
        };
        let mut pause = None;
        let answer = match exchange.outcome {
            Err(fault) if exchange.sent.is_none() => Answer::NotSent(fault.into()),
            Err(fault) => Answer::Unknown(fault.into()),
            Ok(received) => match answer::read(&received, &ours, &secrets) {
                Finding::Document(document) => answer::submission(Ok(document)),
                Finding::Obstacle(obstacle) => {
                    if let Obstacle::Overloaded { retry_after, .. } = &obstacle {
                        pause = Some(*retry_after);
                    }
                    answer::submission(Err(obstacle))
                }
                Finding::LongRequest(link) => {
                    match self.follow(link, &ours, &secrets, ANSWER_BYTES_MAX).await {
                        Ok((Document::Ok(None), _)) => Answer::Accepted,
                        Ok((Document::Ok(Some(lead)), _)) => {
                            let fault =
                                Fault::LongRequest(Fault::Elsewhere(lead.target).to_string());
                            Answer::Unknown(fault.into())
                        }
                        Ok((Document::Form | Document::Data, _)) => {
                            let fault = Fault::LongRequest(Fault::NoVerdict.to_string());
                            Answer::Unknown(fault.into())
                        }
                        Err(fault) => Answer::Unknown(fault.into()),
                    }
                }
            },
        };
        debug!(
            elid = rebuild.service.get(),
            class = answer.class(),
            "submitted"
        );
        Submitted {
            generation: session.generation,
            sent: exchange.sent,
            answered_ms: time::now_ms(),
            answered_at: Instant::now(),
            answer,
            pause,
        }
    }

    async fn read<T>(
        &self,
        func: &'static str,
        service: Option<ServiceId>,
        form: impl FnOnce(&str) -> Form,
        decode: impl FnOnce(Document, &str) -> Result<T, Fault>,
    ) -> Read<T> {
        let Session { generation, token } = self.session();
        let Some(token) = token else {
            return Err(ReadError::Unauthorized {
                generation,
                message: NO_SESSION.to_owned(),
            });
        };
        let token = token.expose_secret();
        let exchange = self
            .exchange(func, service, form(token), DOCUMENT_BYTES_MAX)
            .await;
        let secrets = self.secrets(Some(token), None);
        let (document, body) = self
            .conclude(
                exchange.outcome,
                &reading(func, service),
                &secrets,
                DOCUMENT_BYTES_MAX,
            )
            .await
            .map_err(|obstacle| answer::read_error(obstacle, generation, &self.inner.place))?;
        let value = decode(document, &body).map_err(|fault| ReadError::Failed(fault.into()))?;
        Ok(Reply {
            value,
            generation,
            requested_at: exchange.requested_at,
            answered_at: Instant::now(),
            answered_ms: time::now_ms(),
        })
    }

    /// The document of a read-only call or a login, long-request pages followed.
    async fn conclude(
        &self,
        outcome: Result<Received, Fault>,
        ours: &Ours,
        secrets: &[&str],
        body_max: usize,
    ) -> Result<(Document, Zeroizing<String>), Obstacle> {
        let received = outcome.map_err(Obstacle::Fault)?;
        let (document, body) = match answer::read(&received, ours, secrets) {
            Finding::Document(document) => (document, received.body.unwrap_or_default()),
            Finding::Obstacle(obstacle) => return Err(obstacle),
            Finding::LongRequest(link) => self
                .follow(link, ours, secrets, body_max)
                .await
                .map_err(Obstacle::Fault)?,
        };
        Ok((answer::whole(document)?, body))
    }

    /// The final document of a long request. Whatever else is found there says nothing about the
    /// request itself, an error of the API included: the look is without a session, and what it
    /// finds refused or missing may be the look.
    async fn follow(
        &self,
        mut link: String,
        ours: &Ours,
        secrets: &[&str],
        body_max: usize,
    ) -> Result<(Document, Zeroizing<String>), Fault> {
        let settings = &self.inner.settings;
        let looks = async {
            loop {
                let url = settings
                    .endpoint
                    .url()
                    .join(&link)
                    .ok()
                    .filter(|url| url.origin() == settings.endpoint.url().origin())
                    .ok_or("its page leads to another server")?;
                let received = match self.inner.http.get(url).send().await {
                    Ok(response) => receive(response, body_max).await,
                    Err(error) if error.is_connect() => {
                        let place = &self.inner.place;
                        return Err(Fault::before_sending(error, place).to_string());
                    }
                    Err(error) => return Err(Fault::after_sending(error).to_string()),
                };
                link = match answer::read(&received, ours, secrets) {
                    Finding::Document(document) => {
                        return Ok((document, received.body.unwrap_or_default()));
                    }
                    Finding::LongRequest(link) => link,
                    Finding::Obstacle(obstacle) => return Err(obstacle.to_string()),
                };
                tokio::time::sleep(settings.follow_interval).await;
            }
        };
        tokio::time::timeout(settings.follow_timeout, looks)
            .await
            .unwrap_or_else(|_| Err("no verdict within the time limit".to_owned()))
            .map_err(Fault::LongRequest)
    }

    /// Sends one form and takes the answer, whatever it is.
    async fn exchange(
        &self,
        func: &'static str,
        service: Option<ServiceId>,
        form: Form,
        body_max: usize,
    ) -> Exchange {
        let requested_at = Instant::now();
        let wire = Arc::new(Wire::default());
        let result = self.send(form, &wire).await;
        let sent = wire.settle();
        let outcome = match result {
            Ok(response) => Ok(receive(response, body_max).await),
            Err(error) if sent.is_none() => Err(Fault::before_sending(error, &self.inner.place)),
            Err(error) => Err(Fault::after_sending(error)),
        };
        debug!(
            func,
            elid = service.map(ServiceId::get),
            status = outcome.as_ref().ok().map(|received| received.status),
            fault = outcome.as_ref().err().map(|fault| fault.word().into_owned()),
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
        let url = self.inner.settings.endpoint.url().clone();
        let (content_type, body) = form.encode();
        let length = body.len();
        let form = WatchedForm::new(body, Arc::clone(wire));
        self.inner
            .http
            .post(url)
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, length)
            .body(reqwest::Body::wrap(form))
            .send()
            .await
    }

    fn session(&self) -> Session {
        self.inner
            .session
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What must not show up in a message, empty where there is none.
    fn secrets<'a>(&'a self, token: Option<&'a str>, access: Option<&'a Access>) -> [&'a str; 3] {
        let password = match &self.inner.settings.credentials {
            Credentials::Login { password, .. } => password.expose_secret(),
            Credentials::Token(token) => token.expose_secret(),
        };
        let access = match access {
            Some(Access::Password(password)) => password.expose_secret(),
            Some(Access::SshKey(_) | Access::Image) | None => "",
        };
        [token.unwrap_or_default(), password, access]
    }
}

/// What the API would say to a call without a session.
const NO_SESSION: &str = "there is no session yet";

/// What a call that changes nothing names.
fn reading(func: &'static str, service: Option<ServiceId>) -> Ours {
    Ours {
        func,
        service,
        image: None,
        submits: false,
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
    let body = match body(&mut response, body_max).await {
        Ok(body) => lenient::text(body, content_type.as_deref(), body_max).map(Zeroizing::new),
        Err(fault) => Err(fault),
    };
    Received {
        status,
        retry_after,
        location,
        body,
    }
}

async fn body(response: &mut Response, body_max: usize) -> Result<Wiped, Fault> {
    let too_large = Fault::BodyTooLarge { max: body_max };
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
            Err(error) => return Err(Fault::within_body(error)),
        }
    }
}
