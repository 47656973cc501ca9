//! Which action's rules are asked: the one place here that knows what actions there are. Another one
//! adds a folder beside [`rebuild`], and an arm to each match.

use super::key_watch::Standing;
use super::rebuild::{self, Spelling};
use super::{Case, ListLag, Observation, Progress, Tracker};
use crate::job::{Action, Evidence, InstanceStatus, JobRecord};

/// What a run has learned of the account's list by watching its own submissions. Each action has a lag
/// of its own: a status may show long before a name does.
#[derive(Debug, Clone, Default)]
pub struct Learned {
    pub(super) rebuild_lag: ListLag,
    pub(super) spelling: Spelling,
}

impl Learned {
    /// How late the list shows the effect of `action`.
    pub fn lag(&self, action: Action) -> &ListLag {
        match action {
            Action::Rebuild => &self.rebuild_lag,
        }
    }

    pub(super) fn lag_mut(&mut self, action: Action) -> &mut ListLag {
        match action {
            Action::Rebuild => &mut self.rebuild_lag,
        }
    }

    /// The list has shown the effect of `action` on a job, for the first time.
    pub(super) fn effect_showed(&mut self, action: Action, record: &JobRecord) {
        match action {
            Action::Rebuild => self.spelling.effect_showed(record),
        }
    }

    /// A job is complete, and `observation` has shown it.
    pub fn completed(
        &mut self,
        action: Action,
        record: &JobRecord,
        observation: &Observation,
        evidence: Evidence,
    ) {
        match action {
            Action::Rebuild => self.spelling.completed(record, observation, evidence),
        }
    }
}

/// An instance in this status is seen while `action` is at work on it.
pub(super) fn is_at_work(action: Action, status: &InstanceStatus) -> bool {
    match action {
        Action::Rebuild => rebuild::is_at_work(status),
    }
}

/// The list can show the effect of `action` on this job: it changes what the list says.
pub fn can_show(action: Action, record: &JobRecord) -> bool {
    match action {
        Action::Rebuild => rebuild::can_show(record),
    }
}

/// The list shows the effect of `action`, and it did not before.
pub fn shows_effect(action: Action, record: &JobRecord, observation: &Observation) -> bool {
    match action {
        Action::Rebuild => rebuild::shows_effect(record, observation),
    }
}

/// The list shows what it did before, where the effect of `action` would have changed it.
pub(super) fn shows_before(action: Action, record: &JobRecord, observation: &Observation) -> bool {
    match action {
        Action::Rebuild => rebuild::shows_before(record, observation),
    }
}

/// What the list shows cannot be so if `action` was executed and is complete. `may_stand_still`: it may show
/// what was before.
pub(super) fn contradicts(
    action: Action,
    record: &JobRecord,
    observation: &Observation,
    may_stand_still: bool,
) -> bool {
    match action {
        Action::Rebuild => rebuild::contradicts(record, observation, may_stand_still),
    }
}

/// What shows that `action` was executed, as people call it.
pub(super) fn effect(action: Action) -> &'static str {
    match action {
        Action::Rebuild => rebuild::EFFECT,
    }
}

/// Why silence can't prove anything of this submission, by what was known when it was made.
pub(super) fn never_provable(action: Action, record: &JobRecord) -> Option<&'static str> {
    match action {
        Action::Rebuild => rebuild::never_provable(record),
    }
}

/// What is still missing for the proof, beyond what any action needs.
pub(super) fn not_yet_proven(
    action: Action,
    record: &JobRecord,
    learned: &Learned,
) -> Option<&'static str> {
    match action {
        Action::Rebuild => rebuild::not_yet_proven(record, &learned.spelling),
    }
}

/// What a reading means for a job in progress, its time aside. The rules tell the tracker where they find
/// the instance back: where they do not, its time goes on.
pub(super) fn judge_status(
    case: Case<'_>,
    learned: &Learned,
    tracker: &mut Tracker,
    standing: Standing,
) -> Progress {
    match case.action {
        Action::Rebuild => rebuild::judge_status(case, &learned.spelling, tracker, standing),
    }
}
