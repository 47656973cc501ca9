//! The one shared poller of the instance list: which page to read next, and what a page means for
//! the jobs on it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use super::answers::after;
use super::starts::for_people;
use super::{Active, Call, Machine, Proven};
use crate::job::{Evidence, Failure, LedgerEntry, ServiceId, State};
use crate::queue::QueuedJob;
use crate::run::evidence::names::{self, Shows};
use crate::run::evidence::{
    self, Absence, Doubt, ListLag, Observation, Progress, Rules, Surroundings, Tracker,
};
use crate::run::list::InstanceList;
use crate::run::poll_schedule::Stage;
use crate::run::rate_limiter::Purpose;
use crate::run::{Halt, Now};
use crate::zomro::{Page, Read, ReadError, Reply};

/// Readings that fail in a row before the list counts as out of order: one and then nothing to be
/// read for a while says little.
const FAILURES_MIN: u32 = 3;

/// Readings of the list: one page at a time, each when it is due.
#[derive(Debug)]
pub(super) struct Poller {
    /// The page being read.
    out: Option<u32>,
    /// When the latest reading of each page ended, whatever it brought.
    read_at: HashMap<u32, Instant>,
    /// When the next search for what left its page may begin.
    next_scan_at: Instant,
    /// The latest page was read for the sake of jobs that wait to start.
    read_for_starts: bool,
    /// Failures in a row, and since when.
    failures: u32,
    failing_since: Option<Instant>,
    last_error: String,
    not_before: Instant,
    /// When the last scan ended.
    scanned_at: Option<Instant>,
    /// Services that a complete scan did not show.
    absent: HashSet<ServiceId>,
    /// Generation of the token with which a reading was refused.
    refused_generation: Option<u64>,
    /// Refusals for want of rights in a row.
    refusals: u32,
}

impl Poller {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            out: None,
            read_at: HashMap::new(),
            next_scan_at: now,
            read_for_starts: false,
            failures: 0,
            failing_since: None,
            last_error: String::new(),
            not_before: now,
            scanned_at: None,
            absent: HashSet::new(),
            refused_generation: None,
            refusals: 0,
        }
    }

    /// A complete scan ended without it, and it was not seen since.
    pub(super) fn is_surely_absent(&self, service: ServiceId, list: &InstanceList) -> bool {
        self.absent.contains(&service) || (list.is_read() && list.get(service).is_none())
    }

    /// Why the run cannot go on, if the list could not be read for `timeout`.
    pub(super) fn outage(&self, timeout: Duration, now: Instant) -> Option<Halt> {
        let lasted = now.saturating_duration_since(self.failing_since?);
        (self.failures >= FAILURES_MIN && lasted >= timeout).then(|| Halt::Outage {
            lasted,
            error: self.last_error.clone(),
        })
    }

    /// A reading is refused with the token of `generation`; says whether one was before, with an older.
    pub(super) fn refused_before(&mut self, generation: u64) -> bool {
        self.refused_generation
            .replace(generation)
            .is_some_and(|before| before < generation)
    }

    /// What the API says, if it refuses every reading for want of rights.
    pub(super) fn missing_rights(&self) -> Option<String> {
        (self.refusals >= FAILURES_MIN).then(|| self.last_error.clone())
    }

    /// What was read before says nothing any more.
    pub(super) fn forget_readings(&mut self) {
        self.read_at.clear();
    }

    pub(super) fn session_is_alive(&mut self) {
        self.refused_generation = None;
    }
}

impl Machine {
    /// Asks for the next page, if one is wanted and may be read now.
    pub(super) fn read_list(&mut self, now: Now) {
        if self.options.no_wait || self.poller.out.is_some() {
            return;
        }
        let Some((page, purpose)) = self.next_page(now) else {
            return;
        };
        let at = self.poller.not_before.max(self.rate.free_at(purpose));
        if now.at < at {
            self.wake_by(at);
        } else if self.rate.take(purpose, now.at) {
            self.poller.out = Some(page);
            self.desk.call(Call::Page(page));
        }
    }

