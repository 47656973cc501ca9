//! What holds jobs of a batch back.

use std::collections::{BTreeMap, HashSet};
use std::num::NonZeroU32;

use serde_json::Value;

use super::until::{Until, Waited};
use crate::cli::at_work::at_work_on;
use crate::cli::error::CliError;
use crate::cli::recorded::{rebuild_timeout_of, rollout_of, waits_of};
use crate::cli::window;
use crate::job::{
    BatchId, Control, ControlEntry, Group, ImageId, Instruction, JobId, ServiceId, State,
};
use crate::queue::{
    Backend as _, Batch, Down, Overview as _, Queue, QueuedJob, Store as _, StoreError,
};
use crate::run::hosts::{Missing, stray};
use crate::run::{Durations, Rollout};
use crate::text;
use crate::time::{self, Window};

/// What holds jobs back until something has happened, or somebody has spoken.
#[derive(Debug, Default)]
pub struct Held {
    /// Who has said that nothing starts, if somebody has: a pause, or the drain of the run at work.
    pub by_word: Option<ControlEntry>,
    /// Those that go first and are not proven yet; empty: nothing waits for them.
    pub canaries: Vec<Waited>,
    /// Their instances, to be found among many.
    pub go_first: HashSet<ServiceId>,
    /// Jobs that wait for them.
    pub behind_canaries: u64,
    pub groups: Vec<HeldGroup>,
    /// Services of queued jobs for which something may still take effect, and what is missing until it can't.
    pub bound: BTreeMap<ServiceId, Bound>,
    /// How the window stands, if there is one.
    pub window: Option<HeldWindow>,
}

impl Held {
    /// Until those that go first are proven.
    pub fn until_proven(&self) -> Until {
        let each = self.canaries.iter().map(|canary| canary.until);
        each.max().unwrap_or(Until::Unknown)
    }

    /// Those that were to go first and did not end well: as long as there is one, no run starts anything.
    pub fn lost_canaries(&self) -> impl Iterator<Item = &Waited> {
        let canaries = self.canaries.iter();
        canaries.filter(|canary| canary.until == Until::Word)
    }

    /// Something other than a window or a word holds jobs back.
    pub fn holds_some(&self) -> bool {
        self.behind_canaries > 0 || !self.groups.is_empty() || !self.bound.is_empty()
    }

    /// Somebody has said that nothing starts until he says otherwise.
    pub fn is_paused(&self) -> bool {
        let word = self.by_word.as_ref();
        word.is_some_and(|word| word.instruction == Instruction::Pause)
    }

    /// For each service that waits for somebody to say that a host is down: the host.
    pub fn unfenced(&self) -> impl Iterator<Item = &str> {
        self.bound
            .values()
            .filter_map(|bound| match &bound.missing {
                Missing::Fence { host } => Some(host.as_str()),
                Missing::Time { .. } | Missing::Effect { .. } => None,
            })
    }

    /// One that is waited for, and of which only somebody's word settles what is next.
    pub fn needs_a_word(&self) -> Option<ServiceId> {
        let of_groups = self.groups.iter().flat_map(|held| &held.down);
        let mut all = self.canaries.iter().chain(of_groups);
        all.find(|waited| waited.until == Until::Word)
            .map(|waited| waited.service)
    }
}

/// A group of which no further member may go down.
#[derive(Debug)]
pub struct HeldGroup {
    pub group: Group,
    /// Members that wait.
    pub waiting: u64,
    /// Those that are down.
    pub down: Vec<Waited>,
    /// Until so many of them are back that another one may go down.
    pub until: Until,
}

/// What binds a service.
#[derive(Debug)]
pub struct Bound {
    /// The batch that it was submitted for.
    pub batch: BatchId,
    pub missing: Missing,
}

/// A window, and what does not fit into what is left of it.
#[derive(Debug)]
pub struct HeldWindow {
    pub window: Window,
    /// When it closes, as Unix time; `None`: it is closed.
    pub closes_ms: Option<i64>,
    /// When it opens next, after it has closed if it is open.
    pub opens_ms: i64,
    /// What gets one of these images would not be back before it closes: of a closed one, all.
    pub late: HashSet<Option<ImageId>>,
    /// Jobs that wait for the next opening.
    pub waiting: u64,
    /// Some job that is queued would be back in time.
    pub is_of_use: bool,
}

