//! The account's list, as this run knows it, and which of its pages is read next: the one poller that
//! all jobs share.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::job::{ImageId, ServiceId};
use crate::run::evidence::Rules;
use crate::run::list::{Listed, News};
use crate::run::poll_schedule::{PageRead, PollSchedule, Stage, Worth};
use crate::run::rate_limiter::Purpose;
use crate::run::{Durations, Halt, InstanceList, Now};
use crate::zomro::{Page, Reply};

/// Readings that fail in a row before the list counts as out of order: one and then nothing to be
/// read for a while says little.
const FAILURES_MIN: u32 = 3;

/// The list, and how it is read.
#[derive(Debug)]
pub(super) struct Inventory {
    list: InstanceList,
    pages: Pages,
    readings: Readings,
    poll_schedule: PollSchedule,
    /// Readings requested before were overtaken by a suspension of this process.
    fresh_since: Instant,
}

/// Which page was read when.
#[derive(Debug)]
struct Pages {
    /// The page being read.
    out: Option<u32>,
    /// When the latest reading of each page ended, whatever it brought.
    read_at: HashMap<u32, Instant>,
    /// When the latest reading of each page was requested that brought something.
    brought_at: HashMap<u32, Instant>,
    /// When the next search for what left its page may begin.
    next_scan_at: Instant,
    /// When the last scan ended.
    scanned_at: Option<Instant>,
    /// The latest page was read for the sake of jobs that wait to start.
    read_for_starts: bool,
    /// Services that a complete scan did not show.
    absent: HashSet<ServiceId>,
}

/// How the latest readings went.
#[derive(Debug)]
struct Readings {
    /// Failures in a row, and since when.
    failures: u32,
    failing_since: Option<Instant>,
    last_error: String,
    not_before: Instant,
    /// Generation of the token with which a reading was refused.
    refused_generation: Option<u64>,
    /// Refusals for want of rights in a row.
    refusals: u32,
}

/// Who needs which readings.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Services whose jobs could start, were their readings not too old.
    pub(super) stale: Vec<ServiceId>,
    /// Services that are watched.
    pub(super) watched: Vec<(ServiceId, Stage)>,
    /// Jobs could start that have no slot.
    pub(super) is_hungry: bool,
}

/// What is to be read for the sake of those who are watched.
enum Watched {
    /// This page.
    Now(u32),
    /// Nothing before then.
    Later(Instant),
    Nobody,
}

/// What is to be read.
pub(super) enum NextPage {
    Nothing,
    /// This page, not before a moment that the rate does not decide.
    Read(u32, Purpose, Instant),
    /// Nothing before then.
    At(Instant),
}

impl Inventory {
    /// `list`: what was read of it already; `durations`: how long earlier rebuilds took.
    pub(super) fn new(list: InstanceList, durations: &Durations, now: Now) -> Self {
        Self {
            list,
            pages: Pages {
                out: None,
                read_at: HashMap::new(),
                brought_at: HashMap::new(),
                next_scan_at: now.at,
                scanned_at: None,
                read_for_starts: false,
                absent: HashSet::new(),
            },
            readings: Readings {
                failures: 0,
                failing_since: None,
                last_error: String::new(),
                not_before: now.at,
                refused_generation: None,
                refusals: 0,
            },
            poll_schedule: PollSchedule::new(durations),
            fresh_since: now.at,
        }
    }

    pub(super) fn list(&self) -> &InstanceList {
        &self.list
    }

    pub(super) fn into_list(self) -> InstanceList {
        self.list
    }

    /// The address that the list gives an instance.
    pub(super) fn ip(&self, service: ServiceId) -> Option<&str> {
        self.get(service)?.ip.as_deref()
    }

    /// The list was scanned through once, as well as it could be.
    pub(super) fn is_scanned(&self) -> bool {
        self.list.is_scanned()
    }

    /// A complete scan has ended.
    pub(super) fn is_read(&self) -> bool {
        self.list.is_read()
    }

    /// Instances read by the scan under way, and in the list.
    pub(super) fn scan_progress(&self) -> Option<(u64, Option<u64>)> {
        self.list.scan_progress()
    }

