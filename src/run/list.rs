//! What the account's list says, and on which page each instance stands.
//!
//! A run reads the whole list once at its start and later only the pages it needs. The pages shift
//! whenever an instance comes or goes, so a scan counts as complete only if it saw as many
//! different instances as the list claims to have, and an instance that left its page makes the
//! next reading a whole scan again.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Instant;

use super::evidence::Observation;
use crate::job::{Expected, InstanceStatus, ServiceId};
use crate::text;
use crate::zomro::{Instance, Page};

/// Instances that are remembered, and bytes of their names: far more than any account has. What an
/// API shows beyond is not looked at.
const INSTANCES_MAX: usize = 100_000;
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Walks that may contradict themselves before the list is taken as it is.
const WALKS_MAX: u32 = 3;

/// Pages of one scan at most: a million instances, ten to a page. An API that always shows somebody
/// new would be read for ever.
const PAGES_MAX: u32 = 100_000;

/// One instance of the account.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The page on which it stood; `None`: it was not there any more.
    pub page: Option<u32>,
    /// The latest reading of it.
    pub observation: Observation,
    /// Its name, for people.
    pub name: Option<String>,
    /// Its address, for people.
    pub ip: Option<String>,
    /// The data centre in which it stands.
    pub datacenter: Option<String>,
}

impl Listed {
    /// What it is now, as an order may expect to find it again.
    pub fn stands(&self) -> Expected {
        let text = |text: &Option<String>| Some(text.clone().unwrap_or_default());
        Expected {
            name: text(&self.name),
            ip: text(&self.ip),
            image: text(&self.observation.image),
            status: Some(self.observation.status.clone()),
            seen: true,
            contradicted: false,
        }
    }

    /// What of it is not as `expected`, in words: see [`Expected::differences`].
    pub fn mismatch(&self, expected: &Expected, may_differ: bool) -> Option<String> {
        if expected.is_nothing() {
            return None;
        }
        let stands = self.stands();
        let differences = expected.differences(&stands, may_differ);
        let said: Vec<String> = differences.iter().map(ToString::to_string).collect();
        let said = text::brief(&said.join("; "), text::MESSAGE_CHARS_MAX);
        (!said.is_empty()).then_some(said)
    }

    fn text_bytes(&self) -> usize {
        let long = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let texts = [
            &self.observation.image,
            &self.name,
            &self.ip,
            &self.datacenter,
        ];
        self.observation.status.as_str().len() + texts.into_iter().map(long).sum::<usize>()
    }
}

/// What one page brought.
#[derive(Debug, Default)]
pub struct News {
    /// The instances on the page.
    pub seen: Vec<(ServiceId, Observation)>,
    /// Instances of which the page says nothing that could be used: two rows contradict each other,
    /// or one that stood here may be among those that can't be read.
    pub unclear: Vec<ServiceId>,
    /// A scan ended with it: when it was begun, and whether it was complete.
    pub scan_ended: Option<(Instant, bool)>,
}

/// The account's list, as far as it was read.
#[derive(Debug, Default)]
pub struct InstanceList {
    listed: HashMap<ServiceId, Listed>,
    /// Who stood on each page at its latest reading; some may have been seen on another since.
    on_page: HashMap<u32, Vec<ServiceId>>,
    /// Bytes of the texts in it.
    text_bytes: usize,
    total: u64,
    scan: Option<Scan>,
    /// A scan has ended, complete or not.
    scanned: bool,
    /// A complete scan has ended: what no reading ever showed is surely not in the list.
    complete: bool,
}

#[derive(Debug)]
struct Scan {
    began_at: Option<Instant>,
    next: u32,
    seen: HashSet<ServiceId>,
    /// Rows whose id could not be read, on all pages together: any instance that was not seen may be
    /// one of them.
    unreadable: u64,
    total: Option<u64>,
    contradicted: bool,
    number: u32,
}

