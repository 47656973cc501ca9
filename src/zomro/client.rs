//! Session and calls: each method is one request, and says what came of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use tracing::debug;
use zeroize::Zeroizing;

use crate::job::{Owner, ServiceId};
use crate::time;

use super::answer::{Answer, Keepalive, LoginError, ReadError};
use super::call::{Read, Reply, Submitted};
use super::call_error::CallError;
use super::catalogue::{OwnPage, Tariffs};
use super::claims::Ours;
use super::finding::{self, Document, Finding, Obstacle, Received};
use super::form::{self, Form};
use super::history::{History, HistoryQuery};
use super::instances::Page;
use super::lookup::{Found, Lookup};
use super::pass::Pass;
use super::password::Password;
use super::preview::Preview;
use super::session_token::{SessionToken, SharedToken};
use super::settings::{ClientError, Credentials, Settings, Source, Sources};
use super::submission::Submission;
use super::transport::Transport;
use super::wire::Gate;
use super::{login, meaning, owner};

/// Answers to submissions, `keepalive` and login are small.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Lists and forms are not.
const DOCUMENT_BYTES_MAX: usize = 8 << 20;

/// What the API would say to a call without a session.
const NO_SESSION: &str = "there is no session yet";

/// The API. Clones share connections and session.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    transport: Transport,
    settings: Settings,
    session: SharedToken,
    /// `None`: there is no login.
    password: Option<Password>,
    code: Option<Source>,
}

/// What the answer to a call is held against.
struct CallContext<'a> {
    ours: Ours<'a>,
    /// They must not show up in a message.
    secrets: Secrets,
    /// The longest answer that is read.
    body_max: usize,
}

/// The secrets of a call; empty where there is none.
struct Secrets([SecretString; 3]);

impl Secrets {
    fn exposed(&self) -> [&str; 3] {
        self.0.each_ref().map(ExposeSecret::expose_secret)
    }
}

impl Client {
    /// Sets up the connection pool; nothing is sent yet.
    pub fn new(settings: Settings) -> Result<Self, ClientError> {
        Self::with_sources(settings, Sources::default())
    }

    /// The same, with what a login may need later.
    pub fn with_sources(settings: Settings, sources: Sources) -> Result<Self, ClientError> {
        let transport = Transport::new(&settings)?;
        Ok(Self::with_transport(settings, sources, transport))
    }

    pub(super) fn with_transport(
        settings: Settings,
        sources: Sources,
        transport: Transport,
    ) -> Self {
        let (session, password) = match &settings.credentials {
            Credentials::Token(token) => (SharedToken::given(token.clone()), None),
            Credentials::Login { password, .. } => {
                let password = Password::new(password.clone(), sources.password);
                (SharedToken::none(), Some(password))
            }
            // A pass that never ends, like the token of a session that does not.
            Credentials::AuthInfo { username, password } => {
                let pair = Zeroizing::new(format!("{username}:{}", password.expose_secret()));
                (SharedToken::given(pair.as_str().into()), None)
            }
        };
        Self {
            inner: Arc::new(Inner {
                transport,
                settings,
                session,
                password,
                code: sources.code,
            }),
        }
    }

    /// Counts the sessions: 0 before the first login, 1 for a bare token, one more with every login.
    pub fn generation(&self) -> u64 {
        self.inner.session.current().generation
    }

    /// From now on no request takes longer, connection and whole answer included.
    pub fn set_timeout(&self, timeout: Duration) {
        self.inner.transport.set_timeout(timeout);
    }

    /// Calls so far, of every kind and whatever came of them.
    pub fn calls(&self) -> u64 {
        self.inner.transport.calls()
    }

    /// The API is on this machine: the simulator, as a rule.
    pub fn is_local(&self) -> bool {
        self.inner.settings.endpoint.is_loopback()
    }

    /// Whether there are credentials to open a session with.
    pub fn can_login(&self) -> bool {
        matches!(self.inner.settings.credentials, Credentials::Login { .. })
    }

    /// Whether there is somewhere a one-time code can be had.
    pub fn can_confirm(&self) -> bool {
        self.inner.code.is_some()
    }

