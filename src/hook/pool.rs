//! So many hooks at once: claimed in the queue, carried out, and their ends written down.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::document::document;
use super::process::{Start, carry_out};
use super::runner::{may_live, this};
use super::settings::Settings;
use crate::job::{
    Access, BatchId, HookEnd, HookRunner, HookState, HookStep, JobId, LedgerEntry, Order,
    ServiceId, State,
};
use crate::queue::{Backend as _, Queue, QueuedJob, Selection, StoreError};
use crate::time;

/// So often it is looked whether new ones wait.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// From a failed try to the next one; it doubles with each further one.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// So many that wait for their instances' host keys keep no others waiting.
const WAITING_MAX: usize = 64;

/// An end that cannot be written is tried so often, after a pause each.
const WRITES: u32 = 5;

/// How far a pool goes; it never goes further again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Whatever comes is carried out.
    Work,
    /// What is there is carried out.
    Finish,
    /// Nothing is started any more, and what was started is waited for.
    Stop,
    /// What was started is ended at once: nobody knows how far it has come.
    Kill,
}

/// Which hooks are meant.
#[derive(Debug)]
pub enum Asked {
    /// Those that wait for their turn, in the manifest's order; each as soon as its instance's new host key is
    /// known, for which a run at work looks so long.
    Pending { keys_take: Duration },
    /// Those of these services, whatever became of them: somebody asks for them again.
    Services(VecDeque<ServiceId>),
}

/// What became of the hooks that a pool has carried out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    /// They have ended well.
    pub done: u64,
    /// They have failed, and are not tried again.
    pub failed: u64,
    /// Somebody asked for them, and they could not be carried out.
    pub left_alone: u64,
}

/// What carries out the hooks of a batch.
pub struct Pool<'a> {
    queue: &'a mut Queue,
    batch: BatchId,
    settings: Settings,
    asked: Asked,
    /// What went wrong, in words for people.
    tell: &'a (dyn Fn(String) + Sync),
    running: JoinSet<(Claimed, HookEnd)>,
    /// Those that have failed and are tried again, and when.
    again: HashMap<JobId, (ServiceId, Instant)>,
    /// So often in a row the queue could not be asked.
    faults: u32,
    outcome: Outcome,
}

/// A hook that this process has started, or is about to.
struct Claimed {
    job: QueuedJob,
    runner: HookRunner,
    tries: u32,
}

impl<'a> Pool<'a> {
    pub fn new(
        queue: &'a mut Queue,
        batch: BatchId,
        settings: Settings,
        asked: Asked,
        tell: &'a (dyn Fn(String) + Sync),
    ) -> Self {
        Self {
            queue,
            batch,
            settings,
            asked,
            tell,
            running: JoinSet::new(),
            again: HashMap::new(),
            faults: 0,
            outcome: Outcome::default(),
        }
    }

