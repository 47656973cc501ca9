//! The account behind the API: sessions, instances, rules.
//!
//! Everything here happens at one moment, under one lock, and returns at once.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::answer::{self, Refusal};
use super::config::{Config, Image, ImageAt};
use super::control::{InstanceChange, Settings};
use super::fault::{Call, Fault, Script, random};
use super::form::Fields;
use super::instance::{Behaviour, Instance, Outcome, Rebuild, View};
use super::journal::{Answered, Clocks, Journal, Line, Misfit, NotWritten};
use super::kind::FaultKind;
use super::list::Frozen;
use super::record::{CallRecord, Record, ServiceRecord};
use crate::job::{ImageId, ServiceId};
use crate::time::now_ms;

const VIOLATIONS_MAX: usize = 1000;
const CALLS_MAX: usize = 200_000;

/// The function that lists the instances.
pub(super) const LIST: &str = "instances";
/// The function that shows the rebuild form and takes it.
pub(super) const REBUILD: &str = "instances.fleio.rebuild";

/// What a login is answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Login {
    /// Whether the credentials are right.
    #[default]
    Check,
    /// `badpassword`, whatever they are.
    BadPassword,
    /// `badip`.
    BadIp,
    /// `blocklogon`: blocked for 20 seconds.
    BlockLogon,
    /// `blockgeoip`.
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
    /// They work again.
    Accept,
}

/// An answer, and the execution that it speaks of.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) wipe: Option<WipeId>,
}

/// The nth execution (from 0) on an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct WipeId {
    instance: usize,
    nth: usize,
}

/// Why a submission is not executed.
#[derive(Debug)]
enum Unexecuted {
    Refused(Refusal),
    NotWritten,
}

impl From<Refusal> for Unexecuted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NotWritten> for Unexecuted {
    fn from(NotWritten: NotWritten) -> Self {
        Self::NotWritten
    }
}

/// An answer that waits behind a long-request page.
#[derive(Debug)]
struct Pending {
    answer: Answer,
    pages: u32,
}

/// What a long-request page's link leads to.
#[derive(Debug)]
pub(super) enum Followed {
    Answer(Answer),
    /// The same page again.
    NotYet,
    Unknown,
}

/// A session that works.
#[derive(Debug)]
struct Session {
    used: Instant,
    calls: u64,
}

impl Session {
    fn new(now: Instant) -> Self {
        Self {
            used: now,
            calls: 0,
        }
    }
}

#[derive(Debug)]
pub(super) struct Account {
    pub(super) config: Config,
    pub(super) started: Instant,
    /// Since when everything is as odd as it is.
    pub(super) odd_since: Instant,
    pub(super) instances: Vec<Instance>,
    by_service: HashMap<i64, usize>,
    /// Indices of `instances` in ascending order of the service, for `p_col`.
    pub(super) sorted: Vec<usize>,
    pub(super) unlisted: usize,
    images: HashMap<ImageId, usize>,
    sessions: HashMap<String, Session>,
    tokens: fastrand::Rng,
    refuse_sessions: bool,
    login: Login,
    scripts: Vec<Script>,
    pending: HashMap<String, Pending>,
    pub(super) list_offset: usize,
    pub(super) frozen: Frozen,
    calls: Vec<CallRecord>,
    calls_count: BTreeMap<Call, u64>,
    faults_count: BTreeMap<FaultKind, u64>,
    violations: Vec<String>,
    in_flight: u64,
    in_flight_max: u64,
    rebuilds: BinaryHeap<Reverse<Instant>>,
    endless_rebuilds: u64,
    rebuilds_max: u64,
    journal: Option<Journal>,
}

impl Account {
    /// The account as `config` describes it, and as its journal goes on from there.
    ///
    /// # Errors
    ///
    /// The journal cannot be opened, or holds what cannot have happened.
    pub(super) fn new(config: Config) -> io::Result<Self> {
        let clocks = Clocks {
            now: Instant::now(),
            now_ms: now_ms(),
        };
        let path = config.journal.clone();
        let mut account = Self::fresh(config, clocks.now);
        account.furnish();
        if let Some(path) = path {
            let journal = Journal::open(&path, |line| account.replay(line, clocks))?;
            account.journal = Some(journal);
        }
        Ok(account)
    }