impl Scan {
    fn new(number: u32) -> Self {
        Self {
            began_at: None,
            next: 1,
            seen: HashSet::new(),
            unreadable: 0,
            total: None,
            contradicted: false,
            number,
        }
    }

    fn read(&self) -> u64 {
        self.seen.len() as u64 + self.unreadable
    }
}

impl InstanceList {
    /// The next page is the first of a scan through the whole list.
    pub fn begin_scan(&mut self) {
        if self.scan.is_none() {
            self.scan = Some(Scan::new(1));
        }
    }

    /// The page that the scan under way needs next.
    pub fn scan_page(&self) -> Option<u32> {
        self.scan.as_ref().map(|scan| scan.next)
    }

    /// The list was scanned through once, as well as it could be.
    pub fn is_scanned(&self) -> bool {
        self.scanned
    }

    /// What a person who looks at the list sees of an instance: of one that it does not show, that there
    /// is nothing. `None`: the list was not read.
    pub fn seen(&self, service: ServiceId) -> Option<Expected> {
        match self.get(service).filter(|listed| listed.page.is_some()) {
            Some(listed) => Some(listed.stands().of_whole_texts()),
            None if self.is_scanned() => Some(Expected::absent()),
            None => None,
        }
    }

    /// The whole list was read once: what no reading ever showed is not in it.
    pub fn is_read(&self) -> bool {
        self.complete
    }

    /// Instances read by the scan under way, and in the list.
    pub fn scan_progress(&self) -> Option<(u64, Option<u64>)> {
        self.scan.as_ref().map(|scan| (scan.read(), scan.total))
    }

    /// The instance, if any reading ever showed it.
    pub fn get(&self, service: ServiceId) -> Option<&Listed> {
        self.listed.get(&service)
    }

    /// All that stand in it, by their ids.
    pub fn instances(&self) -> impl Iterator<Item = (ServiceId, &Listed)> {
        let listed = self.listed.iter();
        let mut here: Vec<_> = listed
            .filter(|(_, listed)| listed.page.is_some())
            .map(|(service, listed)| (*service, listed))
            .collect();
        here.sort_unstable_by_key(|(service, _)| *service);
        here.into_iter()
    }

    /// Instances that the list has.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Takes in the answer to a request for page `asked`.
    pub fn read(&mut self, asked: u32, page: &Page, requested_at: Instant) -> News {
        let mut news = News::default();
        self.total = page.total;
        let here: HashSet<ServiceId> = page
            .instances
            .iter()
            .map(|instance| instance.service)
            .collect();
        // Another page than the one asked for: that one is gone, the list has become shorter.
        for number in [page.number, asked] {
            let before = self.on_page.remove(&number).unwrap_or_default();
            for service in before.iter().filter(|service| !here.contains(service)) {
                let listed = self.listed.get_mut(service);
                if let Some(listed) = listed.filter(|listed| listed.page == Some(number)) {
                    // A row that can't be read may be anybody's: such a page shows nobody to be gone.
                    if page.unreadable() > 0 {
                        listed.observation = unclear(requested_at);
                        news.unclear.push(*service);
                    } else {
                        listed.page = None;
                    }
                }
            }
        }
        let contradicted = contradicted(&page.instances);
        for instance in &page.instances {
            let is_clear = !contradicted.contains(&instance.service);
            let observation = if is_clear {
                observation(instance, requested_at)
            } else {
                unclear(requested_at)
            };
            self.remember(instance, page.number, &observation);
            if is_clear {
                news.seen.push((instance.service, observation));
            }
        }
        news.unclear.extend(contradicted);
        let stand_here = here.iter().chain(&news.unclear).copied();
        let known = |service: &ServiceId| self.listed.contains_key(service);
        self.on_page
            .insert(page.number, stand_here.filter(known).collect());
        self.advance_walk(asked, page, requested_at, &mut news);
        news
    }