    /// Works until the phase says that it is enough; a phase that nobody can change any more counts as
    /// [`Phase::Stop`].
    pub async fn work(mut self, mut phases: watch::Receiver<Phase>) -> Result<Outcome, StoreError> {
        let mut is_guided = true;
        loop {
            let phase = match *phases.borrow_and_update() {
                Phase::Kill => {
                    self.running.shutdown().await;
                    return Ok(self.outcome);
                }
                phase if is_guided => phase,
                Phase::Work | Phase::Finish | Phase::Stop => Phase::Stop,
            };
            if phase != Phase::Stop {
                match self.start_some(phase).await {
                    Ok(()) => self.faults = 0,
                    Err(error) if self.faults == WRITES => return Err(error),
                    Err(_) => self.faults += 1,
                }
            }
            let is_idle = self.running.is_empty() && self.faults == 0;
            let is_over = match phase {
                Phase::Work | Phase::Kill => false,
                Phase::Finish => is_idle && self.again.is_empty(),
                Phase::Stop => self.running.is_empty(),
            };
            if is_over {
                return Ok(self.outcome);
            }
            let look_at = self.next_look(phase);
            tokio::select! {
                changed = phases.changed(), if is_guided => is_guided = changed.is_ok(),
                Some(ended) = self.running.join_next() => match ended {
                    Ok((claimed, end)) => self.end(claimed, end).await?,
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                () = sleep_until(look_at.into()) => {}
            }
        }
    }

    fn next_look(&self, phase: Phase) -> Instant {
        let now = Instant::now();
        let again = self.again.values().map(|(_, at)| *at).min();
        let look = match phase {
            _ if self.faults > 0 => now + PAUSE,
            Phase::Work => now + LOOK_EVERY,
            Phase::Finish | Phase::Stop | Phase::Kill => now + PAUSE_MAX,
        };
        again.map_or(look, |again| {
            look.min(again.max(now + Duration::from_millis(10)))
        })
    }

    /// Starts what waits, as far as there is room.
    async fn start_some(&mut self, phase: Phase) -> Result<(), StoreError> {
        loop {
            let room = self.settings.workers.saturating_sub(self.running.len());
            if room == 0 {
                return Ok(());
            }
            let due = self.due(room, phase).await?;
            if due.is_empty() {
                return Ok(());
            }
            let mut is_any = false;
            for (service, by_word) in due {
                if let Some(claimed) = self.claim(service, by_word).await? {
                    crate::failpoint!("hook_claimed");
                    self.start(claimed);
                    is_any = true;
                }
            }
            if !is_any && matches!(self.asked, Asked::Pending { .. }) {
                return Ok(()); // others have them
            }
        }
    }

    /// The next ones, and whether somebody asks for each.
    async fn due(
        &mut self,
        room: usize,
        phase: Phase,
    ) -> Result<Vec<(ServiceId, bool)>, StoreError> {
        let now = Instant::now();
        let ripe = self.again.iter().filter(|(_, (_, at))| *at <= now);
        let ripe: Vec<(JobId, ServiceId)> = ripe
            .take(room)
            .map(|(job, (service, _))| (*job, *service))
            .collect();
        let mut due = Vec::with_capacity(room);
        for (job, service) in ripe {
            self.again.remove(&job);
            due.push((service, false));
        }
        let room = room - due.len();
        match &mut self.asked {
            Asked::Services(services) => {
                let next = services.drain(..room.min(services.len()));
                due.extend(next.map(|service| (service, true)));
            }
            Asked::Pending { keys_take } if room > 0 => {
                let limit = room + self.again.len() + due.len() + WAITING_MAX;
                let keys_take = *keys_take;
                let is_early = |job: &QueuedJob| {
                    phase == Phase::Work && waits_for_key(job, keys_take, time::now_ms())
                };
                let pending = [HookState::Pending];
                let jobs = self.queue.hooks(self.batch, &pending, None, limit).await?;
                let is_taken = |job: &QueuedJob| {
                    self.again.contains_key(&job.id) || due.contains(&(job.service, false))
                };
                let fresh: Vec<ServiceId> = (jobs.iter())
                    .filter(|job| !is_taken(job) && !is_early(job))
                    .map(|job| job.service)
                    .take(room)
                    .collect();
                due.extend(fresh.into_iter().map(|service| (service, false)));
            }
            Asked::Pending { .. } => {}
        }
        Ok(due)
    }

    /// Takes the hook, unless somebody else has it or it is over. From then on nobody starts it but this
    /// process, or somebody's word.
    async fn claim(
        &mut self,
        service: ServiceId,
        by_word: bool,
    ) -> Result<Option<Claimed>, StoreError> {
        crate::failpoint!("hook_before_claim");
        let now_ms = time::now_ms();
        let runner = this(now_ms, self.settings.timeout());
        let step = HookStep::Started {
            runner: runner.clone(),
            by_word,
        };
        let decide = |job: &QueuedJob, touched_by: Option<BatchId>| {
            match touched_by {
                Some(batch) if by_word => {
                    return Err(format!("batch {batch} has touched its instance since"));
                }
                // Whatever follows now is that batch's.
                Some(_) => return Ok(LedgerEntry::Hook(HookStep::Forgotten)),
                None => {}
            }
            let hook = job.record.hook.as_ref();
            let runner = hook.and_then(|hook| hook.runner.as_ref());
            if runner.is_some_and(|runner| may_live(runner, now_ms)) {
                return Err("it is being carried out".to_owned());
            }
            match hook.map(|hook| hook.state) {
                None => return Err("it has none".to_owned()),
                Some(HookState::Done) => return Err("it has ended well".to_owned()),
                Some(HookState::Forgotten) => {
                    return Err("it was given up, and what it needs is erased".to_owned());
                }
                Some(HookState::Pending | HookState::Started | HookState::Failed) => {}
            }
            Ok(LedgerEntry::Hook(step.clone()))
        };
        let selection = Selection::Services(vec![service]);
        let command = self
            .queue
            .command(self.batch, &selection, &[State::Done], &decide, now_ms);
        let outcome = command.await?;
        if outcome.changed.is_empty() {
            let why = outcome.refused.into_iter().next();
            if let Some((service, why)) = why.filter(|_| by_word) {
                self.outcome.left_alone += 1;
                (self.tell)(format!(
                    "the hook of service {service} is left alone: {why}"
                ));
            }
            return Ok(None);
        }
        let jobs = self.queue.jobs_of(service).await?;
        let job = jobs.into_iter().find(|(batch, _)| *batch == self.batch);
        Ok(job.and_then(|(_, job)| {
            let hook = job.record.hook.as_ref()?;
            let tries = (hook.runner.as_ref() == Some(&runner)).then_some(hook.tries)?;
            Some(Claimed { job, runner, tries })
        }))
    }

    fn start(&mut self, claimed: Claimed) {
        let password = match claimed.job.order.with_secret() {
            Some(Order::Rebuild(rebuild)) => match rebuild.access {
                Access::Password(password) => Some(password),
                Access::SshKey(_) | Access::Image => None,
            },
            None => None,
        };
        let start = Start {
            command: self.settings.command.clone(),
            document: document(self.batch, &claimed.job),
            password,
            lasts_max: self.settings.timeout(),
        };
        self.running.spawn(async move {
            let end = carry_out(start).await;
            (claimed, end)
        });
    }

    /// Writes down how it ended.
    async fn end(&mut self, claimed: Claimed, end: HookEnd) -> Result<(), StoreError> {
        crate::failpoint!("hook_ended");
        let Claimed { job, runner, tries } = claimed;
        let is_success = end.how.is_success();
        let again = !is_success && tries <= self.settings.retries;
        let how = end.how;
        let step = HookStep::Ended { end, again };
        let decide = |job: &QueuedJob, _: Option<BatchId>| {
            let hook = job.record.hook.as_ref();
            // Somebody may have asked for it once more, and another process may have it.
            let is_ours = hook
                .is_some_and(|hook| hook.runner.as_ref() == Some(&runner) && hook.tries == tries);
            if is_ours {
                Ok(LedgerEntry::Hook(step.clone()))
            } else {
                Err("somebody else has it".to_owned())
            }
        };
        let selection = Selection::Services(vec![job.service]);
        for write in 1.. {
            let now_ms = time::now_ms();
            let states = [State::Done];
            let command = self
                .queue
                .command(self.batch, &selection, &states, &decide, now_ms);
            match command.await {
                Ok(_) => break,
                Err(error) if write == WRITES => return Err(error),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        crate::failpoint!("hook_recorded");
        if is_success {
            self.outcome.done += 1;
        } else if again {
            let pause = PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(16));
            let at = Instant::now() + pause.min(PAUSE_MAX);
            self.again.insert(job.id, (job.service, at));
        } else {
            self.outcome.failed += 1;
            (self.tell)(format!(
                "the hook of service {} has failed: {how}",
                job.service
            ));
        }
        Ok(())
    }
}

/// The run is still looking for the new host key of the instance, which had shown one before.
fn waits_for_key(job: &QueuedJob, keys_take: Duration, now_ms: i64) -> bool {
    let record = &job.record;
    let since = record
        .completed_ms
        .map(|done_ms| time::between(done_ms, now_ms));
    let is_expected = record.key_before().is_some() && record.new_key().is_none();
    is_expected && since.is_some_and(|since| since < keys_take)
}
