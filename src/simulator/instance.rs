//! One instance: what happens to it, and what the list shows of that at any moment.
//!
//! There is no task per instance. What was accepted is written into the timeline at once, its
//! future included; to read it is to look up a moment.

use std::borrow::Cow;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::Instant;

use super::action::Planned;
use super::behaviour::{Behaviour, Outcome, Step};
use super::config::SimulatedInstance;
use super::form::Fields;
use super::installation::Installation;
use super::journal::Accepted;
use super::record::{CommandRecord, ServiceRecord, WipeRecord};
use super::submission::{Course, Submission};
use super::timeline::{Timeline, View};
use crate::job::InstanceStatus;
use crate::time::now_ms;

/// Commands that are kept.
const COMMANDS_MAX: usize = 1000;

/// Something that was really done.
#[derive(Debug)]
struct Execution {
    planned: Planned,
    course: Course,
    /// What the list showed when it was accepted.
    before: View,
    at_ms: i64,
    /// When it begins to be done.
    begins: Instant,
    answered: bool,
    /// When nothing is being done any more; `None`: never.
    ends: Option<Instant>,
}

impl Execution {
    fn is_under_way(&self, now: Instant) -> bool {
        self.ends.is_none_or(|ends| ends > now)
    }

    /// By then it has destroyed what was there. What somebody else has ended before it could begin has,
    /// too: it is counted as a wipe.
    fn has_wiped(&self, queued: Duration, now: Instant) -> bool {
        let begins = self.begins + queued;
        let begins = self.ends.map_or(begins, |ends| ends.min(begins));
        self.planned.wiped_for().is_some() && begins <= now
    }

    /// When it was complete, as Unix time; `None`: not yet, or never.
    fn completed_ms(&self, now: Instant) -> Option<i64> {
        let is_complete = self.course.outcome == Outcome::Active && !self.is_under_way(now);
        is_complete.then(|| after(self.at_ms, self.course.length()))
    }

    /// `None`: it destroyed nothing.
    fn wipe(&self, now: Instant) -> Option<WipeRecord> {
        let (image_id, image) = self.planned.wiped_for()?;
        Some(WipeRecord {
            action: self.planned.action(),
            at_ms: self.at_ms,
            image_id: image_id.to_owned(),
            image: image.to_owned(),
            answered: self.answered,
            completed_ms: self.completed_ms(now),
        })
    }
}

/// The rebuild that has made an installation.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastWipe<'a> {
    pub(super) image_id: &'a str,
    /// When it has ended; `None`: it has not, and never will.
    pub(super) ended: Option<Instant>,
}

/// An instance and the truth about it.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) ip: String,
    pub(super) datacenter: String,
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
    /// The same without all executions: only what somebody else did to the instance.
    untouched: Timeline,
    executions: Vec<Execution>,
    /// When somebody else's rebuilds begin, in ascending order; also as Unix times.
    by_others: Vec<(Instant, i64)>,
    /// The way in that the last execution has set; a restart forgets it.
    password: Option<SecretString>,
    commands: Vec<CommandRecord>,
}

impl Instance {
    /// `instance` as it stands at the beginning, when the list shows `view` of it.
    pub(super) fn new(instance: &SimulatedInstance, view: View, now: Instant) -> Self {
        Self {
            id: instance.service.get(),
            name: instance.name.clone(),
            ip: instance.ip.clone(),
            datacenter: instance.datacenter.clone(),
            listed: true,
            readable: true,
            frozen_at: None,
            next: None,
            previews: 0,
            submissions: 0,
            accepted: 0,
            untouched: Timeline::new(now, view.clone()),
            timeline: Timeline::new(now, view),
            executions: Vec::new(),
            by_others: Vec::new(),
            password: None,
            commands: Vec::new(),
        }
    }

    /// What was shown at `moment`; before the beginning: what was shown first.
    pub(super) fn view(&self, moment: Instant) -> &View {
        self.timeline.at(moment)
    }