    fn next_page(&mut self, now: Now) -> Option<(u32, Purpose)> {
        if let Some(page) = self.list.scan_page() {
            // Before the first scan is over nothing else is there to be called.
            let first = !self.list.is_scanned();
            return Some((
                page,
                if first {
                    Purpose::Submission
                } else {
                    Purpose::Poll
                },
            ));
        }
        let (stale, deferred) = self.readings_wanted(now);
        let watched: Vec<(ServiceId, Stage)> = self
            .active
            .values()
            .filter_map(|active| {
                let stands = stage(active, &self.list_lag, &self.options.rules)?;
                Some((active.job.service, stands))
            })
            .chain(deferred.into_iter().map(|service| (service, Stage::Open)))
            .collect();
        if self.must_search(watched.iter().map(|(service, _)| *service), now) {
            if now.at >= self.poller.next_scan_at {
                self.list.begin_scan();
                return self.list.scan_page().map(|page| (page, Purpose::Poll));
            }
            self.wake_by(self.poller.next_scan_at);
        }
        let stale = self.list.pages_of(stale.into_iter()).first().copied();
        let due = match self.next_due_page(&watched, now) {
            Some((due_at, page)) if due_at <= now.at => Some(page),
            Some((due_at, _)) => {
                self.wake_by(due_at);
                None
            }
            None => None,
        };
        // In turns: many jobs in flight must not keep others from starting, and many that wait on
        // many pages must not keep the poller from ever seeing what is in flight end.
        let for_starts = stale.is_some() && (due.is_none() || !self.poller.read_for_starts);
        let page = if for_starts { stale } else { due };
        self.poller.read_for_starts = for_starts;
        page.map(|page| (page, Purpose::Poll))
    }

    /// The page that is to be read next for the sake of those who stand on it, and when.
    fn next_due_page(&self, watched: &[(ServiceId, Stage)], now: Now) -> Option<(Instant, u32)> {
        let mut due: BTreeMap<u32, Instant> = BTreeMap::new();
        for (service, stage) in watched {
            let Some(page) = self.list.get(*service).and_then(|listed| listed.page) else {
                continue;
            };
            let at = match self.poller.read_at.get(&page) {
                Some(&read_at) => {
                    let interval = self.options.rules.poll_interval;
                    self.poll_schedule.due_at(*stage, read_at, interval)
                }
                None => now.at,
            };
            due.entry(page)
                .and_modify(|due| *due = at.min(*due))
                .or_insert(at);
        }
        due.into_iter().map(|(page, at)| (at, page)).min()
    }

    /// A watched service has left its page. Newly lost ones are looked for at once; those that a
    /// whole scan did not show, only every `--settle`: they may have gone for good.
    fn must_search(&self, watched: impl Iterator<Item = ServiceId>, now: Now) -> bool {
        let mut lost = watched
            .filter(|service| {
                self.list
                    .get(*service)
                    .is_none_or(|listed| listed.page.is_none())
            })
            .peekable();
        if lost.peek().is_none() {
            return false;
        }
        let scanned_lately = self
            .poller
            .scanned_at
            .is_some_and(|at| now.at.saturating_duration_since(at) < self.options.rules.settle);
        !scanned_lately || lost.any(|service| !self.poller.absent.contains(&service))
    }

    pub(super) fn page_finished(&mut self, asked: u32, result: Read<Page>, now: Now) {
        self.poller.out = None;
        match result {
            Ok(reply) => {
                self.read_accepted(reply.generation);
                self.poller.failures = 0;
                self.poller.failing_since = None;
                self.poller.refused_generation = None;
                self.poller.refusals = 0;
                // What was asked before a suspension and answered after it tells neither how things
                // stood then nor whose work it is: it is asked again.
                if reply.requested_at >= self.fresh_since {
                    self.take_in(asked, &reply, now);
                }
            }
            Err(error) => {
                self.read_failed(&error, now);
                self.poller.failures = self.poller.failures.saturating_add(1);
                if matches!(error, ReadError::Unauthorized { .. }) {
                    self.poller.refusals = self.poller.refusals.saturating_add(1);
                } else {
                    self.poller.refusals = 0;
                }
                // Probes may get through while the list fails: it has a clock of its own.
                if !matches!(error, ReadError::SlowDown { .. }) {
                    self.poller.failing_since.get_or_insert(now.at);
                    self.poller.last_error = error.to_string();
                }
                let delay = self
                    .options
                    .backoff
                    .delay(self.poller.failures, &mut self.random);
                self.poller.not_before = now.at + delay;
            }
        }
        // A page that fails is not asked for again at once: the others must have their turn. A scan
        // asks for it by itself.
        self.poller.read_at.insert(asked, now.at);
        if self.list.scan_page().is_none() {
            self.poller.next_scan_at = now.at + self.options.rules.poll_interval;
        }
    }