    /// Opens a session and uses it from now on; gives its generation.
    pub async fn login(&self) -> Result<u64, LoginError> {
        let (Credentials::Login { username, .. }, Some(current)) =
            (&self.inner.settings.credentials, &self.inner.password)
        else {
            return Err(LoginError::NoCredentials);
        };
        let password = current.current();
        let form = form::login(username, password.expose_secret());
        let context = self.reading(form::AUTH, None, "", ANSWER_BYTES_MAX);
        let body = match self.exchange(form, &context).await.1 {
            Ok((_, body)) => body,
            Err(obstacle) => {
                let destination = self.inner.transport.destination();
                return Err(match meaning::login_error(obstacle, destination) {
                    error if error.is_temporary_lock() => error,
                    LoginError::Refused { message, .. } if current.is_another_now().await => {
                        LoginError::PasswordChanged { message }
                    }
                    error => error,
                });
            }
        };
        let login = login::read(&body)?;
        current.accepted();
        let generation = login.token.map(|token| self.inner.session.replace(token));
        match generation {
            Some(generation) if !login.wants_code => Ok(generation),
            Some(_) | None => Err(LoginError::SecondFactor),
        }
    }

    /// Gives the session the one-time code that it waits for, and uses the one that comes of it; gives
    /// its generation.
    pub async fn confirm(&self) -> Result<u64, LoginError> {
        let source = self.inner.code.as_ref().ok_or(LoginError::SecondFactor)?;
        let code = source.fetch().await.map_err(LoginError::NoCode)?;
        self.confirm_with(&code).await
    }

    /// The same, with this code.
    pub async fn confirm_with(&self, code: &SecretString) -> Result<u64, LoginError> {
        let token = self.inner.session.current().token;
        let token = token.ok_or(LoginError::SecondFactor)?;
        let token = token.expose_secret();
        let form = form::confirm(self.pass(token), code.expose_secret());
        let context = CallContext {
            secrets: self.secrets(token, code.expose_secret()),
            ..self.reading(form::SECOND_FACTOR, None, token, ANSWER_BYTES_MAX)
        };
        let (_, document) = self.document(form, &context).await;
        let (_, body) = document.map_err(|obstacle| {
            match meaning::login_error(obstacle, self.inner.transport.destination()) {
                LoginError::Refused { message, .. } => LoginError::WrongCode { message },
                error => error,
            }
        })?;
        let token = login::read(&body)?.token.ok_or(LoginError::NoToken)?;
        Ok(self.inner.session.replace(token))
    }

    /// Asks whether the session lives.
    pub async fn keepalive(&self) -> Keepalive {
        self.ask(form::KEEPALIVE).await
    }

    /// Asks whose the session is. What it says of the owner is not used: a session that waits for a
    /// second factor says so here, even where it passes `keepalive`.
    pub async fn whoami(&self) -> Keepalive {
        self.ask(form::WHOAMI).await
    }

    /// Asks whose the session is, for the account that it names; `None`: it names none.
    pub async fn owner(&self) -> Read<Option<Owner>> {
        let token = self.inner.session.current().token;
        let token = token.as_ref().map_or("", |token| token.expose_secret());
        self.read(
            form::WHOAMI,
            None,
            |token| form::about_session(form::WHOAMI, token),
            |_, body| {
                let field = &self.inner.settings.account_field;
                owner::decode(body, field, &self.secrets(token, "").exposed())
            },
        )
        .await
    }

    async fn ask(&self, func: &'static str) -> Keepalive {
        let Some(token) = self.inner.session.current().token else {
            return Keepalive::Dead {
                message: NO_SESSION.to_owned(),
            };
        };
        let token = token.expose_secret();
        let form = form::about_session(func, self.pass(token));
        let context = self.reading(func, None, token, ANSWER_BYTES_MAX);
        let (_, document) = self.document(form, &context).await;
        meaning::keepalive(document.map(|_| ()), self.inner.transport.destination())
    }

    /// Reads one page of the account's list, counted from 1.
    pub async fn list_page(&self, page: u32) -> Read<Page> {
        self.read(
            form::INSTANCES,
            None,
            |pass| form::page_of(form::INSTANCES, pass, page),
            |_, body| Page::decode(body, page),
        )
        .await
    }

    /// Reads what an instance can be rebuilt with.
    pub async fn preview(&self, service: ServiceId) -> Read<Preview> {
        self.read(
            form::REBUILD,
            Some(service),
            |pass| form::preview(pass, service),
            |document, body| form_of(&document, body),
        )
        .await
    }