    /// The same for a list that shows no execution: only what somebody else did to the instance.
    pub(super) fn untouched(&self, moment: Instant) -> &View {
        self.untouched.at(moment)
    }

    /// What was shown before the execution that is under way; `None`: there is none.
    pub(super) fn before_execution(&self, now: Instant) -> Option<&View> {
        let last = self.executions.last();
        let under_way = last.filter(|execution| execution.is_under_way(now));
        under_way.map(|execution| &execution.before)
    }

    /// Its next submission, as an action sees it.
    pub(super) fn submission<'a>(
        &'a self,
        fields: &'a Fields,
        seed: u64,
        now: Instant,
    ) -> Submission<'a> {
        Submission {
            fields,
            datacenter: &self.datacenter,
            is_busy: self.before_execution(now).is_some(),
            status: &self.view(now).status,
            next: self.next.clone().unwrap_or_default(),
            seed: [seed, self.id.unsigned_abs(), self.submissions],
        }
    }

    /// The API has said ok. Returns when the execution ends; `None`: never, or it does not begin.
    pub(super) fn accept(
        &mut self,
        planned: Planned,
        course: Course,
        at_ms: i64,
        now: Instant,
    ) -> Option<Instant> {
        self.accepted += 1;
        if course.outcome == Outcome::Ignored {
            return None;
        }
        let before = self.view(now).clone();
        self.timeline.forget_future(now);
        for (after, view) in planned.views(&course, &before) {
            self.timeline.push(now + after, view);
        }
        let ends = course.ends_after().map(|after| now + after);
        self.executions.push(Execution {
            planned,
            course,
            before,
            at_ms,
            begins: now + course.accept_lag,
            answered: false,
            ends,
        });
        ends
    }

    /// What the journal says of [`accept`](Self::accept).
    pub(super) fn accepted_line<'a>(
        &'a self,
        planned: &'a Planned,
        course: &Course,
        at_ms: i64,
        now: Instant,
    ) -> Accepted<'a> {
        let before = self.view(now);
        Accepted {
            service: self.id,
            submissions: self.submissions,
            at_ms,
            begins_ms: after(at_ms, course.accept_lag),
            ends_ms: after(at_ms, course.length()),
            outcome: course.outcome,
            status_before: (&*before.status).into(),
            image_before: (&*before.image).into(),
            planned: Cow::Borrowed(planned),
        }
    }

    /// Makes the list show `view` from `now` on, which ends an execution that is under way. Returns
    /// whether that had no end of its own.
    pub(super) fn supersede(&mut self, view: View, now: Instant) -> bool {
        let endless = self.interrupt(now);
        self.timeline.forget_future(now);
        self.timeline.push(now, view);
        endless
    }

    /// The answer to the submission that was executed as the nth (from 0) reaches the connection.
    /// `false`: there is no such execution.
    pub(super) fn answered(&mut self, nth: usize) -> bool {
        let execution = self.executions.get_mut(nth);
        let answered = execution.map(|execution| execution.answered = true);
        answered.is_some()
    }

    pub(super) fn executed(&self) -> usize {
        self.executions.len()
    }

    /// Somebody else changes the instance, which ends an execution that is under way. Returns
    /// whether that had no end of its own.
    pub(super) fn change(&mut self, steps: &[Step], now: Instant) -> bool {
        let endless = self.interrupt(now);
        self.timeline.forget_future(now);
        self.untouched.forget_future(now);
        self.by_others.retain(|(begins, _)| *begins <= now);
        let mut view = self.view(now).clone();
        for step in steps {
            let from = now + Duration::from_millis(step.after_ms);
            if let Some(status) = &step.status {
                if is_rebuilding(status) && !is_rebuilding(&view.status) {
                    let begins_ms = after(now_ms(), Duration::from_millis(step.after_ms));
                    self.by_others.push((from, begins_ms));
                }
                view.status = status.as_str().into();
            }
            if let Some(image) = &step.image {
                view.image = image.as_str().into();
            }
            self.timeline.push(from, view.clone());
            self.untouched.push(from, view.clone());
        }
        endless
    }

    /// Ends an execution that is under way; it is never complete. Returns whether it had no end of
    /// its own.
    fn interrupt(&mut self, now: Instant) -> bool {
        let mut endless = false;
        if let Some(execution) = self.executions.last_mut()
            && execution.is_under_way(now)
        {
            endless = execution.ends.is_none();
            execution.course.outcome = Outcome::Never;
            execution.ends = Some(now);
        }
        endless
    }

    /// What answers by SSH; `None`: nothing does. `queued`: for so long a rebuild waits, though the list shows
    /// it.
    pub(super) fn installation(&self, queued: Duration, now: Instant) -> Option<Installation> {
        let waiting = self.executions.last();
        let waiting = waiting.filter(|last| last.is_under_way(now) && !last.has_wiped(queued, now));
        let shown = waiting.map_or(self.view(now), |waiting| &waiting.before);
        let is_up = *shown.status == *InstanceStatus::Active.as_str();
        let executions = self.executions.iter();
        let wipes = executions.filter(|one| one.has_wiped(queued, now));
        let by_others = self.by_others.iter().filter(|(begins, _)| *begins <= now);
        is_up.then(|| Installation {
            service: self.id,
            wipes: wipes.count() as u64,
            by_others: by_others.count() as u64,
        })
    }

    /// The last execution has set this way in.
    pub(super) fn set_password(&mut self, password: Option<&str>) {
        self.password = password.map(SecretString::from);
    }

    /// Is this the password of `installation`?
    pub(super) fn opens(&self, installation: Installation, password: &str) -> bool {
        // Before its first rebuild nobody here knows an instance's password, and what somebody else installs
        // has one that only they know.
        let is_of_last = installation.wipes == self.executions.len() as u64
            && self.last_wipe(installation).is_some();
        let is_right = |right: &SecretString| right.expose_secret() == password;
        is_of_last && self.password.as_ref().is_some_and(is_right)
    }

    /// The rebuild that has made `installation`; `None`: none of a client has.
    pub(super) fn last_wipe(&self, installation: Installation) -> Option<LastWipe<'_>> {
        let last = usize::try_from(installation.wipes).ok()?.checked_sub(1)?;
        let wiping = |one: &&Execution| one.planned.wiped_for().is_some();
        let last = self.executions.iter().filter(wiping).nth(last)?;
        let others = usize::try_from(installation.by_others).ok()?.checked_sub(1);
        let others = others.and_then(|others| self.by_others.get(others));
        let is_later = others.is_some_and(|(others, _)| *others >= last.begins);
        let (image_id, _) = last.planned.wiped_for()?;
        (!is_later).then_some(LastWipe {
            image_id,
            ended: last.ends,
        })
    }

    /// Nobody but a client has rebuilt it so far.
    pub(super) fn is_left_alone(&self) -> bool {
        self.by_others.is_empty()
    }

    /// Somebody has ordered a command by SSH.
    pub(super) fn commanded(&mut self, mut command: CommandRecord) {
        if self.commands.len() >= COMMANDS_MAX {
            return;
        }
        if let Some(password) = &self.password {
            for text in [&mut command.command, &mut command.stdin] {
                *text = text.replace(password.expose_secret(), "[password]");
            }
        }
        self.commands.push(command);
    }

    pub(super) fn record(&self, now: Instant) -> ServiceRecord {
        let view = self.view(now);
        let count = |counts: fn(&Execution, Instant) -> bool| {
            let counted = self.executions.iter().filter(|one| counts(one, now));
            counted.count() as u64
        };
        let wipes: Vec<_> = self
            .executions
            .iter()
            .filter_map(|execution| execution.wipe(now))
            .collect();
        ServiceRecord {
            submissions: self.submissions,
            accepted: self.accepted,
            executed: self.executions.len() as u64,
            wiped: wipes.len() as u64,
            completed: count(|execution, now| execution.completed_ms(now).is_some()),
            answered: count(|execution, _| execution.answered),
            status: view.status.to_string(),
            image: view.image.to_string(),
            wipes,
            by_others: self
                .by_others
                .iter()
                .filter(|(begins, _)| *begins <= now)
                .map(|(_, begins_ms)| *begins_ms)
                .collect(),
            commands: self.commands.clone(),
        }
    }
}

