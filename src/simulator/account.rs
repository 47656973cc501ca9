//! The account behind the API: instances, sessions, rules.
//!
//! Everything here happens at one moment, under one lock, and returns at once. Each part of the
//! account owns what it is about: the instances (`fleet`), the sessions, the list, what arrived
//! (`traffic`). This file takes the calls and hands each part what concerns it.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use super::action::{self, Form, Planned};
use super::asked::Asked;
use super::behaviour::{Outcome, Step};
use super::call::Call;
use super::change::{AccountChange, InstanceChange};
use super::config::Config;
use super::deferred::Deferred;
use super::document;
use super::fault::{Fault, Script};
use super::fleet::{Fleet, Position};
use super::form::Fields;
use super::history;
use super::installation::Installation;
use super::journal::{Answered, Clocks, Journal, JournalEntry, Misfit, NotWritten};
use super::kind::FaultKind;
use super::list::{ListSource, ListState};
use super::machine::{self, Met};
use super::random::random;
use super::record::{CallRecord, CommandRecord, Record, ServiceRecord};
use super::refusal::Refusal;
use super::running::RunningExecutions;
use super::sessions::{OpenSessions, SECOND_FACTOR};
use super::submission::Course;
use super::timeline::View;
use super::traffic::Traffic;
use crate::job::{Action, InstanceStatus, ServiceId};
use crate::time::now_ms;

/// An answer that is ready, and the execution that it speaks of.
#[derive(Debug)]
pub(super) struct PreparedAnswer {
    pub(super) body: Vec<u8>,
    pub(super) execution: Option<ExecutionId>,
}

impl PreparedAnswer {
    /// One that speaks of no execution.
    pub(super) fn plain(body: Vec<u8>) -> Self {
        Self {
            body,
            execution: None,
        }
    }
}

/// The nth execution (from 0) on an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExecutionId {
    instance: Position,
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