    /// Reads a document for itself.
    pub async fn look_up(&self, lookup: &Lookup) -> Read<Found> {
        match lookup {
            Lookup::Form(service) => {
                let reply = self.preview(*service).await?;
                Ok(reply.map(Found::Form))
            }
            Lookup::Tariffs { datacenter } => {
                let form = |pass: Pass<'_>| form::tariffs(pass, datacenter.as_deref());
                let decode = |document, body: &str| {
                    let body = data(&document, body)?;
                    Tariffs::decode(body).map(Found::Tariffs)
                };
                self.read(form::TARIFFS, None, form, decode).await
            }
            Lookup::Order { tariff, datacenter } => {
                let form = |pass: Pass<'_>| form::order(pass, tariff, datacenter.as_deref());
                let decode = |document, body: &str| form_of(&document, body).map(Found::Form);
                self.read(form::ORDER, None, form, decode).await
            }
            Lookup::OwnImages(page) => {
                let form = |pass: Pass<'_>| form::page_of(form::OWN_IMAGES, pass, *page);
                let decode = |document, body: &str| {
                    let body = data(&document, body)?;
                    OwnPage::images(body).map(Found::OwnImages)
                };
                self.read(form::OWN_IMAGES, None, form, decode).await
            }
            Lookup::SshKeys(page) => {
                let form = |pass: Pass<'_>| form::page_of(form::SSH_KEYS, pass, *page);
                let decode = |document, body: &str| {
                    let body = data(&document, body)?;
                    OwnPage::ssh_keys(body).map(Found::SshKeys)
                };
                self.read(form::SSH_KEYS, None, form, decode).await
            }
        }
    }

    /// Reads what the API has noted of a service.
    pub async fn history(&self, query: &HistoryQuery) -> Read<History> {
        let HistoryQuery {
            service,
            shape,
            password,
        } = query;
        let token = self.inner.session.current().token;
        let token = token.as_ref().map_or("", |token| token.expose_secret());
        let password = password.as_ref().map_or("", |it| it.expose_secret());
        self.read(
            shape.func(),
            Some(*service),
            |pass| form::history(shape.func(), pass, *service),
            |document, body| {
                let body = data(&document, body)?;
                History::decode(body, shape, &self.secrets(token, password).exposed())
            },
        )
        .await
    }