impl HeldWindow {
    /// How `window` stands at `now_ms`, for queued jobs with `images`, of each so many.
    fn new(
        window: Window,
        images: &[(Option<ImageId>, u64)],
        takes_ms: impl Fn(Option<ImageId>) -> i64,
        now_ms: i64,
    ) -> Self {
        let closes_ms = window.closes_at(now_ms);
        let back_by_ms = closes_ms.unwrap_or(i64::MIN);
        let (late, in_time): (Vec<_>, Vec<_>) = images
            .iter()
            .partition(|(image, _)| now_ms.saturating_add(takes_ms(*image)) > back_by_ms);
        Self {
            opens_ms: window.opens_at(closes_ms.unwrap_or(now_ms)),
            closes_ms,
            window,
            waiting: late.iter().map(|(_, jobs)| jobs).sum(),
            late: late.into_iter().map(|(image, _)| image).collect(),
            is_of_use: !in_time.is_empty(),
        }
    }
}

/// What holds jobs of `batch` back, by the rules in `options` and by what operators have said.
/// `is_worked_on`: a process works on it. Of a batch that has ended nothing is asked.
pub async fn held(
    queue: &mut Queue,
    batch: &Batch,
    options: &Value,
    control: &Control,
    is_worked_on: bool,
) -> Result<Held, StoreError> {
    if !batch.is_open() {
        return Ok(Held::default());
    }
    let rollout = rollout_of(options);
    let canary = rollout.canary.filter(|_| control.released.is_none());
    let progress = queue.rollout(batch.id, canary).await?;
    let first = progress.canaries.unwrap_or_default();
    let mut down: BTreeMap<Group, Vec<JobId>> = BTreeMap::new();
    for one in progress.down.into_iter().filter(|one| one.is_waited_for) {
        down.entry(one.group).or_default().push(one.job);
    }
    let max = rollout.max_per_group.get() as usize;
    down.retain(|_, members| members.len() >= max);
    let members: Vec<JobId> = down.values().flatten().copied().collect();
    let members = queue.jobs(&members).await?;
    let queued = match rollout.window {
        Some(_) => queue.queued_images(batch.id).await?,
        None => Vec::new(),
    };
    let jobs = first.iter().chain(&members);
    let mut images: HashSet<Option<ImageId>> = jobs.map(|job| job.order.image()).collect();
    images.extend(queued.iter().map(|(image, _)| *image));
    let images: Vec<Option<ImageId>> = images.into_iter().collect();
    let what = (batch.provider.as_str(), batch.action);
    let durations = window::learned(Some(queue), what, &images).await?;
    // A run that is drained sees through what is in flight, and starts nothing when that is back.
    let is_worked_on = is_worked_on && control.drained.is_none();
    let waited = |job: &QueuedJob| Waited::new(job, &durations, is_worked_on);
    let mut held = Held {
        by_word: (control.paused.clone()).or_else(|| control.drained.clone()),
        window: window_of(rollout, &queued, &durations, options),
        bound: bound(queue, batch.id, options).await?,
        ..Held::default()
    };
    if !first.iter().all(|job| job.record.is_proven()) {
        held.behind_canaries = behind(queue, batch.id, &first).await?;
        let unproven = first.iter().filter(|job| !job.record.is_proven());
        held.canaries = unproven.map(waited).collect();
        held.go_first = held.canaries.iter().map(|first| first.service).collect();
    }
    let full: Vec<&Group> = down.keys().collect();
    let waiting = queue.waiting_by_group(batch.id, &full).await?;
    let groups = down.into_iter().map(|(group, ids)| {
        let of_group = members.iter().filter(|job| ids.contains(&job.id));
        let down: Vec<Waited> = of_group.map(waited).collect();
        HeldGroup {
            waiting: waiting.get(&group).copied().unwrap_or_default(),
            until: until_room(&down, max),
            group,
            down,
        }
    });
    held.groups = groups.collect();
    Ok(held)
}

/// The services of queued jobs of `batch` that are bound.
async fn bound(
    queue: &mut Queue,
    batch: BatchId,
    options: &Value,
) -> Result<BTreeMap<ServiceId, Bound>, StoreError> {
    let strays = queue.strays(batch).await?;
    let (waits, now_ms) = (waits_of(options), time::now_ms());
    let in_the_way = strays.all.iter().filter(|stray| stray.is_in_the_way);
    let bound = in_the_way.filter_map(|stray| {
        let missing = stray::missing(stray, &strays, waits, now_ms)?;
        let batch = stray.batch;
        Some((stray.service, Bound { batch, missing }))
    });
    Ok(bound.collect())
}