    fn fresh(config: Config, now: Instant) -> Self {
        let mut names: HashMap<String, std::sync::Arc<str>> = HashMap::new();
        let mut shared = |text: &str| {
            let name = names.entry(text.to_owned());
            std::sync::Arc::clone(name.or_insert_with(|| text.into()))
        };
        let instances: Vec<_> = config
            .instances
            .iter()
            .map(|instance| {
                let status = config.odd.baseline.as_ref().unwrap_or(&instance.status);
                let view = View {
                    status: shared(status),
                    image: shared(&instance.image),
                };
                let (name, ip) = (instance.name.clone(), instance.ip.clone());
                Instance::new(instance.service.get(), name, ip, view, now)
            })
            .collect();
        let by_service: HashMap<i64, usize> = instances
            .iter()
            .enumerate()
            .map(|(index, instance)| (instance.id, index))
            .collect();
        let mut sorted: Vec<usize> = (0..instances.len()).collect();
        sorted.sort_unstable_by_key(|index| instances[*index].id);
        Self {
            images: config
                .images
                .iter()
                .enumerate()
                .map(|(index, image)| (image.id, index))
                .collect(),
            sessions: config
                .session
                .iter()
                .map(|token| (token.clone(), Session::new(now)))
                .collect(),
            tokens: random(&[config.faults.seed]),
            started: now,
            odd_since: now,
            instances,
            by_service,
            sorted,
            unlisted: 0,
            refuse_sessions: false,
            login: Login::Check,
            scripts: Vec::new(),
            pending: HashMap::new(),
            list_offset: 0,
            frozen: Frozen::default(),
            calls: Vec::new(),
            calls_count: BTreeMap::new(),
            faults_count: BTreeMap::new(),
            violations: Vec::new(),
            in_flight: 0,
            in_flight_max: 0,
            rebuilds: BinaryHeap::new(),
            endless_rebuilds: 0,
            rebuilds_max: 0,
            journal: None,
            config,
        }
    }

    /// What is odd about single services and images.
    fn furnish(&mut self) {
        let [unlisted, unreadable] = [true, false].map(|is_hidden| InstanceChange {
            listed: is_hidden.then_some(false),
            readable: (!is_hidden).then_some(false),
            ..InstanceChange::default()
        });
        let odd = &self.config.odd;
        let [hidden, damaged] = [odd.unlisted.clone(), odd.unreadable.clone()];
        for (services, change) in [(hidden, unlisted), (damaged, unreadable)] {
            for service in services {
                self.change(service, &change, self.started);
            }
        }
        if let Some(zone) = &self.config.odd.zone {
            for image in &mut self.config.images {
                image.zone.clone_from(zone);
            }
        }
    }

    /// Something that happened before this process was there.
    fn replay(&mut self, line: Line<'_>, clocks: Clocks) -> Result<(), Misfit> {
        match line {
            Line::Accepted(accepted) => {
                let (at, accept_lag, duration) = accepted.times(clocks)?;
                let Some(&index) = self.by_service.get(&accepted.service) else {
                    return Ok(());
                };
                let instance = &mut self.instances[index];
                instance.submissions = instance.submissions.max(accepted.submissions);
                let before = View {
                    status: accepted.status_before.into(),
                    image: accepted.image_before.into(),
                };
                // It would have been refused during another rebuild: somebody had ended that one.
                if instance.supersede(&before, at) {
                    self.endless_rebuilds -= 1;
                }
                let rebuild = Rebuild {
                    image_id: accepted.image_id.into_owned(),
                    image: accepted.image.into(),
                    shown: accepted.shown.into(),
                    image_at: accepted.image_at,
                    accept_lag,
                    duration,
                    outcome: accepted.outcome,
                };
                self.accept(index, rebuild, accepted.at_ms, at);
            }
            Line::Answered(Answered { service, nth }) => {
                let index = self.by_service.get(&service);
                if index.is_some_and(|index| !self.instances[*index].answered(nth)) {
                    return Err(Misfit::NoSuchExecution { service, nth });
                }
            }
        }
        Ok(())
    }