    pub(super) fn begin_scan(&mut self) {
        self.list.begin_scan();
    }

    pub(super) fn get(&self, service: ServiceId) -> Option<&Listed> {
        self.list.get(service)
    }

    /// The page on which it stood at its latest reading.
    pub(super) fn page_of(&self, service: ServiceId) -> Option<u32> {
        self.list.get(service).and_then(|listed| listed.page)
    }

    /// When the latest reading of this page was requested that brought something.
    pub(super) fn brought_at(&self, page: u32) -> Option<Instant> {
        self.pages.brought_at.get(&page).copied()
    }

    /// The latest reading has failed.
    pub(super) fn is_failing(&self) -> bool {
        self.readings.failures > 0
    }

    /// How long the rest of the scan under way takes, with so much time between two calls, as far as the pages
    /// tell that it has read. `None`: there is none, or it has read none.
    pub(super) fn scan_takes(&self, interval: Duration) -> Option<Duration> {
        let (read, total) = self.list.scan_progress()?;
        let pages = self.list.scan_page()?.checked_sub(1)?;
        let rows = read.checked_div(u64::from(pages))?.max(1);
        let left = total?.saturating_sub(read).div_ceil(rows);
        Some(interval.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX)))
    }

    /// A complete scan ended without it, and it was not seen since.
    pub(super) fn is_surely_absent(&self, service: ServiceId) -> bool {
        let was_never_seen = || self.list.is_read() && self.list.get(service).is_none();
        self.pages.absent.contains(&service) || was_never_seen()
    }

    /// Whether what was asked for at `requested_at` still tells how things stand, after suspensions.
    pub(super) fn is_fresh(&self, requested_at: Instant) -> bool {
        requested_at >= self.fresh_since
    }

    /// The process stood still: what was read before says nothing of how things stand now.
    pub(super) fn forget_readings(&mut self, now: Now) {
        self.fresh_since = now.at;
        self.pages.read_at.clear();
        self.pages.brought_at.clear();
    }

    /// A rebuild was seen at work until so long `after` it had been sent, and back when it was `until` old.
    pub(super) fn learn_duration(
        &mut self,
        image: Option<ImageId>,
        after: Duration,
        until: Duration,
    ) {
        self.poll_schedule.learn(image, after, until);
    }

    /// A page is being read: one at a time.
    pub(super) fn is_reading(&self) -> bool {
        self.pages.out.is_some()
    }

    /// Which page is read next.
    pub(super) fn next_page(&mut self, needs: &Needs, rules: &Rules, now: Now) -> NextPage {
        let read = |page, purpose| NextPage::Read(page, purpose, self.readings.not_before);
        if let Some(page) = self.list.scan_page() {
            // Before the first scan is over nothing else is there to be called.
            let is_first = !self.list.is_scanned();
            return read(
                page,
                if is_first {
                    Purpose::Submission
                } else {
                    Purpose::Poll
                },
            );
        }
        let mut wake_at = None;
        if self.must_search(needs, rules, now) {
            if now.at >= self.pages.next_scan_at {
                self.list.begin_scan();
                return match self.list.scan_page() {
                    Some(page) => NextPage::Read(page, Purpose::Poll, self.readings.not_before),
                    None => NextPage::Nothing,
                };
            }
            wake_at = Some(self.pages.next_scan_at);
        }
        let stale = self.list.pages_of(needs.stale.iter().copied());
        let stale = stale.first().copied();
        let watched = self.most_worth(needs, rules, now);
        if let Watched::Later(at) = watched {
            wake_at = Some(wake_at.map_or(at, |other| at.min(other)));
        }
        let watched = match watched {
            Watched::Now(page) => Some(page),
            Watched::Later(_) | Watched::Nobody => None,
        };
        // In turns: many jobs in flight must not keep others from starting, and many that wait on
        // many pages must not keep the poller from ever seeing what is in flight end.
        let for_starts = stale.is_some() && (watched.is_none() || !self.pages.read_for_starts);
        self.pages.read_for_starts = for_starts;
        match (if for_starts { stale } else { watched }, wake_at) {
            (Some(page), _) => NextPage::Read(page, Purpose::Poll, self.readings.not_before),
            (None, Some(at)) => NextPage::At(at),
            (None, None) => NextPage::Nothing,
        }
    }

    /// Any page may be read now: none is being read, no scan goes through them, and no reading has failed
    /// that is to be waited for.
    pub(super) fn may_choose(&self, now: Now) -> bool {
        let is_free = !self.is_reading() && self.list.scan_page().is_none();
        is_free && now.at >= self.readings.not_before
    }

    /// The page that is worth more than a submission, if one is.
    pub(super) fn urgent_page(
        &self,
        watched: &[(ServiceId, Stage)],
        rules: &Rules,
        now: Now,
    ) -> Option<u32> {
        let pages = self.worths(watched, rules, now).into_iter();
        let urgent = pages.filter(|(_, worth)| worth.is_urgent);
        urgent
            .max_by(|(_, one), (_, two)| one.sum_s().total_cmp(&two.sum_s()))
            .map(|(page, _)| page)
    }

    /// The page that is to be read next for the sake of those who stand on it.
    fn most_worth(&self, needs: &Needs, rules: &Rules, now: Now) -> Watched {
        let beat_s = rules.poll_interval.as_secs_f64();
        let is_enough = |worth: &Worth| {
            worth.is_due
                || worth.longest_back_s >= beat_s * 0.75
                || needs.is_hungry && worth.back_s >= beat_s / 8.0
        };
        let mut best: Option<(u32, f64)> = None;
        let mut later: Option<Instant> = None;
        for (page, worth) in self.worths(&needs.watched, rules, now) {
            if is_enough(&worth) {
                let sum_s = worth.sum_s();
                if best.is_none_or(|(_, best_s)| sum_s > best_s) {
                    best = Some((page, sum_s));
                }
            } else if let Some(at) = worth.next_at {
                // Who is expected already makes it worth more from moment to moment.
                let at = at.max(now.at + rules.poll_interval / 32);
                later = Some(later.map_or(at, |other| at.min(other)));
            }
        }
        match (best, later) {
            (Some((page, _)), _) => Watched::Now(page),
            (None, Some(at)) => Watched::Later(at),
            (None, None) => Watched::Nobody,
        }
    }

    /// What a reading of each page is worth for those who are watched on it.
    fn worths(
        &self,
        watched: &[(ServiceId, Stage)],
        rules: &Rules,
        now: Now,
    ) -> BTreeMap<u32, Worth> {
        let mut worths: BTreeMap<u32, Worth> = BTreeMap::new();
        for (service, stage) in watched {
            let Some(listed) = self.list.get(*service) else {
                continue;
            };
            let Some(page) = listed.page else {
                continue;
            };
            let requested_at = listed.observation.requested_at;
            let ended_at = self.pages.read_at.get(&page).copied();
            let read = PageRead {
                requested_at,
                ended_at: ended_at.unwrap_or(requested_at),
            };
            let worth = self.poll_schedule.worth(*stage, read, rules, now.at);
            let sum = worths.entry(page).or_default();
            *sum = sum.and(worth);
        }
        worths
    }

    /// `page` is being read.
    pub(super) fn asked(&mut self, page: u32) {
        self.pages.out = Some(page);
    }

    /// A watched service has left its page. Newly lost ones are looked for at once; those that a
    /// whole scan did not show, only every `--settle`: they may have gone for good.
    fn must_search(&self, needs: &Needs, rules: &Rules, now: Now) -> bool {
        let services = needs.watched.iter().map(|(service, _)| *service);
        let mut lost = services
            .filter(|service| self.page_of(*service).is_none())
            .peekable();
        if lost.peek().is_none() {
            return false;
        }
        let scanned_lately = (self.pages.scanned_at)
            .is_some_and(|at| now.at.saturating_duration_since(at) < rules.settle);
        !scanned_lately || lost.any(|service| !self.pages.absent.contains(&service))
    }

    /// Page `asked` was read: what it brought. `None`: it was asked for before a suspension and
    /// answered after it, and so tells neither how things stood then nor whose work it is.
    pub(super) fn read(&mut self, asked: u32, reply: &Reply<Page>, now: Now) -> Option<News> {
        self.pages.out = None;
        self.readings.failures = 0;
        self.readings.failing_since = None;
        self.readings.refused_generation = None;
        self.readings.refusals = 0;
        if !self.is_fresh(reply.requested_at) {
            return None;
        }
        let news = self.list.read(asked, &reply.value, reply.requested_at);
        self.pages.brought_at.insert(asked, reply.requested_at);
        for (service, _) in &news.seen {
            self.pages.absent.remove(service);
        }
        if news.scan_ended.is_some() {
            self.pages.scanned_at = Some(now.at);
        }
        Some(news)
    }

    /// The page could not be read. Returns how many failures are in a row.
    pub(super) fn not_read(&mut self, why: Unread<'_>, now: Now) -> u32 {
        self.pages.out = None;
        let readings = &mut self.readings;
        readings.failures = readings.failures.saturating_add(1);
        readings.refusals = match why {
            Unread::Refused(_) => readings.refusals.saturating_add(1),
            Unread::Failed(_) | Unread::SlowDown => 0,
        };
        // Probes may get through while the list fails: it has a clock of its own.
        if let Unread::Refused(error) | Unread::Failed(error) = why {
            readings.failing_since.get_or_insert(now.at);
            error.clone_into(&mut readings.last_error);
        }
        readings.failures
    }

    /// No page is read for so long.
    pub(super) fn rest(&mut self, delay: Duration, now: Now) {
        self.readings.not_before = now.at + delay;
    }

    /// A reading of page `asked` has ended, whatever it brought.
    pub(super) fn ended(&mut self, asked: u32, rules: &Rules, now: Now) {
        // A page that fails is not asked for again at once: the others must have their turn. A scan
        // asks for it by itself.
        self.pages.read_at.insert(asked, now.at);
        if self.list.scan_page().is_none() {
            self.pages.next_scan_at = now.at + rules.poll_interval;
        }
    }

    /// A complete scan did not show these. Returns those among them that were seen before, in order.
    pub(super) fn set_absent(&mut self, absent: HashSet<ServiceId>) -> Vec<ServiceId> {
        let was_seen = |service: &ServiceId| self.list.get(*service).is_some();
        let mut gone: Vec<ServiceId> = absent.iter().copied().filter(was_seen).collect();
        gone.sort_unstable();
        self.pages.absent = absent;
        gone
    }

    /// How long it could not be read counts from now on.
    pub(super) fn restart_clock(&mut self, now: Now) {
        let since = &mut self.readings.failing_since;
        *since = since.map(|_| now.at);
    }

    /// Why the run cannot go on, if the list could not be read for `timeout`.
    pub(super) fn over_limit(&self, timeout: Duration, now: Now) -> Option<Halt> {
        let lasted = now
            .at
            .saturating_duration_since(self.readings.failing_since?);
        (self.readings.failures >= FAILURES_MIN && lasted >= timeout).then(|| Halt::Outage {
            lasted,
            error: self.readings.last_error.clone(),
        })
    }

    /// A reading is refused with the token of `generation`; says whether one was before, with an older.
    pub(super) fn refused_before(&mut self, generation: u64) -> bool {
        let before = self.readings.refused_generation.replace(generation);
        before.is_some_and(|before| before < generation)
    }

    /// What the API says, if it refuses every reading for want of rights.
    pub(super) fn missing_rights(&self) -> Option<String> {
        let refuses = self.readings.refusals >= FAILURES_MIN;
        refuses.then(|| self.readings.last_error.clone())
    }

    pub(super) fn session_is_alive(&mut self) {
        self.readings.refused_generation = None;
    }
}

/// Why a page could not be read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Unread<'a> {
    /// For want of rights, in these words.
    Refused(&'a str),
    /// Otherwise, in these words.
    Failed(&'a str),
    /// The API asks to slow down.
    SlowDown,
}
