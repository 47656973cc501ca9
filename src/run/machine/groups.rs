//! Groups of instances of which only so many may be down at once.
//!
//! Down is by state, whoever looks: from the intent until the instance is back, or somebody has given
//! his word on it. What this run does it sees itself; the store tells what earlier runs have left, and
//! what an operator has said meanwhile.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use super::canaries::FRESH;
use crate::job::{Group, JobId, State};
use crate::queue::{Down, QueuedJob};
use crate::run::Now;

/// How long the store's answer is believed where an operator may have said something meanwhile.
const AGE_MAX: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Groups {
    max: NonZeroU32,
    /// When the store was asked last; `None`: it has to be asked.
    asked_at: Option<Instant>,
    /// Members that are down.
    down: HashMap<Group, BTreeMap<JobId, Down>>,
    /// Groups of which other members wait, as far as the store has said.
    waited_for: HashSet<Group>,
    /// A group has room that had none.
    is_freed: bool,
}

impl Groups {
    pub(super) fn new(max: NonZeroU32) -> Self {
        Self {
            max,
            asked_at: None,
            down: HashMap::new(),
            waited_for: HashSet::new(),
            is_freed: false,
        }
    }

    /// The store was asked at all.
    pub(super) fn are_known(&self) -> bool {
        self.asked_at.is_some()
    }

    /// The store has to be asked, for the first time or again.
    pub(super) fn are_old(&self, now: Now) -> bool {
        self.asked_at.is_none() || !self.down.is_empty() && now.is_past(self.asked_at, AGE_MAX)
    }

    /// What is known is of this very moment.
    pub(super) fn are_fresh(&self, now: Now) -> bool {
        !now.is_past(self.asked_at, FRESH)
    }

    pub(super) fn forget(&mut self) {
        self.asked_at = None;
    }

    /// What the store says.
    pub(super) fn learn(&mut self, down: Vec<Down>, now: Now) {
        let full: Vec<Group> = self.full().cloned().collect();
        self.down.clear();
        self.waited_for.clear();
        for one in down {
            if one.is_waited_for {
                self.waited_for.insert(one.group.clone());
            }
            let members = self.down.entry(one.group.clone()).or_default();
            members.insert(one.job, one);
        }
        self.is_freed |= full.iter().any(|group| !self.is_full(group));
        self.asked_at = Some(now.at);
    }

    /// A job has taken a step.
    pub(super) fn moved(&mut self, job: &QueuedJob) {
        let Some(group) = &job.group else { return };
        if job.record.is_down() {
            let down = self.down.entry(group.clone()).or_default();
            let member = Down {
                other_batch: None,
                job: job.id,
                service: job.service,
                group: group.clone(),
                state: job.record.state,
                is_waited_for: false,
            };
            down.insert(job.id, member);
        } else if let Some(down) = self.down.get_mut(group)
            && down.remove(&job.id).is_some()
        {
            self.is_freed = true;
            if down.is_empty() {
                self.down.remove(group);
            }
        }
    }

    /// A group has room, since this was asked last.
    pub(super) fn take_freed(&mut self) -> bool {
        std::mem::take(&mut self.is_freed)
    }

    /// The job may go down: no more of its group are down then than may be. One that is down already, and
    /// is to be sent again, has its turn when those before it have had theirs.
    pub(super) fn admit(&self, job: &QueuedJob) -> bool {
        let Some(down) = self.down_of(job) else {
            return true;
        };
        let comes_first = |(other, member): &(&JobId, &Down)| {
            **other != job.id && (member.state != State::Queued || **other < job.id)
        };
        let others = if down.contains_key(&job.id) {
            down.iter().filter(comes_first).count()
        } else {
            down.len()
        };
        !self.is_enough(others)
    }

    /// It is a member that is down, be it by an earlier order.
    pub(super) fn is_down(&self, job: &QueuedJob) -> bool {
        let down = self.down_of(job);
        down.is_some_and(|down| down.contains_key(&job.id))
    }

    /// Members that are down, and are to be sent again.
    pub(super) fn sent_again(&self) -> impl Iterator<Item = JobId> {
        let members = self.down.values().flatten();
        let again = members.filter(|(_, member)| member.state == State::Queued);
        again.map(|(job, _)| *job)
    }

    /// Groups of which no further member may go down.
    pub(super) fn full(&self) -> impl Iterator<Item = &Group> {
        let full = |(_, down): &(&Group, &BTreeMap<JobId, Down>)| self.is_enough(down.len());
        self.down.iter().filter(full).map(|(group, _)| group)
    }

    /// A member that is down, of the first full group by name for which others wait: one that nobody sends
    /// again, if there is one.
    pub(super) fn first_full(&self) -> Option<&Down> {
        let full = self.full().filter(|group| self.waited_for.contains(*group));
        let members = self.down.get(full.min()?)?.values();
        members.min_by_key(|member| member.state == State::Queued)
    }

    /// The members of the job's group that are down.
    fn down_of(&self, job: &QueuedJob) -> Option<&BTreeMap<JobId, Down>> {
        self.down.get(job.group.as_ref()?)
    }

    fn is_full(&self, group: &Group) -> bool {
        let down = self.down.get(group);
        down.is_some_and(|down| self.is_enough(down.len()))
    }

    fn is_enough(&self, down: usize) -> bool {
        down >= self.max.get() as usize
    }
}