    fn take_in(&mut self, asked: u32, reply: &Reply<Page>, now: Now) {
        let news = self.list.read(asked, &reply.value, reply.requested_at);
        for (service, _) in &news.seen {
            self.poller.absent.remove(service);
        }
        // Doubts last: what the other rows of the page show counts for them.
        let (doubts, others): (Vec<_>, Vec<_>) = news.seen.into_iter().partition(|(service, _)| {
            (self.active.get(service))
                .is_some_and(|active| active.job.record.state == State::InDoubt)
        });
        let mut alive_since = None;
        for (service, observation) in others {
            self.judge_row(service, &observation, Surroundings::default(), reply, now);
            alive_since = alive_since.max(self.proves_life(service, &observation));
        }
        for (service, observation) in doubts {
            let around = Surroundings {
                alive_since,
                more_to_come: self.more_to_come(service),
            };
            self.judge_row(service, &observation, around, reply, now);
        }
        for service in news.unclear {
            self.judge_unseen(service, Absence::unclear(reply.requested_at), now);
        }
        if let Some((began_at, complete)) = news.scan_ended {
            self.poller.scanned_at = Some(now.at);
            self.judge_absent(Absence::from_list(began_at, complete), now);
            if !complete {
                self.warn_once("scan", || {
                    "the account's list contradicts itself from page to page; instances it does not show are looked for again".to_owned()
                });
            }
        }
    }

    fn judge_row(
        &mut self,
        service: ServiceId,
        observation: &Observation,
        around: Surroundings,
        reply: &Reply<Page>,
        now: Now,
    ) {
        if let Some(active) = self.active.remove(&service)
            && let Some(active) = self.judge(active, observation, around, reply, now)
        {
            self.active.insert(service, active);
        }
    }

    /// This very row shows the new name of a rebuild of ours: when its baseline was read. The page
    /// is younger than that.
    fn proves_life(&self, service: ServiceId, observation: &Observation) -> Option<Instant> {
        let (record, baseline_at) = if let Some(active) = self.active.get(&service) {
            (&active.job.record, active.baseline_at?)
        } else {
            let proven = self.proven.get(&service)?;
            (&proven.record, proven.baseline_at)
        };
        (names::shows(record, observation) == Shows::Target).then_some(baseline_at)
    }

    /// A rebuild may still come that would prove the doubt's page to be alive, or that the list
    /// spells its image's name as the preview does.
    fn more_to_come(&self, service: ServiceId) -> bool {
        let page = self.list.get(service).and_then(|listed| listed.page);
        let Some(doubt) = self.active.get(&service) else {
            return false;
        };
        let on_its_page = |other: ServiceId| {
            page.is_some() && self.list.get(other).and_then(|listed| listed.page) == page
        };
        let serves = |job: &QueuedJob| on_its_page(job.service) || job.image == doubt.job.image;
        let in_flight = self.active.values().any(|other| {
            let record = &other.job.record;
            let is_open = match (record.state, &other.tracker) {
                (State::Submitting, _) => true,
                (State::Rebuilding, Some(tracker)) => !tracker.has_shown_its_name(),
                _ => false,
            };
            is_open && names::change(record) && serves(&other.job)
        });
        // Doubts alone never make room: what is queued then has to wait for the operator.
        let may_start = !self.is_ending() && (self.may_fail() || self.in_flight() > 0);
        let queued =
            !self.supply.is_empty() || self.waiting.iter().any(|waiting| serves(&waiting.job));
        in_flight || (may_start && queued)
    }