fn is_rebuilding(status: &str) -> bool {
    status == InstanceStatus::Rebuilding.as_str()
}

/// Unix time `duration` after `unix_ms`.
fn after(unix_ms: i64, duration: Duration) -> i64 {
    let duration_ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    unix_ms.saturating_add(duration_ms)
}

#[cfg(test)]
mod tests {
    use super::super::behaviour::ImageAt;
    use super::super::rebuild::PlannedRebuild;
    use super::*;
    use crate::job::ServiceId;

    const SECOND: Duration = Duration::from_secs(1);

    fn instance(status: &str, now: Instant) -> Instance {
        let view = View {
            status: status.into(),
            image: "old".into(),
        };
        let instance = SimulatedInstance {
            service: ServiceId::new(5).unwrap(),
            name: "web-01".to_owned(),
            ip: "192.0.2.1".to_owned(),
            datacenter: String::new(),
            status: status.to_owned(),
            image: "old".to_owned(),
        };
        Instance::new(&instance, view, now)
    }

    /// Has the API accept a rebuild; returns when that ends.
    fn accept(
        instance: &mut Instance,
        outcome: Outcome,
        image_at: ImageAt,
        now: Instant,
    ) -> Option<Instant> {
        let rebuild = PlannedRebuild {
            image_id: "id".to_owned(),
            image: "new".to_owned(),
            shown: "new".to_owned(),
            image_at,
        };
        let course = Course {
            accept_lag: 2 * SECOND,
            duration: 10 * SECOND,
            outcome,
        };
        instance.accept(Planned::Rebuild(rebuild), course, 0, now)
    }

