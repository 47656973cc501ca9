//! One instance: what happens to it, and what the list shows of that at any moment.
//!
//! There is no task per instance. A rebuild is written into the timeline when it is accepted, its
//! future included; to read it is to look up a moment.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::behaviour::{Behaviour, ImageAt, Outcome, Step};
use super::journal::Accepted;
use super::record::{ServiceRecord, WipeRecord};
use super::timeline::{Timeline, View};
use crate::job::InstanceStatus;

/// A rebuild that was executed.
#[derive(Debug)]
struct Wipe {
    /// What the list showed when it was accepted.
    before: View,
    at_ms: i64,
    image_id: String,
    image: Arc<str>,
    answered: bool,
    outcome: Outcome,
    /// When the disk is written; `None`: never.
    ends: Option<Instant>,
    took: Duration,
}

/// An instance and the truth about it.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) ip: String,
    pub(super) listed: bool,
    /// Its row can be read: it has an id.
    pub(super) readable: bool,
    /// Its row goes on showing this moment.
    pub(super) frozen_at: Option<Instant>,
    pub(super) next: Option<Behaviour>,
    pub(super) previews: u64,
    pub(super) submissions: u64,
    accepted: u64,
    timeline: Timeline,
    /// The same without all rebuilds: only what somebody else did to the instance.
    untouched: Timeline,
    wipes: Vec<Wipe>,
}

/// An accepted rebuild, with everything decided that may vary.
#[derive(Debug)]
pub(super) struct PlannedRebuild {
    pub(super) image_id: String,
    pub(super) image: Arc<str>,
    pub(super) shown: Arc<str>,
    pub(super) image_at: ImageAt,
    pub(super) accept_lag: Duration,
    pub(super) duration: Duration,
    pub(super) outcome: Outcome,
}

impl Instance {
    pub(super) fn new(id: i64, name: String, ip: String, view: View, now: Instant) -> Self {
        Self {
            id,
            name,
            ip,
            listed: true,
            readable: true,
            frozen_at: None,
            next: None,
            previews: 0,
            submissions: 0,
            accepted: 0,
            untouched: Timeline::new(now, view.clone()),
            timeline: Timeline::new(now, view),
            wipes: Vec::new(),
        }
    }

    /// What was shown at `moment`; before the beginning: what was shown first.
    pub(super) fn view(&self, moment: Instant) -> &View {
        self.timeline.at(moment)
    }

    /// The same for a list that shows no rebuild: only what somebody else did to the instance.
    pub(super) fn untouched(&self, moment: Instant) -> &View {
        self.untouched.at(moment)
    }

    /// What was shown before the rebuild that is under way; `None`: there is none.
    pub(super) fn before_rebuild(&self, now: Instant) -> Option<&View> {
        let under_way = self.wipes.last().filter(|_| self.is_rebuilding(now));
        under_way.map(|wipe| &wipe.before)
    }

    /// Is a disk being written?
    pub(super) fn is_rebuilding(&self, now: Instant) -> bool {
        self.wipes
            .last()
            .is_some_and(|wipe| wipe.ends.is_none_or(|ends| ends > now))
    }

    /// The API has said ok. Returns when the rebuild ends; `None`: never, or it does not begin.
    pub(super) fn accept(
        &mut self,
        rebuild: PlannedRebuild,
        at_ms: i64,
        now: Instant,
    ) -> Option<Instant> {
        self.accepted += 1;
        if rebuild.outcome == Outcome::Ignored {
            return None;
        }
        let before = self.view(now).clone();
        let begins = now + rebuild.accept_lag;
        let ends = begins + rebuild.duration;
        let during = match rebuild.image_at {
            ImageAt::Accept => &rebuild.shown,
            ImageAt::End => &before.image,
        };
        self.timeline.forget_future(now);
        self.timeline.push(now, &before.status, during);
        let rebuilding = InstanceStatus::Rebuilding.as_str().into();
        self.timeline.push(begins, &rebuilding, during);
        let back: Arc<str> = if *before.status == *InstanceStatus::Stopped.as_str() {
            Arc::clone(&before.status)
        } else {
            InstanceStatus::Active.as_str().into()
        };
        let ends = match rebuild.outcome {
            Outcome::Active => {
                self.timeline.push(ends, &back, &rebuild.shown);
                Some(ends)
            }
            Outcome::Error => {
                let error = InstanceStatus::Error.as_str().into();
                self.timeline.push(ends, &error, during);
                Some(ends)
            }
            Outcome::RolledBack => {
                self.timeline.push(ends, &back, &before.image);
                Some(ends)
            }
            Outcome::Never | Outcome::Ignored => None,
        };
        self.wipes.push(Wipe {
            before,
            at_ms,
            image_id: rebuild.image_id,
            image: rebuild.image,
            answered: false,
            outcome: rebuild.outcome,
            ends,
            took: rebuild.accept_lag + rebuild.duration,
        });
        ends
    }