    /// What a reading means for a job: the job, if it is still to be waited for.
    fn judge(
        &mut self,
        mut active: Active,
        observation: &Observation,
        around: Surroundings,
        reply: &Reply<Page>,
        now: Now,
    ) -> Option<Active> {
        let Some(mut tracker) = active.tracker.take() else {
            return Some(active);
        };
        let rules = self.options.rules;
        let at_ms = reply.answered_ms;
        if active.job.record.state == State::InDoubt {
            let record = &active.job.record;
            let doubt = evidence::judge_doubt(
                record,
                &mut tracker,
                observation,
                around,
                &self.list_lag,
                &rules,
            );
            match doubt {
                Doubt::Open => {}
                Doubt::Executed => {
                    let entry = LedgerEntry::Sighted {
                        status: observation.status.clone(),
                        image: observation.image.clone(),
                    };
                    self.step(&mut active.job, entry, at_ms);
                }
                Doubt::NotExecuted => {
                    match self.another_machine(&active.job) {
                        Some(reason) => self.hold(active, reason, now),
                        None => self.disprove(active, now),
                    }
                    return None;
                }
                Doubt::Hold(reason) => {
                    self.hold(active, reason, now);
                    return None;
                }
            }
        }
        if active.job.record.state == State::Rebuilding {
            let record = &active.job.record;
            tracker.learn_name(record, observation, reply.answered_at, &mut self.list_lag);
            let progress =
                evidence::judge_progress(record, &mut tracker, observation, &self.list_lag, &rules);
            let entry = match progress {
                Progress::Waiting => None,
                Progress::Begun => Some(LedgerEntry::Sighted {
                    status: observation.status.clone(),
                    image: observation.image.clone(),
                }),
                Progress::Complete { evidence, remark } => {
                    self.seen_through(&active, &tracker, evidence, observation, reply);
                    Some(LedgerEntry::Completed {
                        evidence,
                        status: observation.status.clone(),
                        image: observation.image.clone(),
                        remark,
                    })
                }
                Progress::Broken(failure) => {
                    self.count_failure();
                    Some(LedgerEntry::Broken { failure })
                }
                Progress::Unclear(failure) => {
                    self.give_up(active, failure, now);
                    return None;
                }
            };
            if let Some(entry) = entry {
                self.step(&mut active.job, entry, at_ms);
            }
        }
        active.tracker = Some(tracker);
        (!active.job.record.state.is_final()).then_some(active)
    }

    /// A rebuild is complete: what that teaches of the list, and of how long rebuilds take.
    fn seen_through(
        &mut self,
        active: &Active,
        tracker: &Tracker,
        evidence: Evidence,
        observation: &Observation,
        reply: &Reply<Page>,
    ) {
        let record = &active.job.record;
        if evidence == Evidence::Observed && record.accepted {
            let took = reply
                .answered_at
                .saturating_duration_since(tracker.sent_at());
            self.poll_schedule.learn(took);
            if let (Shows::Third(name), Some(target)) =
                (names::shows(record, observation), names::target(record))
            {
                self.list_lag.is_called(&target, &name);
            }
        }
        // It can only be a control for doubts that arose before it was sent.
        let in_doubt = |active: &Active| active.job.record.state == State::InDoubt;
        if !self.active.values().any(in_doubt) {
            self.proven.clear();
        } else if let Some(baseline_at) = active.baseline_at.filter(|_| names::change(record)) {
            let record = record.clone();
            self.proven.insert(
                active.job.service,
                Proven {
                    baseline_at,
                    record,
                },
            );
        }
    }

    /// Why the machine on the list is not the one that the intent meant: deleted and ordered anew
    /// under the same id, it has an old image because it is new. Its address tells, where the list
    /// gives one; the owner's name for it is free to change.
    fn another_machine(&self, job: &QueuedJob) -> Option<String> {
        let meant = job.record.baseline.as_ref()?.ip.as_deref()?;
        let found = for_people(self.list.get(job.service)?.ip.as_deref())?;
        (found != meant).then(|| {
            format!("its address was {meant} and is {found} now: it may be another machine")
        })
    }