    fn is_busy(instance: &Instance, now: Instant) -> bool {
        instance.before_execution(now).is_some()
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
            accept(&mut instance, Outcome::Active, ImageAt::End, now),
            Some(now + 12 * SECOND)
        );
        assert_eq!(shown(&instance, now), ("active", "old"));
        assert!(is_busy(&instance, now));
        assert_eq!(shown(&instance, now + 2 * SECOND), ("rebuilding", "old"));
        assert_eq!(shown(&instance, now + 11 * SECOND), ("rebuilding", "old"));
        assert_eq!(instance.record(now + 11 * SECOND).completed, 0);
        assert_eq!(shown(&instance, now + 12 * SECOND), ("active", "new"));
        assert!(!is_busy(&instance, now + 12 * SECOND));
        assert_eq!(instance.record(now + 12 * SECOND).completed, 1);
    }

    #[test]
    fn the_image_may_change_while_the_disk_is_still_being_written() {
        let now = Instant::now();
        let mut instance = instance("active", now);
        accept(&mut instance, Outcome::Active, ImageAt::Accept, now);
        assert_eq!(shown(&instance, now + SECOND), ("active", "new"));
        assert!(is_busy(&instance, now + SECOND));
    }

    #[test]
    fn a_stopped_instance_is_stopped_again_and_a_broken_one_works_again() {
        let now = Instant::now();
        for (before, after) in [("stopped", "stopped"), ("error", "active")] {
            let mut instance = instance(before, now);
            accept(&mut instance, Outcome::Active, ImageAt::End, now);
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
            accept(&mut instance, outcome, ImageAt::End, now);
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
        accept(&mut instance, Outcome::Active, ImageAt::End, now);
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
        assert!(!is_busy(&instance, later));
        assert_eq!(shown(&instance, later), ("stopped", "old"));
        assert_eq!(shown(&instance, later + 3 * SECOND), ("active", "backup"));
        assert_eq!(shown(&instance, now + 100 * SECOND), ("active", "backup"));
        assert_eq!(instance.record(now + 100 * SECOND).completed, 0);
        // The past stays what it was: a list that lags still shows it.
        assert_eq!(shown(&instance, now + 4 * SECOND), ("rebuilding", "old"));
    }
}
