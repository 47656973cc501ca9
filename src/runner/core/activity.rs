//! What a run says of itself while no job moves: what it is doing, and what it waits for.

use std::time::Duration;

use super::{Core, Now};
use crate::event::{Activity, Event};
use crate::job::State;
use crate::time;

impl Core {
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
                .any(|active| active.job.standing.state == state)
        };
        let activity = if !self.session.is_ready() {
            Activity::LoggingIn
        } else if let Some((read, total)) = self.fleet.walk_progress() {
            Activity::ReadingList { read, total }
        } else if states(State::Submitting) {
            Activity::Working
        } else if states(State::Rebuilding) {
            Activity::WaitingForRebuilds
        } else if !self.waiting.is_empty() {
            Activity::Working
        } else if states(State::InDoubt) {
            Activity::WatchingDoubts
        } else if let Some(due_at) = self.supply.next_due() {
            Activity::WaitingToRetry {
                remaining: due_at.saturating_duration_since(now.at),
            }
        } else {
            return;
        };
        let changed = match (&self.activity, &activity) {
            (Some(Activity::WaitingToRetry { .. }), Activity::WaitingToRetry { .. }) => false,
            (Some(last), new) => last != new,
            (None, _) => true,
        };
        if changed {
            self.activity = Some(activity.clone());
            self.events.push(Event::Activity(activity));
        }
    }
}
