//! What a run does while no job moves, and what it waits for.

use super::Machine;
use crate::event::{Activity, Limit};
use crate::job::State;
use crate::run::Now;

impl Machine {
    /// `None`: there is nothing new to say.
    pub(super) fn activity(&self, now: Now) -> Option<Activity> {
        if self.is_over() {
            return None;
        }
        let flights = &self.flights;
        let activity = if !self.gate.session().is_ready() {
            Activity::LoggingIn
        } else if let Some((read, total)) = self.account.inventory.scan_progress() {
            Activity::ReadingList { read, total }
        } else if let Some(by) = self.held_back_by(now) {
            Activity::HeldBack { by }
        } else if flights.has_any(State::Submitting) {
            Activity::Working
        } else if flights.has_any(State::InProgress) {
            Activity::WaitingForCompletion
        } else if !self.backlog.waiting().is_empty() {
            Activity::Working
        } else if flights.has_any(State::InDoubt) {
            let until = flights.doubts_until(&self.options.rules);
            let left = until.map(|until| until.saturating_duration_since(now.at));
            Activity::WatchingDoubts {
                until_ms: now.after_ms(left.unwrap_or_default()),
            }
        } else if self.backlog.is_empty() && self.account.witness.is_looking() {
            Activity::ReadingHostKeys
        } else {
            let due_at = self.backlog.next_due()?;
            Activity::WaitingToRetry {
                remaining: due_at.saturating_duration_since(now.at),
            }
        };
        Some(activity)
    }

    /// The rule of the roll-out by which the store hands out no more jobs, if there is one.
    fn admits_none(&self) -> Option<Limit> {
        let rooms = &self.rollout;
        if !self.backlog.is_exhausted() {
            None
        } else if rooms.canaries.each().is_some() {
            Some(Limit::Canary)
        } else {
            rooms.groups.full().next().map(|_| Limit::Groups)
        }
    }

    /// What keeps jobs from starting that are ready to, if anything does.
    pub(super) fn held_back_by(&self, now: Now) -> Option<Limit> {
        if self.is_ending() {
            return None;
        }
        if let Some(limit) = self.course.instructions.limit() {
            return Some(limit);
        }
        let waiting = self.backlog.waiting();
        if waiting.is_empty() {
            let is_late = self.backlog.has_late().then_some(Limit::Window);
            let limit = is_late.or_else(|| self.admits_none());
            return limit.filter(|_| self.narrator.queued() > 0);
        }
        if (waiting.iter()).all(|waiting| waiting.deferred_since.is_some()) {
            return Some(Limit::Instances);
        }
        if self.in_flight() >= self.options.workers {
            return Some(Limit::Workers);
        }
        if !self.may_fail() {
            return Some(Limit::FailureBudget);
        }
        self.gate.is_rate_limited(now).then_some(Limit::Rate)
    }
}