    /// Nothing is executed any more, and the journal is free for the next simulator.
    pub(super) fn close_journal(&mut self) {
        if let Some(journal) = &mut self.journal {
            journal.close();
        }
    }

    pub(super) fn latency(&self) -> Duration {
        self.config.latency
    }

    // ---- a call --------------------------------------------------------------------------------

    /// A call has arrived: counts it, and says what it meets.
    pub(super) fn arrived(&mut self, call: Call, fields: &Fields, now: Instant) -> Option<Fault> {
        let elid = fields
            .get("elid")
            .and_then(|id| id.parse::<ServiceId>().ok());
        if self.calls.len() < CALLS_MAX {
            self.calls.push(CallRecord {
                at_us: u64::try_from((now - self.started).as_micros()).unwrap_or(u64::MAX),
                call,
                elid: elid.map(ServiceId::get),
            });
        }
        let count = self.calls_count.entry(call).or_default();
        *count += 1;
        let mut nth = *count;
        let mut subject = 0;
        self.watch(call, fields);
        let instance = elid.and_then(|elid| self.by_service.get(&elid.get()));
        if let Some(instance) = instance.map(|index| &mut self.instances[*index]) {
            match call {
                Call::Submission => {
                    instance.submissions += 1;
                    (subject, nth) = (instance.id.unsigned_abs(), instance.submissions);
                }
                Call::Preview => {
                    instance.previews += 1;
                    (subject, nth) = (instance.id.unsigned_abs(), instance.previews);
                }
                Call::Auth
                | Call::Keepalive
                | Call::Instances
                | Call::LongRequest
                | Call::Other => {}
            }
        }
        // The first script that takes the call hides it from those queued after it.
        let scripted = self
            .scripts
            .iter_mut()
            .find_map(|script| script.matches(call, elid).then(|| script.fault.clone()));
        if scripted.is_some() {
            self.scripts.retain(|script| script.times > 0);
        }
        let mut fault = scripted
            .or_else(|| self.config.faults.draw(call, subject, nth))
            .or_else(|| self.always(call, subject, nth, now));
        if let Some(fault) = &mut fault {
            if is_paused(fault.kind) && fault.retry_after.is_none() {
                fault.retry_after.clone_from(&self.config.odd.retry_after);
            }
            *self.faults_count.entry(fault.kind).or_default() += 1;
            if fault.kind == FaultKind::SessionExpiry
                && let Some(token) = fields.get("auth")
            {
                self.sessions.remove(token);
            }
        }
        fault
    }

    /// What every call meets that meets nothing else.
    fn always(&self, call: Call, subject: u64, nth: u64, now: Instant) -> Option<Fault> {
        let age = now.saturating_duration_since(self.odd_since);
        let always = &self.config.odd.always;
        let met = always.iter().find(|always| always.meets(call, age))?;
        let words = [self.config.faults.seed, call as u64, subject, nth];
        Some(met.fault.clone().decided(&mut random(&words)))
    }

    /// Notes what no client may do.
    fn watch(&mut self, call: Call, fields: &Fields) {
        if call == Call::LongRequest {
            return;
        }
        let func = fields.get("func").unwrap_or_default();
        if call == Call::Instances
            && let Some((name, _)) = fields.iter().find(|(name, _)| {
                !matches!(
                    *name,
                    "func" | "auth" | "authinfo" | "out" | "lang" | "p_num" | "p_col"
                )
            })
        {
            self.violation(format!(
                "func=instances with `{name}`: the panel would keep it"
            ));
        }
        if call == Call::Other && func != "whoami" {
            self.violation(format!("func={func}"));
        }
        if let Some(name) = fields.repeated() {
            self.violation(format!("func={func}: `{name}` more than once"));
        }
        if fields.get("out") != Some("json") {
            self.violation(format!("func={func} without out=json"));
        }
    }

