//! Which jobs the store is asked for next, where they do not start in the manifest's order.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Instant;

use crate::event::Taken;
use crate::job::JobId;
use crate::run::start_order::{Pace, Spread, StartOrder};

/// The order in which jobs start. What it leaves out comes after it, in the manifest's: who is not in the list,
/// and who was put back beside the run by another command.
#[derive(Debug)]
pub(super) struct Sequence {
    asked: StartOrder,
    survey: Survey,
    taken: Option<Taken>,
    /// Jobs to come on each page, the next one last.
    to_come: BTreeMap<u32, Vec<JobId>>,
    /// The page whose jobs start now.
    page: u32,
    /// Who had a turn and was not handed out, and of which page they are.
    held_back: Vec<(u32, JobId)>,
    /// Somebody was, in this round through the list.
    has_handed: bool,
    /// Who was put back since, and when they fall due.
    put_back: Vec<(i64, JobId)>,
    /// The list's order has begun.
    has_begun: bool,
}

/// Where the jobs stand, as far as it was told.
#[derive(Debug)]
struct Survey {
    spread: Spread,
    pages: BTreeSet<u32>,
    jobs: Vec<(u32, JobId)>,
}

impl Survey {
    fn new(workers: usize) -> Self {
        Self {
            spread: Spread::new(workers),
            pages: BTreeSet::new(),
            jobs: Vec::new(),
        }
    }
}

impl Sequence {
    /// Of a run with so many workers.
    pub(super) fn new(asked: StartOrder, workers: usize) -> Self {
        Self {
            asked,
            survey: Survey::new(workers),
            taken: None,
            to_come: BTreeMap::new(),
            page: 0,
            held_back: Vec::new(),
            has_handed: false,
            put_back: Vec::new(),
            has_begun: false,
        }
    }

    /// The next job of the manifest stands on this page of the list.
    pub(super) fn stands_on(&mut self, page: u32, job: JobId) {
        if self.asked != StartOrder::Manifest && self.taken.is_none() {
            self.survey.spread.next(page);
            self.survey.pages.insert(page);
            self.survey.jobs.push((page, job));
        }
    }

    /// All were told: returns which order is taken, if that is news.
    pub(super) fn conclude(&mut self, pace: &Pace) -> Option<Taken> {
        if self.taken.is_some() {
            return None;
        }
        let survey = std::mem::replace(&mut self.survey, Survey::new(1));
        let taken = survey.spread.take(self.asked, survey.pages.len(), pace);
        self.taken = Some(taken);
        if taken.list_after.is_some() {
            for (page, job) in survey.jobs.into_iter().rev() {
                self.to_come.entry(page).or_default().push(job);
            }
        }
        Some(taken)
    }

    /// So many have started: whether the list's order begins now.
    pub(super) fn begins(&mut self, launched: usize) -> bool {
        let list_after = self.taken.and_then(|taken| taken.list_after);
        let begins = !self.has_begun && list_after.is_some_and(|after| launched >= after);
        self.has_begun |= begins;
        begins
    }

    /// A job is back in the queue, and falls due then.
    pub(super) fn put_back(&mut self, job: JobId, due_ms: i64) {
        if self.taken.is_none_or(|taken| taken.list_after.is_some())
            && self.asked != StartOrder::Manifest
        {
            self.put_back.push((due_ms, job));
        }
    }

    /// The next ones, `count` at most: those that were put back and are due, and those of one page; `None`: the
    /// manifest's order says. After a page comes one that was `read_lately`, whose reading is good for its
    /// starts, too: the one of them that was read first, before that has grown old. Else it is the next one of
    /// the list.
    pub(super) fn next(
        &self,
        count: usize,
        now_ms: i64,
        read_lately: impl Fn(u32) -> Option<Instant>,
    ) -> Option<(u32, Vec<JobId>)> {
        let read = self
            .to_come
            .keys()
            .filter_map(|page| Some((read_lately(*page)?, *page)));
        let next = || {
            let mut later = self.to_come.range(self.page..).chain(&self.to_come);
            later.next().map(|(page, _)| *page)
        };
        let page = if self.to_come.contains_key(&self.page) {
            self.page
        } else {
            read.min().map(|(_, page)| page).or_else(next)?
        };
        let due = self.put_back.iter().filter(|(due_ms, _)| *due_ms <= now_ms);
        let due = due.map(|(_, job)| *job);
        let there = self.to_come[&page].iter().rev().copied();
        self.has_begun
            .then(|| (page, due.chain(there).take(count).collect()))
    }

    /// These were asked for, of this page, and those of them were `handed` out. Who was not, and is not `known`
    /// here already, was held back by some rule, or is not queued: it is asked for once more after the others.
    pub(super) fn had_their_turn(
        &mut self,
        page: u32,
        asked: &[JobId],
        handed: &HashSet<JobId>,
        known: &HashSet<JobId>,
    ) {
        self.page = page;
        self.has_handed |= !handed.is_empty();
        let asked: HashSet<&JobId> = asked.iter().collect();
        // A refusal that is still to be explained leads here again, or nowhere.
        let is_over = |job: &JobId| asked.contains(job) && !known.contains(job);
        self.put_back.retain(|(_, job)| !is_over(job));
        if let Some(mut there) = self.to_come.remove(&page) {
            let held_back = there.iter().filter(|job| asked.contains(job));
            let held_back = held_back.filter(|job| !handed.contains(job) && !known.contains(job));
            self.held_back.extend(held_back.map(|job| (page, *job)));
            there.retain(|job| !asked.contains(job));
            if !there.is_empty() {
                self.to_come.insert(page, there);
            }
        }
        // A round in which nobody was handed out has no other after it.
        if self.to_come.is_empty() && std::mem::take(&mut self.has_handed) {
            for (page, job) in std::mem::take(&mut self.held_back).into_iter().rev() {
                self.to_come.entry(page).or_default().push(job);
            }
        }
    }
}