    /// Proof that nothing was executed: again, if a retry is left.
    fn disprove(&mut self, mut active: Active, now: Now) {
        let retries = active.job.record.retries;
        let entry = if retries < self.options.retries {
            let delay = self.options.backoff.delay(retries + 1, &mut self.random);
            LedgerEntry::Disproved {
                not_before_ms: after(now, delay),
            }
        } else {
            self.count_failure();
            let failure = active.job.record.failure.clone();
            LedgerEntry::Exhausted {
                failure: failure
                    .unwrap_or_else(|| Failure::new("not_executed", "it was never executed")),
            }
        };
        self.step(&mut active.job, entry, now.unix_ms);
    }

    fn hold(&mut self, mut active: Active, reason: String, now: Now) {
        self.step(&mut active.job, LedgerEntry::Held { reason }, now.unix_ms);
        self.count_held();
    }

    /// A rebuild whose end cannot be told: in doubt, and nothing more is to be expected.
    fn give_up(&mut self, mut active: Active, failure: Failure, now: Now) {
        let reason = failure.error.clone();
        self.step(
            &mut active.job,
            LedgerEntry::Doubted { failure },
            now.unix_ms,
        );
        self.hold(active, reason, now);
    }

    /// A scan has ended: who is not in the list?
    fn judge_absent(&mut self, absence: Absence, now: Now) {
        let list = &self.list;
        let is_absent = |service: &ServiceId| {
            list.get(*service)
                .is_none_or(|listed| listed.page.is_none())
        };
        let mut absent: Vec<ServiceId> = self.active.keys().copied().filter(is_absent).collect();
        absent.sort_unstable();
        if absence.complete {
            let waiting = self.waiting.iter().map(|waiting| waiting.job.service);
            let waiting = waiting.filter(is_absent);
            self.poller.absent = absent.iter().copied().chain(waiting).collect();
            let gone = || {
                self.poller
                    .absent
                    .iter()
                    .filter(|one| list.get(**one).is_some())
            };
            let (first, count) = (gone().min().copied(), gone().count());
            if let Some(first) = first {
                self.warn_once("absent", || {
                    format!(
                        "{count} of the services at work or waiting have gone from the account's list ({first}, …): \
                         if a filter is set in the panel, clear it"
                    )
                });
            }
        }
        for service in absent {
            self.judge_unseen(service, absence, now);
        }
    }

    /// A reading has not shown the instance: the time of its job may be over.
    fn judge_unseen(&mut self, service: ServiceId, absence: Absence, now: Now) {
        let Some(mut active) = self.active.remove(&service) else {
            return;
        };
        let (list_lag, rules) = (&self.list_lag, &self.options.rules);
        match (&mut active.tracker, active.job.record.state) {
            (Some(tracker), State::InDoubt) => {
                if let Doubt::Hold(reason) =
                    evidence::judge_absence(tracker, absence, list_lag, rules)
                {
                    return self.hold(active, reason, now);
                }
            }
            (Some(tracker), State::Rebuilding) => {
                let progress = evidence::judge_absent_rebuild(tracker, absence, rules);
                if let Progress::Unclear(failure) = progress {
                    return self.give_up(active, failure, now);
                }
            }
            _ => {}
        }
        self.active.insert(service, active);
    }
}

/// What the next reading may tell of a job; `None`: nothing, its answer is still outstanding.
fn stage(active: &Active, list_lag: &ListLag, rules: &Rules) -> Option<Stage> {
    let tracker = active.tracker.as_ref()?;
    let record = &active.job.record;
    Some(match record.state {
        State::Rebuilding if record.rebuilding_seen => Stage::Seen(tracker.sent_at()),
        State::InDoubt if tracker.outlived_its_window(list_lag, rules) => Stage::Patient,
        _ => Stage::Open,
    })
}