    fn remember(&mut self, instance: &Instance, page: u32, observation: &Observation) {
        let listed = Listed {
            page: Some(page),
            observation: observation.clone(),
            name: instance.name.clone(),
            ip: instance.ip.clone(),
            datacenter: instance.datacenter.clone(),
        };
        let text_bytes = self.text_bytes + listed.text_bytes();
        let is_known = self.listed.contains_key(&instance.service);
        if !is_known && (self.listed.len() >= INSTANCES_MAX || text_bytes > TEXT_BYTES_MAX) {
            return;
        }
        self.text_bytes = text_bytes;
        if let Some(before) = self.listed.insert(instance.service, listed) {
            self.text_bytes -= before.text_bytes();
        }
    }

    fn advance_walk(&mut self, asked: u32, page: &Page, requested_at: Instant, news: &mut News) {
        let Some(scan) = self.scan.as_mut().filter(|scan| scan.next == asked) else {
            return;
        };
        let began_at = *scan.began_at.get_or_insert(requested_at);
        scan.contradicted |= scan.total.is_some_and(|total| total != page.total);
        scan.total = Some(page.total);
        let named_before = scan.seen.len();
        for instance in &page.instances {
            scan.contradicted |= !scan.seen.insert(instance.service);
        }
        let unreadable = page.unreadable();
        let named = scan.seen.len() as u64;
        // An API that shows the same page whatever is asked for would be read for ever; rows that name
        // nobody may be the same ones again.
        let brought_news =
            scan.seen.len() > named_before || (unreadable > 0 && scan.unreadable == 0);
        scan.unreadable += unreadable;
        // Another page than the one asked for: the list has become shorter meanwhile. Rows that name
        // nobody end no scan: they may be none of the account's at all.
        let has_room = scan.seen.len() < INSTANCES_MAX && self.text_bytes < TEXT_BYTES_MAX;
        let may_go_on = brought_news && has_room && asked < PAGES_MAX;
        if page.number == asked && may_go_on && named < page.total {
            scan.next += 1;
            return;
        }
        let complete = !scan.contradicted && named == page.total;
        // What is missing may be hidden in rows that cannot be read; another scan would not show it.
        let is_hidden = !scan.contradicted && scan.unreadable > 0 && scan.read() >= page.total;
        let number = scan.number;
        if !complete && !is_hidden && has_room && number < WALKS_MAX {
            self.scan = Some(Scan::new(number + 1));
            return;
        }
        if complete {
            let seen = std::mem::take(&mut scan.seen);
            for (service, listed) in &mut self.listed {
                if !seen.contains(service) {
                    listed.page = None;
                }
            }
            self.complete = true;
        }
        self.scan = None;
        self.scanned = true;
        news.scan_ended = Some((began_at, complete));
    }

    /// The pages on which `services` stand. One that is not listed adds none.
    pub fn pages_of(&self, services: impl Iterator<Item = ServiceId>) -> BTreeSet<u32> {
        services
            .filter_map(|service| self.listed.get(&service)?.page)
            .collect()
    }
}

/// Whom rows of one page contradict each other about: which of them is true nobody knows.
fn contradicted(rows: &[Instance]) -> HashSet<ServiceId> {
    let mut first: HashMap<ServiceId, &Instance> = HashMap::with_capacity(rows.len());
    let mut contradicted = HashSet::new();
    for row in rows {
        let before = *first.entry(row.service).or_insert(row);
        if (&before.status, &before.image) != (&row.status, &row.image) {
            contradicted.insert(row.service);
        }
    }
    contradicted
}

/// A look that showed nothing.
fn unclear(requested_at: Instant) -> Observation {
    Observation {
        requested_at,
        status: InstanceStatus::Missing,
        image: None,
    }
}

fn observation(instance: &Instance, requested_at: Instant) -> Observation {
    Observation {
        requested_at,
        status: instance.status.clone(),
        image: instance.image.clone(),
    }
}

#[cfg(test)]
mod tests;