    async fn read<T>(
        &self,
        func: &str,
        service: Option<ServiceId>,
        form: impl FnOnce(Pass<'_>) -> Form,
        decode: impl FnOnce(Document, &str) -> Result<T, CallError>,
    ) -> Read<T> {
        let SessionToken { generation, token } = self.inner.session.current();
        let Some(token) = token else {
            return Err(ReadError::Unauthorized {
                generation,
                message: NO_SESSION.to_owned(),
            });
        };
        let token = token.expose_secret();
        let context = self.reading(func, service, token, DOCUMENT_BYTES_MAX);
        let (requested_at, document) = self.document(form(self.pass(token)), &context).await;
        let (document, body) = document.map_err(|obstacle| {
            meaning::read_error(obstacle, generation, self.inner.transport.destination())
        })?;
        let value = decode(document, &body).map_err(|error| ReadError::Failed(error.into()))?;
        Ok(Reply {
            value,
            generation,
            requested_at,
            answered_at: Instant::now(),
            answered_ms: time::now_ms(),
        })
    }

    /// Submits an order, once, as long as `gate` is open. A long request is followed until its verdict.
    pub async fn submit(&self, submission: &Submission, gate: Option<Gate>) -> Submitted {
        let SessionToken { generation, token } = self.inner.session.current();
        let Some(token) = token else {
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
        let form = submission.form(self.pass(token));
        let context = CallContext {
            ours: submission.ours(),
            secrets: self.secrets(token, submission.secret()),
            body_max: ANSWER_BYTES_MAX,
        };
        let exchange = self
            .inner
            .transport
            .exchange(form, &context.ours, context.body_max, gate)
            .await;
        let (answer, pause) = match exchange.outcome {
            Err(error) if exchange.sent.is_none() => (Answer::NotSent(error.into()), None),
            Err(error) => (Answer::Unknown(error.into()), None),
            Ok(received) => self.judge(&received, &context).await,
        };
        debug!(
            elid = submission.service.get(),
            class = answer.class(),
            "submitted"
        );
        Submitted {
            generation,
            sent: exchange.sent,
            answered_ms: time::now_ms(),
            answered_at: Instant::now(),
            answer,
            pause,
        }
    }

    /// What the answer to a submission means, and the pause that an overloaded API asks for beside an
    /// answer that says nothing more.
    async fn judge(
        &self,
        received: &Received,
        context: &CallContext<'_>,
    ) -> (Answer, Option<Duration>) {
        match finding::read(received, &context.ours, &context.secrets.exposed()) {
            Finding::Document(document) => (meaning::submission(Ok(document)), None),
            Finding::Obstacle(obstacle) => {
                let pause = obstacle.pause();
                (meaning::submission(Err(obstacle)), pause)
            }
            Finding::LongRequest(link) => {
                let verdict = self.follow(link, context).await;
                (
                    meaning::long_submission(verdict.map(|(document, _)| document)),
                    None,
                )
            }
        }
    }

    /// Sends the form of a read-only call; when it was begun, and the document that came of it.
    async fn document(
        &self,
        form: Form,
        context: &CallContext<'_>,
    ) -> (Instant, Result<(Document, Zeroizing<String>), Obstacle>) {
        let (requested_at, received) = self.exchange(form, context).await;
        let whole = received.and_then(|(document, body)| Ok((meaning::whole(document)?, body)));
        (requested_at, whole)
    }

    /// Sends the form of a read-only call or a login; when it was begun, and the document that came of
    /// it, long-request pages followed. It may ask for more than the session has.
    async fn exchange(
        &self,
        form: Form,
        context: &CallContext<'_>,
    ) -> (Instant, Result<(Document, Zeroizing<String>), Obstacle>) {
        let exchange = self
            .inner
            .transport
            .exchange(form, &context.ours, context.body_max, None)
            .await;
        let document = match exchange.outcome {
            Ok(received) => self.conclude(received, context).await,
            Err(error) => Err(Obstacle::Failed(error)),
        };
        (exchange.requested_at, document)
    }

    async fn conclude(
        &self,
        received: Received,
        context: &CallContext<'_>,
    ) -> Result<(Document, Zeroizing<String>), Obstacle> {
        match finding::read(&received, &context.ours, &context.secrets.exposed()) {
            Finding::Document(document) => Ok((document, received.body.unwrap_or_default())),
            Finding::Obstacle(obstacle) => Err(obstacle),
            Finding::LongRequest(link) => {
                self.follow(link, context).await.map_err(Obstacle::Failed)
            }
        }
    }

    /// The final document of a long request. Anything else that is found at the link, an error of the
    /// API included, says nothing about the request itself: the link is read without a session, so what
    /// is refused or missing there may be this reading.
    async fn follow(
        &self,
        mut link: String,
        context: &CallContext<'_>,
    ) -> Result<(Document, Zeroizing<String>), CallError> {
        let settings = &self.inner.settings;
        let looks = async {
            loop {
                let received = self.inner.transport.get(&link, context.body_max).await?;
                link = match finding::read(&received, &context.ours, &context.secrets.exposed()) {
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
            .map_err(CallError::LongRequest)
    }

    /// A call that changes nothing.
    fn reading<'a>(
        &self,
        func: &'a str,
        service: Option<ServiceId>,
        token: &str,
        body_max: usize,
    ) -> CallContext<'a> {
        CallContext {
            ours: Ours {
                func,
                service,
                image: None,
                submits: false,
            },
            secrets: self.secrets(token, ""),
            body_max,
        }
    }

    /// How a call says whose it is.
    fn pass<'a>(&self, secret: &'a str) -> Pass<'a> {
        match &self.inner.settings.credentials {
            Credentials::Token(_) | Credentials::Login { .. } => Pass::Session(secret),
            Credentials::AuthInfo { .. } => Pass::AuthInfo(secret),
        }
    }

    /// Those of a call with this `token` that holds this `password` or code; the account's own is that
    /// of the moment, which may be another one than at the start.
    fn secrets(&self, token: &str, password: &str) -> Secrets {
        let current = self.inner.password.as_ref().map(Password::current);
        let credentials = match (current, &self.inner.settings.credentials) {
            (Some(current), _) => SecretString::clone(&current),
            (None, Credentials::Token(token)) => token.clone(),
            (
                None,
                Credentials::Login { password, .. } | Credentials::AuthInfo { password, .. },
            ) => password.clone(),
        };
        Secrets([token.into(), credentials, password.into()])
    }
}

/// What a form offers.
fn form_of(document: &Document, body: &str) -> Result<Preview, CallError> {
    match document {
        Document::Form => Preview::decode(body),
        Document::Ok(_) | Document::Data => {
            Err(CallError::Garbled("the preview is no form".to_owned()))
        }
    }
}

/// An `ok` is no list.
fn data<'a>(document: &Document, body: &'a str) -> Result<&'a str, CallError> {
    match document {
        Document::Form | Document::Data => Ok(body),
        Document::Ok(_) => Err(CallError::Garbled("the answer is no list".to_owned())),
    }
}