#[derive(Debug)]
pub(super) struct Account {
    config: Config,
    started: Instant,
    fleet: Fleet,
    sessions: OpenSessions,
    list: ListState,
    traffic: Traffic,
    /// Servers that were ordered: what no client of ours may do.
    orders: u64,
    scripts: Vec<Script>,
    deferred: Deferred<PreparedAnswer>,
    running: RunningExecutions,
    /// `None`: nothing outlives the process.
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
        let now = clocks.now;
        let mut account = Self {
            started: now,
            fleet: Fleet::new(&config, now),
            sessions: OpenSessions::new(&config, now),
            list: ListState::new(now),
            traffic: Traffic::default(),
            orders: 0,
            scripts: Vec::new(),
            deferred: Deferred::new(config.faults.seed),
            running: RunningExecutions::default(),
            journal: None,
            config,
        };
        account.apply_oddities();
        if let Some(path) = path {
            let journal = Journal::open(&path, |entry| account.replay(entry, clocks))?;
            account.journal = Some(journal);
        }
        Ok(account)
    }

    /// Applies what is odd about single services and images.
    fn apply_oddities(&mut self) {
        let odd = &self.config.odd;
        for service in &odd.unlisted {
            if let Some(position) = self.fleet.position(service.get()) {
                self.fleet.set_listed(position, false);
            }
        }
        for service in &odd.unreadable {
            if let Some(position) = self.fleet.position(service.get()) {
                self.fleet.at_mut(position).readable = false;
            }
        }
        if let Some(zone) = &odd.zone {
            for image in &mut self.config.images {
                image.zone.clone_from(zone);
            }
        }
    }

    /// Repeats what the journal says of an earlier process.
    fn replay(&mut self, entry: JournalEntry<'_>, clocks: Clocks) -> Result<(), Misfit> {
        match entry {
            JournalEntry::Accepted(accepted) => {
                let (at, course) = accepted.course(clocks)?;
                let Some(position) = self.fleet.position(accepted.service) else {
                    return Ok(());
                };
                let instance = self.fleet.at_mut(position);
                instance.submissions = instance.submissions.max(accepted.submissions);
                let before = View {
                    status: accepted.status_before.into(),
                    image: accepted.image_before.into(),
                };
                // While something is under way the API accepts nothing else, so whatever the lines
                // before this one began had ended, or been ended by somebody.
                if instance.supersede(before, at) {
                    self.running.end_endless();
                }
                let planned = accepted.planned.into_owned();
                self.accept(position, planned, course, accepted.at_ms, at);
            }
            JournalEntry::Answered(Answered { service, nth }) => {
                let position = self.fleet.position(service);
                if position.is_some_and(|position| !self.fleet.at_mut(position).answered(nth)) {
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

    /// A call has arrived: counts it, and says what it meets.
    pub(super) fn arrived(&mut self, call: Call, fields: &Fields, now: Instant) -> Option<Fault> {
        let elid = fields
            .get("elid")
            .and_then(|id| id.parse::<ServiceId>().ok());
        let count = self.traffic.arrived(call, elid, now - self.started);
        self.traffic.inspect(call, fields);
        let (subject, nth) = self.count_of_instance(call, elid).unwrap_or((0, count));
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
            .or_else(|| self.always(call, subject, nth, now))?;
        if fault.kind.has_retry_after() && fault.retry_after.is_none() {
            fault.retry_after.clone_from(&self.config.odd.retry_after);
        }
        self.traffic.met(fault.kind);
        if fault.kind == FaultKind::SessionExpiry
            && let Some(token) = fields.get("auth")
        {
            self.sessions.forget(token);
        }
        Some(fault)
    }

    /// Counts a call about one instance; returns its service, and how many calls of this kind it
    /// has had.
    fn count_of_instance(&mut self, call: Call, elid: Option<ServiceId>) -> Option<(u64, u64)> {
        let position = self.fleet.position(elid?.get())?;
        let instance = self.fleet.at_mut(position);
        let count = match call {
            Call::Submission => &mut instance.submissions,
            Call::Preview => &mut instance.previews,
            Call::Auth
            | Call::Keepalive
            | Call::Instances
            | Call::LongRequest
            | Call::History
            | Call::Other => return None,
        };
        *count += 1;
        Some((instance.id.unsigned_abs(), *count))
    }

    /// The standing fault that a call meets if no script and no plan has one for it.
    fn always(&self, call: Call, subject: u64, nth: u64, now: Instant) -> Option<Fault> {
        let age = now.saturating_duration_since(self.list.odd_since());
        let always = &self.config.odd.always;
        let met = always.iter().find(|always| always.meets(call, age))?;
        let words = [self.config.faults.seed, call as u64, subject, nth];
        Some(met.fault.clone().decided(&mut random(&words)))
    }

    pub(super) fn traffic(&mut self) -> &mut Traffic {
        &mut self.traffic
    }

    pub(super) fn deferred(&mut self) -> &mut Deferred<PreparedAnswer> {
        &mut self.deferred
    }

    /// Executes the call. `fault`: the one that it meets, where that changes what is executed.
    /// `None`: the journal failed, so nothing was executed and nobody may get an answer.
    pub(super) fn execute(
        &mut self,
        fields: &Fields,
        fault: Option<FaultKind>,
        now: Instant,
    ) -> Option<PreparedAnswer> {
        let asked = Asked::of(fields);
        if !matches!(asked, Asked::Login | Asked::Confirmation) && self.sessions.wants_code(fields)
        {
            let body = document::ok_to(fields, SECOND_FACTOR);
            return Some(PreparedAnswer::plain(body));
        }
        let result = match asked {
            Asked::Login => self
                .sessions
                .log_in(&self.config, fields, now)
                .map(|token| document::session(fields, &token)),
            Asked::Confirmation => self
                .sessions
                .confirm(&self.config, fields, now)
                .map(|token| document::session(fields, &token)),
            Asked::Keepalive => {
                let authorised = self.authorise(fields, now);
                authorised.map(|()| document::ok(fields))
            }
            Asked::WhoAmI => self.authorise(fields, now).map(|()| {
                let Config {
                    account, username, ..
                } = &self.config;
                match account {
                    Some(id) => document::user(fields, id, username),
                    None => document::ok(fields),
                }
            }),
            Asked::List => self.list(fields, now),
            Asked::Form(form) => self.preview(form, fields, now),
            Asked::Execution(action) => match self.submit(action, fields, fault, now) {
                Ok(execution) => {
                    let body = document::ok(fields);
                    return Some(PreparedAnswer { body, execution });
                }
                Err(Unexecuted::Refused(refusal)) => Err(refusal),
                Err(Unexecuted::NotWritten) => return None,
            },
            Asked::Catalogue(asked) => {
                let authorised = self.authorise(fields, now);
                authorised.and_then(|()| asked.document(&self.config, fields))
            }
            Asked::History => self.history(fields, now),
            Asked::Order => {
                self.orders += 1;
                let authorised = self.authorise(fields, now);
                authorised.map(|()| document::ok(fields))
            }
            Asked::Unknown => self.authorise(fields, now).and_then(|()| {
                let func = fields.get("func").unwrap_or_default();
                Err(Refusal::no_function(func))
            }),
        };
        let body = result.unwrap_or_else(|refusal| refusal.document(fields));
        Some(PreparedAnswer::plain(body))
    }

    /// The ok of this execution is about to be handed intact to the connection. `Err`: the journal
    /// failed, so it must not be.
    pub(super) fn answered(
        &mut self,
        ExecutionId { instance, nth }: ExecutionId,
    ) -> Result<(), NotWritten> {
        let instance = self.fleet.at_mut(instance);
        if let Some(journal) = &mut self.journal {
            let service = instance.id;
            journal.write(&JournalEntry::Answered(Answered { service, nth }))?;
        }
        instance.answered(nth);
        Ok(())
    }

    fn authorise(&mut self, fields: &Fields, now: Instant) -> Result<(), Refusal> {
        self.sessions.authorise(&self.config, fields, now)
    }

    fn list(&mut self, fields: &Fields, now: Instant) -> Result<Vec<u8>, Refusal> {
        self.authorise(fields, now)?;
        let page_size = fields.get("p_cnt").and_then(|text| text.parse().ok());
        if let Some(size) = page_size {
            // Kept for the panel and for everybody else: that is why no client may send it.
            self.config.page_size = usize::clamp(size, 5, 10_000);
        }
        let listed = ListSource {
            config: &self.config,
            fleet: &self.fleet,
            started: self.started,
        };
        Ok(self.list.page(listed, fields, now))
    }

    fn history(&mut self, fields: &Fields, now: Instant) -> Result<Vec<u8>, Refusal> {
        self.authorise(fields, now)?;
        if !self.config.odd.history {
            return Err(Refusal::no_function(history::FUNC));
        }
        let position = self.position(fields)?;
        let truth = self.fleet.at(position).record(now);
        let age_ms = i64::try_from((now - self.started).as_millis()).unwrap_or(i64::MAX);
        let started_ms = now_ms().saturating_sub(age_ms);
        Ok(history::page(&self.config, fields, &truth, started_ms))
    }

    fn preview(&mut self, form: Form, fields: &Fields, now: Instant) -> Result<Vec<u8>, Refusal> {
        self.authorise(fields, now)?;
        let position = self.position(fields)?;
        let (odd, id) = (&self.config.odd, self.fleet.at(position).id);
        if odd.preview_fails.iter().any(|service| service.get() == id) {
            return Err(Refusal::failed_form());
        }
        Ok(self.form(form, fields))
    }

    /// The form for `elid`, whatever that is.
    pub(super) fn form(&self, form: Form, fields: &Fields) -> Vec<u8> {
        let elid = fields.get("elid").and_then(|text| text.parse().ok());
        let position = elid.and_then(|elid| self.fleet.position(elid));
        let datacenter = position.map_or("", |position| &self.fleet.at(position).datacenter);
        form(&self.config, datacenter, fields)
    }

    /// The instance that `elid` names.
    fn position(&self, fields: &Fields) -> Result<Position, Refusal> {
        let text = fields.get("elid").unwrap_or_default();
        let elid: ServiceId = text.parse().map_err(|_| Refusal::missed("elid", text))?;
        if let Some(position) = self.fleet.position(elid.get()) {
            Ok(position)
        } else if self.config.foreign.contains(&elid) {
            Err(Refusal::access(fields.get("func").unwrap_or_default()))
        } else {
            Err(Refusal::missed("elid", text))
        }
    }

    fn submit(
        &mut self,
        action: Action,
        fields: &Fields,
        fault: Option<FaultKind>,
        now: Instant,
    ) -> Result<Option<ExecutionId>, Unexecuted> {
        self.authorise(fields, now)?;
        let position = self.position(fields)?;
        let instance = self.fleet.at_mut(position);
        let submission = instance.submission(fields, self.config.faults.seed, now);
        let (mut course, planned) = action::plan(action, &self.config, &submission)?;
        instance.next = None;
        if fault == Some(FaultKind::InstanceError) {
            course.outcome = Outcome::Error;
        }
        let at_ms = now_ms();
        if let Some(journal) = &mut self.journal {
            let accepted = instance.accepted_line(&planned, &course, at_ms, now);
            journal.write(&JournalEntry::Accepted(accepted))?;
        }
        let execution = self.accept(position, planned, course, at_ms, now);
        if execution.is_some() {
            let instance = self.fleet.at_mut(position);
            instance.set_password(fields.filled("password"));
        }
        Ok(execution)
    }

    /// The API says ok, and the execution begins. `None`: it says ok and does nothing.
    fn accept(
        &mut self,
        position: Position,
        planned: Planned,
        course: Course,
        at_ms: i64,
        now: Instant,
    ) -> Option<ExecutionId> {
        let instance = self.fleet.at_mut(position);
        let nth = instance.executed();
        let ends = instance.accept(planned, course, at_ms, now);
        if instance.executed() == nth {
            return None;
        }
        self.running.begin(ends, now);
        Some(ExecutionId {
            instance: position,
            nth,
        })
    }

    pub(super) fn seed(&self) -> u64 {
        self.config.faults.seed
    }

    /// What a client meets at the SSH port of `address`; `None`: no instance has it.
    pub(super) fn met_at(&self, address: Ipv4Addr, now: Instant) -> Option<Met> {
        machine::met(&self.config, &self.fleet, &address.to_string(), now)
    }

    /// Is this the password of `installation`, and does that still answer?
    pub(super) fn opens(&self, installation: Installation, password: &str, now: Instant) -> bool {
        let Some(position) = self.fleet.position(installation.service) else {
            return false;
        };
        let instance = self.fleet.at(position);
        let stands = machine::installation(&self.config, instance, now);
        stands == Some(installation) && instance.opens(installation, password)
    }

    /// Somebody has ordered a command by SSH; `false`: what was logged in to is not there any more.
    pub(super) fn commanded(
        &mut self,
        installation: Installation,
        command: CommandRecord,
        now: Instant,
    ) -> bool {
        let Some(position) = self.fleet.position(installation.service) else {
            return false;
        };
        let stands = machine::installation(&self.config, self.fleet.at(position), now);
        let is_there = stands == Some(installation);
        if is_there {
            self.fleet.at_mut(position).commanded(command);
        }
        is_there
    }

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
        let Some(position) = self.fleet.position(service.get()) else {
            return false;
        };
        if let Some(listed) = change.listed {
            self.fleet.set_listed(position, listed);
        }
        let instance = self.fleet.at_mut(position);
        if let Some(frozen) = change.frozen {
            instance.frozen_at = frozen.then_some(now);
        }
        if let Some(name) = &change.name {
            instance.name.clone_from(name);
        }
        if let Some(ip) = &change.ip {
            instance.ip.clone_from(ip);
        }
        if let Some(readable) = change.readable {
            instance.readable = readable;
        }
        if let Some(next) = &change.next {
            instance.next = Some(next.clone());
        }
        let steps = change.all_steps();
        if !steps.is_empty() && instance.change(&steps, now) {
            self.running.end_endless();
        }
        true
    }

    /// A submission has arrived and was not executed: somebody else may rebuild its instance now.
    pub(super) fn left_undone(&mut self, fields: &Fields, now: Instant) {
        let (Some(panel), Ok(position)) = (self.config.odd.panel_rebuild, self.position(fields))
        else {
            return;
        };
        let instance = self.fleet.at(position);
        if !instance.is_left_alone() || instance.before_execution(now).is_some() {
            return;
        }
        let ordered = fields.filled("select_rebuild").unwrap_or_default();
        let (runs, images) = (&*instance.view(now).image, &self.config.images);
        let ordered = images.iter().find(|image| image.id.to_string() == ordered);
        let ordered = ordered.map_or(runs, |image| &image.name);
        let image = panel.image(runs, ordered, images.iter().map(|image| &*image.name));
        let image = image.to_owned();
        let (lag, duration) = (self.config.accept_lag, self.config.rebuild_duration);
        let step = |after: Duration, status: InstanceStatus, image: Option<String>| Step {
            after_ms: u64::try_from(after.as_millis()).unwrap_or(u64::MAX),
            status: Some(status.to_string()),
            image,
        };
        let steps = [
            step(lag, InstanceStatus::Rebuilding, None),
            step(lag + duration, InstanceStatus::Active, Some(image)),
        ];
        self.fleet.at_mut(position).change(&steps, now);
    }

    pub(super) fn set(&mut self, change: AccountChange, now: Instant) {
        let is_odd_anew = change.odd.is_some();
        if let Some(login) = change.login {
            self.sessions.set_login(login);
        }
        if let Some(sessions) = change.sessions {
            self.sessions.set(sessions);
        }
        change.apply(&mut self.config);
        if is_odd_anew {
            self.list.thaw(now);
            self.apply_oddities();
        }
    }

    pub(super) fn record(&self, now: Instant) -> Record {
        let traffic = &self.traffic;
        Record {
            services: self
                .fleet
                .iter()
                .map(|instance| (instance.id, instance.record(now)))
                .collect(),
            calls: traffic.counts().clone(),
            faults: traffic.faults().clone(),
            violations: traffic.violations().to_vec(),
            orders: self.orders,
            submissions_in_flight_max: traffic.in_flight_max(),
            executions_max: self.running.max(),
            ssh: traffic.ssh(),
        }
    }

    pub(super) fn service(&self, service: ServiceId, now: Instant) -> Option<ServiceRecord> {
        let instance = self.fleet.find(service)?;
        Some(instance.record(now))
    }

    #[cfg(test)]
    pub(super) fn address(&self, service: ServiceId) -> Option<String> {
        let instance = self.fleet.find(service)?;
        Some(instance.ip.clone())
    }

    pub(super) fn calls(&self) -> Vec<CallRecord> {
        self.traffic.calls().to_vec()
    }
}
