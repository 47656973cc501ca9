//! Which jobs the rules of the roll-out let start.

use std::num::NonZeroU32;

use super::Machine;
use super::bindings::Unfenced;
use super::course::RolloutRooms;
use crate::job::JobId;
use crate::queue::{Admission, QueuedJob, RolloutProgress, Strays};
use crate::run::hosts::Waits;
use crate::run::start_order::BASELINE_AGE_MAX;
use crate::run::{Halt, Now};

impl Machine {
    /// The store has to be asked how far the roll-out has come. What is still to be committed it does
    /// not know yet.
    pub(super) fn wants_rollout(&self, now: Now) -> bool {
        let rooms = &self.rollout;
        let is_old = rooms.groups.are_old(now) || rooms.canaries.are_old(now);
        is_old && self.desk.is_clear() && !self.is_ending() && !self.course.only_looks
    }

    /// The store's answer.
    pub(super) fn answer_rollout(&mut self, progress: RolloutProgress, now: Now) {
        let rooms = &mut self.rollout;
        rooms.groups.learn(progress.down, now);
        let canaries = progress.canaries;
        let others_go = canaries.is_some_and(|canaries| rooms.canaries.learn(canaries, now));
        if rooms.groups.take_freed() || others_go {
            self.backlog.look_again();
        }
    }

    /// The store has to be asked what may still take effect, before it is asked for jobs.
    pub(super) fn wants_strays(&self, now: Now) -> bool {
        !self.course.only_looks
            && self.wants_jobs(now).is_some()
            && self.rollout.bindings.are_old(now)
    }

    /// The store's answer.
    pub(super) fn answer_strays(&mut self, strays: &Strays, now: Now) {
        let rules = &self.options.rules;
        let waits = Waits {
            request: rules.request_timeout,
            settle: rules.settle,
        };
        self.rollout.bindings.learn(strays, waits, now);
    }

    /// What can take effect no more binds its service no longer.
    pub(super) fn free_services(&mut self, now: Now) {
        let bindings = &mut self.rollout.bindings;
        let is_freed = bindings.take_freed(now);
        let next_at = bindings.next_at();
        if is_freed {
            self.backlog.look_again();
        }
        if let Some(at) = next_at {
            self.wake_by(at);
        }
    }

    /// Of each image so many go first, if that is to be asked: to find them is no small thing.
    pub(super) fn wanted_canaries(&self, now: Now) -> Option<NonZeroU32> {
        let canaries = &self.rollout.canaries;
        canaries.each().filter(|_| canaries.are_old(now))
    }

    /// The store was asked what is down, and who goes first. A look starts nothing, and asks nothing.
    pub(super) fn knows_rollout(&self) -> bool {
        let rooms = &self.rollout;
        self.course.only_looks || rooms.groups.are_known() && rooms.canaries.are_known()
    }

    /// A job has taken a step.
    pub(super) fn rolled_on(&mut self, job: &QueuedJob) {
        let rooms = &mut self.rollout;
        rooms.groups.moved(job);
        if rooms.canaries.moved(job) || rooms.groups.take_freed() {
            self.backlog.look_again();
        }
    }

    /// The rules let the job start. What is down already waits for nobody to be proven: it was put back by
    /// somebody's word, and may be what one that goes first waits for.
    pub(super) fn is_admitted(&self, job: &QueuedJob) -> bool {
        let RolloutRooms {
            canaries, groups, ..
        } = &self.rollout;
        let goes_first = canaries.admit(job.id) || groups.is_down(job);
        goes_first && groups.admit(job)
    }

    /// The jobs to ask for, `limit` of them at most; `None`: whichever the manifest's order says. Who goes
    /// first goes before any order.
    pub(super) fn next_in_sequence(
        &self,
        limit: usize,
        until_ms: i64,
        now: Now,
    ) -> Option<(u32, Vec<JobId>)> {
        if self.rollout.canaries.each().is_some() {
            return None;
        }
        let read_lately = |page| {
            let read_at = self.account.inventory.brought_at(page)?;
            (now.at.saturating_duration_since(read_at) < BASELINE_AGE_MAX / 2).then_some(read_at)
        };
        self.rollout.sequence.next(limit, until_ms, read_lately)
    }

    /// The same for whoever hands out jobs, of all or of those that are asked for.
    pub(super) fn admission(&self, asked_for: Option<&Vec<JobId>>) -> Admission {
        let RolloutRooms {
            canaries,
            groups,
            bindings,
            ..
        } = &self.rollout;
        let only = canaries.only().map(|mut only| {
            only.extend(groups.sent_again());
            only
        });
        let listed = || {
            let mut listed = asked_for.cloned()?;
            listed.extend(groups.sent_again());
            Some(listed)
        };
        let only = only.or_else(listed);
        Admission {
            only,
            not_of: groups.full().cloned().collect(),
            but: groups.sent_again().collect(),
            not_images: self.backlog.late().collect(),
            over: bindings.over(),
        }
    }

    /// Some rule keeps jobs from starting.
    fn admits_some_alone(&self) -> bool {
        let RolloutRooms {
            canaries, groups, ..
        } = &self.rollout;
        canaries.each().is_some() || groups.full().next().is_some()
    }

    /// A job that went first did not end well.
    pub(super) fn lost_canary(&self) -> Option<Halt> {
        let job = self.rollout.canaries.lost()?;
        Some(Halt::Canary {
            service: job.service,
            state: job.record.state,
            executed: job.record.executed(),
        })
    }

    /// Jobs are queued, nothing is in flight, and none of them starts. If the rules keep them from it, only
    /// somebody's word helps; whether it was given already, the store knows. Returns whether that is to be
    /// looked at once more, and not at once.
    pub(super) fn rests(&mut self, now: Now) -> bool {
        let admits_some_alone = self.admits_some_alone();
        let rooms = &mut self.rollout;
        if !rooms.bindings.are_fresh(now) {
            rooms.bindings.forget();
            return false;
        }
        if rooms.bindings.next_at().is_some() {
            return true;
        }
        if let Some(unfenced) = rooms.bindings.unfenced().cloned() {
            let Unfenced {
                service,
                batch,
                host,
            } = unfenced;
            self.halt_for(Halt::Unfenced {
                service,
                batch,
                host,
            });
            return false;
        }
        if !admits_some_alone {
            // Put back since the store was asked what binds it.
            return true;
        }
        let rooms = &mut self.rollout;
        if !(rooms.groups.are_fresh(now) && rooms.canaries.are_fresh(now)) {
            rooms.groups.forget();
            rooms.canaries.forget();
            return false;
        }
        if let Some(down) = rooms.groups.first_full() {
            let halt = Halt::GroupDown {
                group: down.group.clone(),
                other_batch: down.other_batch,
                service: down.service,
                state: down.state,
            };
            self.halt_for(halt);
            return false;
        }
        true
    }
}
