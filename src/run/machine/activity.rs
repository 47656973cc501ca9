//! What a run says of itself while no job moves: what it is doing, and what it waits for.

use std::time::Duration;

use super::{Machine, Now};
use crate::event::{Activity, Event, Limit};
use crate::job::State;
use crate::run::rate_limiter::Purpose;
use crate::time;

/// A deadline that moves by less is the same one.
const MINUTE_MS: u64 = 60_000;

impl Machine {
    pub(super) fn tell_pause(&mut self, now: Now) {
        let reason = if self.is_ending() {
            None
        } else if self.outage.is_on() {
            Some(format!(
                "nothing gets through to the API ({}); probing",
                self.last_error
            ))
        } else {
            let held = self.pause_left(now);
            held.filter(|held| *held > Duration::from_secs(1))
                .map(|held| {
                    format!(
                        "the API asks to slow down: no call for {}",
                        time::short(held)
                    )
                })
        };
        match (self.paused, reason) {
            (false, Some(reason)) => {
                self.paused = true;
                self.events.push(Event::Paused { reason });
            }
            (true, None) => {
                self.paused = false;
                if !self.is_ending() {
                    self.events.push(Event::Resumed);
                }
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    pub(super) fn tell_activity(&mut self, now: Now) {
        let states = |state| {
            self.active
                .values()
                .any(|active| active.job.record.state == state)
        };
        let activity = if !self.session.is_ready() {
            Activity::LoggingIn
        } else if let Some((read, total)) = self.list.scan_progress() {
            Activity::ReadingList { read, total }
        } else if let Some(by) = self.held_back_by(now) {
            Activity::HeldBack { by }
        } else if states(State::Submitting) {
            Activity::Working
        } else if states(State::Rebuilding) {
            Activity::WaitingForRebuilds
        } else if !self.waiting.is_empty() {
            Activity::Working
        } else if states(State::InDoubt) {
            Activity::WatchingDoubts {
                until_ms: self.doubts_until_ms(now),
            }
        } else if let Some(due_at) = self.supply.next_due() {
            Activity::WaitingToRetry {
                remaining: due_at.saturating_duration_since(now.at),
            }
        } else {
            return;
        };
        let changed = match (&self.activity, &activity) {
            (Some(Activity::WaitingToRetry { .. }), Activity::WaitingToRetry { .. }) => false,
            (
                Some(Activity::WatchingDoubts { until_ms: last }),
                Activity::WatchingDoubts { until_ms: new },
            ) => last.abs_diff(*new) >= MINUTE_MS,
            (Some(last), new) => last != new,
            (None, _) => true,
        };
        if changed {
            self.activity = Some(activity.clone());
            self.events.push(Event::Activity(activity));
        }
    }

    /// What keeps jobs from starting that are ready to, if anything does.
    pub(super) fn held_back_by(&self, now: Now) -> Option<Limit> {
        if self.waiting.is_empty() || self.is_ending() {
            return None;
        }
        if self
            .waiting
            .iter()
            .all(|waiting| waiting.deferred_since.is_some())
        {
            return Some(Limit::Instances);
        }
        if self.in_flight() >= self.options.workers {
            return Some(Limit::Workers);
        }
        if !self.may_fail() {
            return Some(Limit::FailureBudget);
        }
        let is_paced = !self.rate.is_unlimited() && self.rate.free_at(Purpose::Submission) > now.at;
        is_paced.then_some(Limit::Rate)
    }

    /// When the last of the watched doubts is settled or held, at the latest, as Unix time.
    fn doubts_until_ms(&self, now: Now) -> i64 {
        let left = self
            .active
            .values()
            .filter(|active| active.job.record.state == State::InDoubt)
            .filter_map(|active| active.tracker.as_ref())
            .map(|tracker| {
                (tracker.sent_at() + self.options.rules.rebuild_timeout)
                    .saturating_duration_since(now.at)
            })
            .max()
            .unwrap_or_default();
        now.unix_ms
            .saturating_add(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
    }
}
