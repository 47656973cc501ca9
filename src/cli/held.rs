//! Which rules of the roll-out hold jobs of a batch back, by the options of its last run.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use crate::cli::options::rollout_of;
use crate::job::{BatchId, Control, Group, ServiceId, State};
use crate::queue::{Queue, QueuedJob, StoreError};
use crate::run::Rollout;
use crate::text;

/// Instances that are named before the rest is only counted.
const MEMBERS_MAX: usize = 5;

/// What holds jobs back until something has happened, or somebody has spoken.
#[derive(Debug, Default)]
pub struct Held {
    /// Those that go first and are not proven yet; empty: nothing waits for them.
    pub canaries: Vec<(ServiceId, State)>,
    /// Jobs that wait for them.
    pub behind_canaries: u64,
    /// Of each image so many go first, where others wait for them.
    pub canary: Option<NonZeroU32>,
    pub groups: Vec<HeldGroup>,
}

impl Held {
    /// One that is waited for, and of which only somebody's word settles what is next.
    pub fn needs_a_word(&self) -> Option<ServiceId> {
        let is_stuck = |(_, state): &&(ServiceId, State)| match state {
            State::Failed | State::InDoubt | State::Done => true,
            State::Queued | State::Submitting | State::InProgress | State::Cancelled => false,
        };
        let of_groups = self.groups.iter().flat_map(|held| &held.down);
        let mut all = self.canaries.iter().chain(of_groups);
        all.find(is_stuck).map(|(service, _)| *service)
    }

    /// What keeps `job` from starting, for people; `None`: none of these rules does.
    pub fn of(&self, job: &QueuedJob) -> Option<String> {
        if job.record.state != State::Queued || job.record.is_down() {
            return None;
        }
        let is_canary = self
            .canaries
            .iter()
            .any(|(service, _)| *service == job.service);
        if !self.canaries.is_empty() && !is_canary {
            return Some(format!(
                "by those that go first: {}",
                members(&self.canaries)
            ));
        }
        let mut groups = self.groups.iter();
        let held = groups.find(|held| Some(&held.group) == job.group.as_ref())?;
        let group = text::brief(held.group.as_str(), 40);
        Some(format!("by its group `{group}`: {}", members(&held.down)))
    }
}

/// Instances, and where the job of each stands, for people.
pub fn members(members: &[(ServiceId, State)]) -> String {
    let named = members.iter().take(MEMBERS_MAX);
    let named: Vec<String> = named
        .map(|(service, state)| format!("{service} ({state})"))
        .collect();
    match members.len().saturating_sub(MEMBERS_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// A group of which no further member may go down.
#[derive(Debug)]
pub struct HeldGroup {
    pub group: Group,
    /// Members that wait.
    pub waiting: u64,
    /// Those that are down.
    pub down: Vec<(ServiceId, State)>,
}

/// What holds jobs of `batch` back under the rules of `rollout`, and under what operators have said of it.
pub async fn held(
    queue: &mut Queue,
    batch: BatchId,
    rollout: &Rollout,
    control: &Control,
) -> Result<Held, StoreError> {
    let canary = rollout.canary.filter(|_| control.released.is_none());
    let progress = queue.rollout_progress(batch, canary).await?;
    let mut held = Held::default();
    let first = progress.canaries.unwrap_or_default();
    if !first.iter().all(|job| job.record.is_proven()) {
        let queued = first.iter().filter(|job| job.record.state == State::Queued);
        let all = queue.tally(batch).await?.queued;
        held.behind_canaries = all.saturating_sub(queued.count() as u64);
        held.canary = canary.filter(|_| held.behind_canaries > 0);
        let unproven = first.iter().filter(|job| !job.record.is_proven());
        let unproven = unproven.map(|job| (job.service, job.record.state));
        held.canaries = unproven.collect();
    }
    let mut down: BTreeMap<Group, Vec<(ServiceId, State)>> = BTreeMap::new();
    for one in progress.down.into_iter().filter(|one| one.is_waited_for) {
        let members = down.entry(one.group).or_default();
        members.push((one.service, one.state));
    }
    down.retain(|_, members| members.len() >= rollout.max_per_group.get() as usize);
    if !down.is_empty() {
        let full: Vec<&Group> = down.keys().collect();
        let waiting = queue.waiting_by_group(batch, &full).await?;
        let groups = down.into_iter().map(|(group, down)| HeldGroup {
            waiting: waiting.get(&group).copied().unwrap_or_default(),
            group,
            down,
        });
        held.groups = groups.collect();
    }
    Ok(held)
}

/// What operators have said of `batch`, but for what was for one run.
pub async fn said(queue: &mut Queue, batch: BatchId) -> Result<Control, StoreError> {
    let mut control = Control::default();
    control.hear_all(&queue.control(batch, 0).await?);
    Ok(control)
}

/// What holds jobs of `batch` back by the rules of its last run; before the first one, nothing does.
pub async fn held_now(queue: &mut Queue, batch: BatchId) -> Result<Held, StoreError> {
    let Some(run) = queue.runs(batch, 1).await?.pop() else {
        return Ok(Held::default());
    };
    let control = said(queue, batch).await?;
    held(queue, batch, &rollout_of(&run.options), &control).await
}
