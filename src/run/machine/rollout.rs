//! Which jobs the rules of the roll-out let start.

use super::Machine;
use crate::queue::{Admission, QueuedJob, RolloutProgress};
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
        if rooms.canaries.learn(progress.canaries, now) || rooms.groups.take_freed() {
            self.backlog.look_again();
        }
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

    /// The rules let the job start.
    pub(super) fn is_admitted(&self, job: &QueuedJob) -> bool {
        self.rollout.groups.admit(job) && self.rollout.canaries.admit(job.id)
    }

    /// The same for whoever hands out jobs.
    pub(super) fn admission(&self) -> Admission {
        Admission {
            only: self.rollout.canaries.only(),
            not_of: self.rollout.groups.full().cloned().collect(),
        }
    }

    /// A job that went first did not end well.
    pub(super) fn lost_canary(&self) -> Option<Halt> {
        let job = self.rollout.canaries.lost()?;
        Some(Halt::Canary {
            service: job.service,
            state: job.record.state,
        })
    }

    /// Jobs are queued, nothing is in flight, and none of them starts. If the rules keep them from it, only
    /// somebody's word helps; whether it was given already, the store knows.
    pub(super) fn check_whether_held_back(&mut self, now: Now) {
        let rooms = &mut self.rollout;
        if !(rooms.groups.are_fresh(now) && rooms.canaries.are_fresh(now)) {
            rooms.groups.forget();
            rooms.canaries.forget();
        } else if let Some((group, service, state)) = rooms.groups.first_full() {
            let group = group.clone();
            self.halt_for(Halt::GroupDown {
                group,
                service,
                state,
            });
        }
    }
}