    /// What the journal says of [`accept`](Self::accept).
    pub(super) fn accepted_line<'a>(
        &'a self,
        rebuild: &'a PlannedRebuild,
        at_ms: i64,
        now: Instant,
    ) -> Accepted<'a> {
        let before = self.view(now);
        Accepted {
            service: self.id,
            submissions: self.submissions,
            at_ms,
            begins_ms: after(at_ms, rebuild.accept_lag),
            ends_ms: after(at_ms, rebuild.accept_lag + rebuild.duration),
            outcome: rebuild.outcome,
            image_id: rebuild.image_id.as_str().into(),
            image: (&*rebuild.image).into(),
            shown: (&*rebuild.shown).into(),
            image_at: rebuild.image_at,
            status_before: (&*before.status).into(),
            image_before: (&*before.image).into(),
        }
    }

    /// Makes the list show `view` from `now` on, which ends a rebuild that is under way. Returns
    /// whether that rebuild had no end of its own.
    pub(super) fn supersede(&mut self, view: &View, now: Instant) -> bool {
        let endless = self.interrupt(now);
        self.timeline.forget_future(now);
        self.timeline.push(now, &view.status, &view.image);
        endless
    }

    /// The answer to the submission that was executed as the nth (from 0) reaches the connection.
    /// `false`: there is no such execution.
    pub(super) fn answered(&mut self, nth: usize) -> bool {
        let wipe = self.wipes.get_mut(nth);
        wipe.map(|wipe| wipe.answered = true).is_some()
    }

    pub(super) fn wiped(&self) -> usize {
        self.wipes.len()
    }

    /// Somebody else changes the instance, which ends a rebuild that is under way. Returns whether
    /// that rebuild had no end of its own.
    pub(super) fn change(&mut self, steps: &[Step], now: Instant) -> bool {
        let endless = self.interrupt(now);
        self.timeline.forget_future(now);
        self.untouched.forget_future(now);
        let mut view = self.view(now).clone();
        for step in steps {
            if let Some(status) = &step.status {
                view.status = status.as_str().into();
            }
            if let Some(image) = &step.image {
                view.image = image.as_str().into();
            }
            let from = now + Duration::from_millis(step.after_ms);
            self.timeline.push(from, &view.status, &view.image);
            self.untouched.push(from, &view.status, &view.image);
        }
        endless
    }

    /// Ends a rebuild that is under way; it is never complete. Returns whether it had no end of its
    /// own.
    fn interrupt(&mut self, now: Instant) -> bool {
        let mut endless = false;
        if let Some(wipe) = self.wipes.last_mut()
            && wipe.ends.is_none_or(|ends| ends > now)
        {
            endless = wipe.ends.is_none();
            wipe.outcome = Outcome::Never;
            wipe.ends = Some(now);
        }
        endless
    }

    pub(super) fn record(&self, now: Instant) -> ServiceRecord {
        let view = self.view(now);
        let wipes: Vec<_> = self
            .wipes
            .iter()
            .map(|wipe| WipeRecord {
                at_ms: wipe.at_ms,
                image_id: wipe.image_id.clone(),
                image: wipe.image.to_string(),
                answered: wipe.answered,
                completed_ms: (wipe.outcome == Outcome::Active
                    && wipe.ends.is_some_and(|ends| ends <= now))
                .then(|| after(wipe.at_ms, wipe.took)),
            })
            .collect();
        ServiceRecord {
            submissions: self.submissions,
            accepted: self.accepted,
            wiped: wipes.len() as u64,
            completed: wipes
                .iter()
                .filter(|wipe| wipe.completed_ms.is_some())
                .count() as u64,
            answered: wipes.iter().filter(|wipe| wipe.answered).count() as u64,
            status: view.status.to_string(),
            image: view.image.to_string(),
            wipes,
        }
    }
}