    pub(super) fn violation(&mut self, what: String) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations.push(what);
        }
    }

    pub(super) fn submission_begins(&mut self) {
        self.in_flight += 1;
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
    }

    pub(super) fn submission_ends(&mut self) {
        self.in_flight -= 1;
    }

    /// Executes the call. `fault`: the one that it meets, where that changes what is executed.
    /// `None`: the journal failed, so nothing was executed and nobody may get an answer.
    pub(super) fn execute(
        &mut self,
        call: Call,
        fields: &Fields,
        fault: Option<FaultKind>,
        now: Instant,
    ) -> Option<Answer> {
        let result = match call {
            Call::Auth => self.log_in(fields, now),
            Call::Keepalive => self.authorise(fields, now).map(|()| answer::ok(fields)),
            Call::Instances => self.list(fields, now),
            Call::Preview => self.preview(fields, now),
            Call::Submission => match self.submit(fields, fault, now) {
                Ok(wipe) => {
                    let body = answer::ok(fields);
                    return Some(Answer { body, wipe });
                }
                Err(Unexecuted::Refused(refusal)) => Err(refusal),
                Err(Unexecuted::NotWritten) => return None,
            },
            Call::LongRequest | Call::Other => self.authorise(fields, now).and_then(|()| {
                match fields.get("func").unwrap_or_default() {
                    "whoami" => Ok(answer::ok(fields)),
                    func => Err(Refusal::no_function(func)),
                }
            }),
        };
        Some(Answer {
            body: result.unwrap_or_else(|refusal| refusal.document(fields)),
            wipe: None,
        })
    }

    /// The ok of this execution is handed intact to the connection, unless that cannot be kept.
    pub(super) fn answered(&mut self, WipeId { instance, nth }: WipeId) -> Result<(), NotWritten> {
        let instance = &mut self.instances[instance];
        if let Some(journal) = &mut self.journal {
            let service = instance.id;
            journal.write(&Line::Answered(Answered { service, nth }))?;
        }
        instance.answered(nth);
        Ok(())
    }

    fn log_in(&mut self, fields: &Fields, now: Instant) -> Result<Vec<u8>, Refusal> {
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
        if !self.knows_credentials(fields) {
            return Err(bad_password());
        }
        let token: String = (0..24)
            .map(|_| char::from_digit(self.tokens.u32(..16), 16).unwrap_or('0'))
            .collect();
        // Sessions that nobody uses any more would pile up in a long rehearsal.
        let ttl = self.config.session_ttl;
        self.sessions.retain(|_, session| now - session.used < ttl);
        self.sessions.insert(token.clone(), Session::new(now));
        Ok(answer::session(fields, &token))
    }

    fn knows_credentials(&self, fields: &Fields) -> bool {
        let (username, password) = match fields.get("authinfo") {
            Some(pair) => pair.split_once(':').unwrap_or_default(),
            None => (
                fields.get("username").unwrap_or_default(),
                fields.get("password").unwrap_or_default(),
            ),
        };
        username == self.config.username && password == self.config.password
    }

    pub(super) fn authorise(&mut self, fields: &Fields, now: Instant) -> Result<(), Refusal> {
        let refused = || Refusal::access(fields.get("func").unwrap_or_default());
        if self.refuse_sessions {
            return Err(refused());
        }
        let Some(token) = fields.get("auth") else {
            let known = fields.get("authinfo").is_some() && self.knows_credentials(fields);
            return known.then_some(()).ok_or_else(refused);
        };
        let session = self.sessions.get_mut(token).ok_or_else(refused)?;
        let calls_max = self.config.odd.session_calls;
        if now - session.used >= self.config.session_ttl
            || calls_max.is_some_and(|max| session.calls >= max)
        {
            self.sessions.remove(token);
            return Err(refused());
        }
        session.used = now;
        session.calls += 1;
        Ok(())
    }

    fn preview(&mut self, fields: &Fields, now: Instant) -> Result<Vec<u8>, Refusal> {
        self.authorise(fields, now)?;
        let index = self.instance(fields)?;
        let (odd, id) = (&self.config.odd, self.instances[index].id);
        if odd.preview_fails.iter().any(|service| service.get() == id) {
            return Err(Refusal::failed_form());
        }
        Ok(self.form(fields))
    }

    /// The rebuild form, for whatever `elid` names.
    pub(super) fn form(&self, fields: &Fields) -> Vec<u8> {
        let elid = fields.get("elid").unwrap_or_default();
        let lacks = &self.config.odd.preview_lacks;
        let images: &[Image] = if lacks.iter().any(|service| service.to_string() == elid) {
            &[]
        } else {
            &self.config.images
        };
        answer::preview(fields, elid, images, &self.config.ssh_keys)
    }

    /// The index of the instance that `elid` names.
    fn instance(&self, fields: &Fields) -> Result<usize, Refusal> {
        let text = fields.get("elid").unwrap_or_default();
        let elid: ServiceId = text.parse().map_err(|_| Refusal::missed("elid", text))?;
        if let Some(index) = self.by_service.get(&elid.get()) {
            Ok(*index)
        } else if self.config.foreign.contains(&elid) {
            Err(Refusal::access(REBUILD))
        } else {
            Err(Refusal::missed("elid", text))
        }
    }

    fn submit(
        &mut self,
        fields: &Fields,
        fault: Option<FaultKind>,
        now: Instant,
    ) -> Result<Option<WipeId>, Unexecuted> {
        self.authorise(fields, now)?;
        let index = self.instance(fields)?;
        let image = self.validate(fields)?;
        let busy = self.instances[index].is_rebuilding(now);
        match &*self.instances[index].view(now).status {
            _ if busy => return Err(Refusal::running_operation().into()),
            "active" | "stopped" | "error" => {}
            settled @ ("resized" | "rescued" | "booted_from_iso" | "suspended" | "suspend") => {
                let why = "the instance cannot be rebuilt in this state";
                return Err(Refusal::value("instance_status", settled, why).into());
            }
            _ => return Err(Refusal::running_operation().into()),
        }
        let mut rebuild = self.rebuild(index, image);
        if fault == Some(FaultKind::InstanceError) {
            rebuild.outcome = Outcome::Error;
        }
        let at_ms = now_ms();
        if let Some(journal) = &mut self.journal {
            let line = self.instances[index].accepted_line(&rebuild, at_ms, now);
            journal.write(&Line::Accepted(line))?;
        }
        Ok(self.accept(index, rebuild, at_ms, now))
    }

    /// The API says ok. `None`: and does nothing.
    fn accept(
        &mut self,
        index: usize,
        rebuild: Rebuild,
        at_ms: i64,
        now: Instant,
    ) -> Option<WipeId> {
        let nth = self.instances[index].wiped();
        let ends = self.instances[index].accept(rebuild, at_ms, now);
        if self.instances[index].wiped() == nth {
            return None;
        }
        while self.rebuilds.peek().is_some_and(|Reverse(end)| *end <= now) {
            self.rebuilds.pop();
        }
        match ends {
            Some(ends) => self.rebuilds.push(Reverse(ends)),
            None => self.endless_rebuilds += 1,
        }
        let running = self.rebuilds.len() as u64 + self.endless_rebuilds;
        self.rebuilds_max = self.rebuilds_max.max(running);
        Some(WipeId {
            instance: index,
            nth,
        })
    }

    /// How the next rebuild of this instance goes.
    fn rebuild(&mut self, index: usize, image: usize) -> Rebuild {
        let config = &self.config;
        let image = &config.images[image];
        let name: std::sync::Arc<str> = image.name.as_str().into();
        let instance = &mut self.instances[index];
        let Behaviour {
            accept_lag_ms,
            duration_ms,
            outcome,
            image_after,
            image_at,
        } = instance.next.take().unwrap_or_default();
        let seed = [
            config.faults.seed,
            instance.id.unsigned_abs(),
            instance.submissions,
        ];
        let jitter =
            1.0 + config.rebuild_jitter.clamp(0.0, 1.0) * (2.0 * random(&seed).f64() - 1.0);
        let odd = &config.odd;
        let mut rebuild = Rebuild {
            image_id: image.id.to_string(),
            shown: image_after.map_or_else(|| name.clone(), Into::into),
            image: name,
            image_at: image_at.unwrap_or(config.image_at),
            accept_lag: accept_lag_ms.map_or(config.accept_lag, Duration::from_millis),
            duration: duration_ms.map_or_else(
                || config.rebuild_duration.mul_f64(jitter),
                Duration::from_millis,
            ),
            outcome: outcome.unwrap_or_default(),
        };
        let mut share = random(&[seed[0], seed[1], seed[2], 1]);
        let mut hits = |rate: f64| share.f64() < rate;
        if hits(odd.fails_at_once) {
            rebuild.outcome = Outcome::Error;
            rebuild.image_at = ImageAt::End;
            (rebuild.accept_lag, rebuild.duration) = (Duration::ZERO, Duration::ZERO);
        } else if hits(odd.rolls_back) {
            rebuild.outcome = Outcome::RolledBack;
            rebuild.image_at = ImageAt::End;
        } else if hits(odd.ignored) {
            rebuild.outcome = Outcome::Ignored;
        } else if hits(odd.third_name) {
            rebuild.shown = format!("{}-custom", rebuild.image).into();
        }
        rebuild
    }

    /// The index of the image, if all fields are as the vendor documents them.
    fn validate(&self, fields: &Fields) -> Result<usize, Refusal> {
        let field = |name| fields.filled(name).unwrap_or_default();
        let id = field("select_rebuild");
        let image = id.parse().ok().and_then(|id: ImageId| self.images.get(&id));
        let Some(&image) = image else {
            return Err(Refusal::value("select_rebuild", id, "no such image"));
        };
        let (zone, name) = (
            &self.config.images[image].zone,
            &self.config.images[image].name,
        );
        let any_zone = field("zone") == "image" && !self.config.odd.strict_zone;
        if !any_zone && field("zone") != zone {
            return Err(Refusal::value(
                "zone",
                field("zone"),
                "the image is not there",
            ));
        }
        let (password, key) = (field("password"), field("ssh_keys"));
        match field("enablessh") {
            "on" => {
                if name.contains("Windows") {
                    let why = "Windows takes no SSH keys";
                    return Err(Refusal::value("enablessh", "on", why));
                }
                if !password.is_empty() {
                    let why = "must be omitted with enablessh=on";
                    return Err(Refusal::value("password", password, why));
                }
                if !self.config.ssh_keys.iter().any(|known| known.id == key) {
                    return Err(Refusal::value("ssh_keys", key, "no such key"));
                }
            }
            "off" => {
                if !key.is_empty() {
                    let why = "must be omitted with enablessh=off";
                    return Err(Refusal::value("ssh_keys", key, why));
                }
                let strong = password.chars().count() >= 8
                    && password.chars().any(|c| c.is_ascii_uppercase())
                    && password.chars().any(|c| c.is_ascii_digit());
                if !password.is_empty() && !strong {
                    let why = "at least 8 characters, an upper-case letter and a digit";
                    return Err(Refusal::value("password", password, why));
                }
            }
            other => return Err(Refusal::value("enablessh", other, "on or off")),
        }
        Ok(image)
    }

    // ---- long requests -------------------------------------------------------------------------

    /// Keeps `answer` behind a page that must be followed `pages` times; returns its number.
    pub(super) fn defer(&mut self, answer: Answer, pages: u32) -> String {
        let number = format!("{:016x}", self.tokens.u64(..));
        self.pending
            .insert(number.clone(), Pending { answer, pages });
        number
    }

    /// One GET of the page's link.
    pub(super) fn follow(&mut self, number: &str) -> Followed {
        match self.pending.get_mut(number) {
            None => Followed::Unknown,
            Some(pending) if pending.pages > 1 => {
                pending.pages -= 1;
                Followed::NotYet
            }
            Some(_) => match self.pending.remove(number) {
                Some(pending) => Followed::Answer(pending.answer),
                None => Followed::Unknown,
            },
        }
    }

    // ---- control and record --------------------------------------------------------------------

    pub(super) fn script(&mut self, script: Script) {
        self.scripts.push(script);
    }

    pub(super) fn clear_scripts(&mut self) {
        self.scripts.clear();
    }

    /// `false`: there is no such instance.
    pub(super) fn change(
        &mut self,
        service: ServiceId,
        change: &InstanceChange,
        now: Instant,
    ) -> bool {
        let Some(index) = self.by_service.get(&service.get()) else {
            return false;
        };
        let instance = &mut self.instances[*index];
        if let Some(listed) = change.listed
            && listed != instance.listed
        {
            instance.listed = listed;
            if listed {
                self.unlisted -= 1;
            } else {
                self.unlisted += 1;
            }
        }
        if let Some(frozen) = change.frozen {
            instance.frozen_at = frozen.then_some(now);
        }
        if let Some(readable) = change.readable {
            instance.readable = readable;
        }
        let steps = change.all_steps();
        if !steps.is_empty() && instance.change(&steps, now) {
            self.endless_rebuilds -= 1;
        }
        if let Some(next) = &change.next {
            instance.next = Some(next.clone());
        }
        true
    }

    pub(super) fn set(&mut self, settings: Settings, now: Instant) {
        if let Some(odd) = settings.odd {
            self.config.odd = odd;
            self.odd_since = now;
            self.frozen = Frozen::default();
            self.furnish();
        }
        let config = &mut self.config;
        let millis = Duration::from_millis;
        if let Some(lag) = settings.list_lag_ms {
            config.list_lag = millis(lag);
        }
        if let Some(lag) = settings.accept_lag_ms {
            config.accept_lag = millis(lag);
        }
        if let Some(duration) = settings.rebuild_duration_ms {
            config.rebuild_duration = millis(duration);
        }
        if let Some(latency) = settings.latency_ms {
            config.latency = millis(latency);
        }
        if let Some(ttl) = settings.session_ttl_ms {
            config.session_ttl = millis(ttl);
        }
        if let Some(size) = settings.page_size {
            config.page_size = size;
        }
        if let Some(rate) = settings.fault_rate {
            config.faults.rate = rate;
        }
        if let Some(kinds) = settings.fault_kinds {
            config.faults.kinds = kinds;
        }
        if let Some(shift) = settings.list_shift {
            config.odd.shift = shift;
        }
        if let Some(login) = settings.login {
            self.login = login;
        }
        match settings.sessions {
            Some(Sessions::Expire) => self.sessions.clear(),
            Some(Sessions::Refuse) => self.refuse_sessions = true,
            Some(Sessions::Accept) => self.refuse_sessions = false,
            None => {}
        }
    }

    pub(super) fn record(&self, now: Instant) -> Record {
        Record {
            services: self
                .instances
                .iter()
                .map(|instance| (instance.id, instance.record(now)))
                .collect(),
            calls: self.calls_count.clone(),
            faults: self.faults_count.clone(),
            violations: self.violations.clone(),
            submissions_in_flight_max: self.in_flight_max,
            rebuilds_max: self.rebuilds_max,
        }
    }

    pub(super) fn service(&self, service: ServiceId, now: Instant) -> Option<ServiceRecord> {
        let index = self.by_service.get(&service.get())?;
        Some(self.instances[*index].record(now))
    }

    pub(super) fn calls(&self) -> Vec<CallRecord> {
        self.calls.clone()
    }
}

/// Does the real thing say when to come back, with this one?
fn is_paused(kind: FaultKind) -> bool {
    matches!(
        kind,
        FaultKind::TooManyRequests | FaultKind::Unavailable | FaultKind::Maintenance
    )
}

fn bad_password() -> Refusal {
    Refusal::login("badpassword", "Invalid username or password")
}
