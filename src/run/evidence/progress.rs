//! What a reading means for a job in progress, and what it teaches.

use std::time::Instant;

use super::dispatch::{self, Learned};
use super::doubt::Absence;
use super::host_keys;
use super::{Case, Progress, Rules, Surroundings, Tracker};
use crate::job::{Action, Failure, FailureKind};
use crate::time;

/// Takes note of what a reading, answered at `seen_at`, shows of a job in progress: how long after the
/// acceptance its effect has shown.
pub fn learn(case: Case<'_>, learned: &mut Learned, tracker: &mut Tracker, seen_at: Instant) {
    let Case {
        action,
        record,
        observation,
        ..
    } = case;
    if observation.requested_at < tracker.sent_at || tracker.effect_seen {
        return;
    }
    // Nobody knows for how much of the time nobody watched it could have been seen.
    let was_watched = record.accepted && tracker.is_unbroken();
    if dispatch::shows_effect(action, record, observation) {
        tracker.effect_seen = true;
        learned.effect_showed(action, record);
        if was_watched {
            let lag = seen_at.saturating_duration_since(tracker.sent_at);
            learned.lag_mut(action).lagged(lag);
        }
    } else if was_watched && dispatch::shows_before(action, record, observation) {
        let silence = observation.requested_at - tracker.sent_at;
        learned.lag_mut(action).was_silent(silence);
    }
}

/// Judges a job in progress by one reading of its instance.
pub fn judge_progress(
    case: Case<'_>,
    learned: &Learned,
    tracker: &mut Tracker,
    around: Surroundings,
) -> Progress {
    let Case {
        action,
        observation,
        rules,
        ..
    } = case;
    if observation.requested_at < tracker.sent_at {
        return Progress::Waiting;
    }
    tracker.note_reading(observation.requested_at);
    if dispatch::is_at_work(action, &observation.status) {
        tracker.note_at_work(observation.requested_at);
    }
    let standing = host_keys::standing(case, learned, tracker, around);
    let progress = dispatch::judge_status(case, learned, tracker, standing);
    tracker.note_judged(observation.requested_at);
    match progress {
        Progress::Waiting if tracker.is_overdue(rules, observation.requested_at) => {
            Progress::Unclear(overdue(action, rules))
        }
        progress => progress,
    }
}

/// Judges a job in progress whose instance was not shown: that says nothing of what becomes of it, but
/// its time may be over.
pub fn judge_absence_in_progress(
    action: Action,
    tracker: &mut Tracker,
    absence: Absence,
    rules: &Rules,
) -> Progress {
    tracker.note_absence(absence.began_at);
    if tracker.is_overdue(rules, absence.began_at) {
        Progress::Unclear(overdue(action, rules))
    } else {
        Progress::Waiting
    }
}

fn overdue(action: Action, rules: &Rules) -> Failure {
    let error = format!(
        "the {} was accepted, and the instance is not back after {}",
        action.terms().noun,
        time::short(rules.rebuild_timeout)
    );
    Failure::new(FailureKind::RebuildTimeout, error)
}