/// Unix time `duration` after `unix_ms`.
fn after(unix_ms: i64, duration: Duration) -> i64 {
    let duration_ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    unix_ms.saturating_add(duration_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn instance(status: &str, now: Instant) -> Instance {
        let view = View {
            status: status.into(),
            image: "old".into(),
        };
        Instance::new(5, "web-01".to_owned(), "192.0.2.1".to_owned(), view, now)
    }

    fn rebuild(outcome: Outcome, image_at: ImageAt) -> PlannedRebuild {
        PlannedRebuild {
            image_id: "id".to_owned(),
            image: "new".into(),
            shown: "new".into(),
            image_at,
            accept_lag: 2 * SECOND,
            duration: 10 * SECOND,
            outcome,
        }
    }

    fn shown(instance: &Instance, moment: Instant) -> (&str, &str) {
        let view = instance.view(moment);
        (&view.status, &view.image)
    }

    #[test]
    fn a_rebuild_shows_after_its_lag_and_ends_after_its_duration() {
        let now = Instant::now();
        let mut instance = instance("active", now);
        assert_eq!(
            instance.accept(rebuild(Outcome::Active, ImageAt::End), 0, now),
            Some(now + 12 * SECOND)
        );
        assert_eq!(shown(&instance, now), ("active", "old"));
        assert!(instance.is_rebuilding(now));
        assert_eq!(shown(&instance, now + 2 * SECOND), ("rebuilding", "old"));
        assert_eq!(shown(&instance, now + 11 * SECOND), ("rebuilding", "old"));
        assert_eq!(instance.record(now + 11 * SECOND).completed, 0);
        assert_eq!(shown(&instance, now + 12 * SECOND), ("active", "new"));
        assert!(!instance.is_rebuilding(now + 12 * SECOND));
        assert_eq!(instance.record(now + 12 * SECOND).completed, 1);
    }

    #[test]
    fn the_image_may_change_while_the_disk_is_still_being_written() {
        let now = Instant::now();
        let mut instance = instance("active", now);
        instance.accept(rebuild(Outcome::Active, ImageAt::Accept), 0, now);
        assert_eq!(shown(&instance, now + SECOND), ("active", "new"));
        assert!(instance.is_rebuilding(now + SECOND));
    }

    #[test]
    fn a_stopped_instance_is_stopped_again_and_a_broken_one_works_again() {
        let now = Instant::now();
        for (before, after) in [("stopped", "stopped"), ("error", "active")] {
            let mut instance = instance(before, now);
            instance.accept(rebuild(Outcome::Active, ImageAt::End), 0, now);
            assert_eq!(shown(&instance, now + 12 * SECOND), (after, "new"));
        }
    }

    #[test]
    fn other_outcomes_are_wiped_but_not_completed() {
        let now = Instant::now();
        let much_later = now + 1000 * SECOND;
        for (outcome, status, wiped) in [
            (Outcome::Error, "error", 1),
            (Outcome::Never, "rebuilding", 1),
            (Outcome::RolledBack, "active", 1),
            (Outcome::Ignored, "active", 0),
        ] {
            let mut instance = instance("active", now);
            instance.accept(rebuild(outcome, ImageAt::End), 0, now);
            assert_eq!(shown(&instance, much_later), (status, "old"), "{outcome:?}");
            let record = instance.record(much_later);
            assert_eq!(
                (record.accepted, record.wiped, record.completed),
                (1, wiped, 0)
            );
        }
    }

    #[test]
    fn somebody_elses_steps_end_a_rebuild_and_happen_in_their_time() {
        let now = Instant::now();
        let mut instance = instance("active", now);
        instance.accept(rebuild(Outcome::Active, ImageAt::End), 0, now);
        let later = now + 5 * SECOND;
        let step = |after_ms, status: &str, image: Option<&str>| Step {
            after_ms,
            status: Some(status.to_owned()),
            image: image.map(str::to_owned),
        };
        let steps = [
            step(0, "stopped", None),
            step(3000, "active", Some("backup")),
        ];
        instance.change(&steps, later);
        assert!(!instance.is_rebuilding(later));
        assert_eq!(shown(&instance, later), ("stopped", "old"));
        assert_eq!(shown(&instance, later + 3 * SECOND), ("active", "backup"));
        assert_eq!(shown(&instance, now + 100 * SECOND), ("active", "backup"));
        assert_eq!(instance.record(now + 100 * SECOND).completed, 0);
        // The past stays what it was: a list that lags still shows it.
        assert_eq!(shown(&instance, now + 4 * SECOND), ("rebuilding", "old"));
    }
}