/// Of each image so many go first, by the rules of the last run of `batch`, where others wait for them.
pub async fn canary_now(
    queue: &mut Queue,
    batch: &Batch,
) -> Result<Option<NonZeroU32>, StoreError> {
    let options = queue.options(batch.id).await?.unwrap_or_default();
    let is_released = said(queue, batch.id).await?.released.is_some();
    let Some(each) = rollout_of(&options).canary.filter(|_| !is_released) else {
        return Ok(None);
    };
    let progress = queue.rollout(batch.id, Some(each)).await?;
    let first = progress.canaries.unwrap_or_default();
    if first.iter().all(|job| job.record.is_proven()) {
        return Ok(None);
    }
    let is_waited_for = behind(queue, batch.id, &first).await? > 0;
    Ok(is_waited_for.then_some(each))
}

/// Jobs of `batch` that wait for the `first` ones.
async fn behind(queue: &mut Queue, batch: BatchId, first: &[QueuedJob]) -> Result<u64, StoreError> {
    let queued = first.iter().filter(|job| job.record.state == State::Queued);
    let all = queue.counts(batch).await?.queued;
    Ok(all.saturating_sub(queued.count() as u64))
}

/// What holds groups of a new order back before it has begun: a sentence for each of which an earlier order has
/// left so many members down that none of `groups`' may go down. `groups`: how many of each are ordered.
pub async fn down_already(
    queue: Option<&mut Queue>,
    groups: &BTreeMap<Group, u64>,
    max: NonZeroU32,
) -> Result<Vec<String>, StoreError> {
    let Some(queue) = queue else {
        return Ok(Vec::new());
    };
    let last = queue.batches().await?.last().map_or(0, |last| last.id.0);
    let down = queue.rollout(BatchId(last + 1), None).await?.down;
    let mut of_group: BTreeMap<&Group, Vec<&Down>> = BTreeMap::new();
    for one in down.iter().filter(|one| groups.contains_key(&one.group)) {
        of_group.entry(&one.group).or_default().push(one);
    }
    of_group.retain(|_, down| down.len() >= max.get() as usize);
    let sentences = of_group.into_iter().map(|(group, down)| {
        let down = down.into_iter().map(|one| {
            let of_batch = one.other_batch.map_or_else(String::new, |batch| {
                format!(" in batch {batch}")
            });
            format!("{} ({}{of_batch})", one.service, one.state)
        });
        let down: Vec<String> = down.collect();
        format!(
            "GROUP `{}` IS DOWN ALREADY: {}. Its members of this order wait until that is back, or you have given your word.",
            text::brief(group.as_str(), 40),
            down.join(", ")
        )
    });
    Ok(sentences.collect())
}

/// Until fewer than `max` of those that are down still are.
fn until_room(down: &[Waited], max: usize) -> Until {
    let mut until: Vec<Until> = down.iter().map(|waited| waited.until).collect();
    until.sort_unstable();
    let last = (down.len() + 1).saturating_sub(max).saturating_sub(1);
    until.get(last).copied().unwrap_or(Until::Unknown)
}

fn window_of(
    rollout: Rollout,
    queued: &[(Option<ImageId>, u64)],
    durations: &Durations,
    options: &Value,
) -> Option<HeldWindow> {
    let takes_ms = |image| {
        let takes = durations.p95(image);
        let takes = takes.unwrap_or_else(|| rebuild_timeout_of(options));
        i64::try_from(takes.as_millis()).unwrap_or(i64::MAX)
    };
    let window = rollout.window?;
    Some(HeldWindow::new(window, queued, takes_ms, time::now_ms()))
}

/// What operators have said of `batch`, but for what was for one run.
pub async fn said(queue: &mut Queue, batch: BatchId) -> Result<Control, StoreError> {
    let mut control = Control::default();
    control.hear_all(&queue.control(batch, 0).await?);
    Ok(control)
}

/// What holds jobs of `batch` back now, by the rules of its last run; as long as none has ordered it, by those
/// that hold where nothing else is said.
pub async fn held_now(queue: &mut Queue, batch: &Batch) -> Result<Held, CliError> {
    let options = queue.options(batch.id).await?.unwrap_or_default();
    let at_work = at_work_on(queue, batch.id).await?;
    let mut control = Control::of(at_work);
    control.hear_all(&queue.control(batch.id, 0).await?);
    Ok(held(queue, batch, &options, &control, at_work.is_some()).await?)
}
