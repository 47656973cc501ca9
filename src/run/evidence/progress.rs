//! When a rebuild is complete, and what of it needs a human although it is.

use std::time::{Duration, Instant};

use super::doubt::Absence;
use super::names::{self, Shows};
use super::{Case, Observation, Rules, Tracker};
use crate::job::{Evidence, Failure, FailureKind, InstanceStatus, JobRecord};
use crate::time;

/// What a reading means for a job that is rebuilding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing new.
    Waiting,
    /// The instance is seen `rebuilding` for the first time.
    Begun,
    /// It is back.
    Complete {
        /// What proves it.
        evidence: Evidence,
        /// What a human should look at all the same.
        remark: Option<Failure>,
    },
    /// It ended in an error.
    Broken(Failure),
    /// How it ended cannot be told.
    Unclear(Failure),
}

fn complete(evidence: Evidence) -> Progress {
    Progress::Complete {
        evidence,
        remark: None,
    }
}

/// Judges a rebuilding job by one reading of its instance.
pub fn judge_progress(case: Case<'_>, tracker: &mut Tracker) -> Progress {
    let Case {
        observation, rules, ..
    } = case;
    if observation.requested_at < tracker.sent_at {
        return Progress::Waiting;
    }
    tracker.note_reading(observation.requested_at);
    match judge_status(case, tracker) {
        Progress::Waiting if tracker.is_overdue(rules, observation.requested_at) => {
            Progress::Unclear(overdue(rules))
        }
        progress => progress,
    }
}

/// Judges a rebuilding job whose instance was not shown: that says nothing of the rebuild, but its
/// time may be over.
pub fn judge_absent_rebuild(tracker: &mut Tracker, absence: Absence, rules: &Rules) -> Progress {
    tracker.note_absence(absence.began_at);
    if tracker.is_overdue(rules, absence.began_at) {
        Progress::Unclear(overdue(rules))
    } else {
        Progress::Waiting
    }
}

fn overdue(rules: &Rules) -> Failure {
    let error = format!(
        "the rebuild was accepted, and the instance is not back after {}",
        time::short(rules.rebuild_timeout)
    );
    Failure::new(FailureKind::RebuildTimeout, error)
}

fn judge_status(case: Case<'_>, tracker: &mut Tracker) -> Progress {
    let Case {
        record,
        observation,
        ..
    } = case;
    if observation.is_back() {
        return judge_return(case, tracker);
    }
    tracker.is_not_back();
    if observation.is_rebuilding() && !record.rebuilding_seen {
        return Progress::Begun;
    }
    let baseline = record.baseline.as_ref();
    let stood_in_error = baseline.is_none_or(|baseline| baseline.status == InstanceStatus::Error);
    if observation.status == InstanceStatus::Error && (record.rebuilding_seen || !stood_in_error) {
        return Progress::Broken(Failure::new(
            FailureKind::InstanceError,
            "the instance ended in status error",
        ));
    }
    Progress::Waiting
}

/// The instance works, and nothing is being done to it.
fn judge_return(case: Case<'_>, tracker: &mut Tracker) -> Progress {
    let Case {
        record,
        observation,
        rules,
        ..
    } = case;
    match names::shows(record, observation) {
        Shows::Target if record.rebuilding_seen => complete(Evidence::Observed),
        Shows::Target => {
            tracker.other_since = None;
            let since = *tracker.target_since.get_or_insert(observation.requested_at);
            let apart = rules.poll_interval.max(rules.settle / 10);
            if has_lasted(since, observation, apart) {
                complete(Evidence::Image)
            } else {
                Progress::Waiting
            }
        }
        // The names can't tell: what was seen of the status does.
        Shows::Same | Shows::Nothing if record.rebuilding_seen => complete(Evidence::Observed),
        Shows::Same | Shows::Nothing => {
            tracker.is_not_back();
            if record.accepted && is_unseen(tracker, observation, rules) {
                complete(Evidence::Accepted)
            } else {
                Progress::Waiting
            }
        }
        Shows::Before => judge_old_name(case, tracker),
        Shows::Third(name) => judge_third_name(case, tracker, &name),
    }
}

/// It is back under the old name. The name may follow later; when it does not, either the rebuild
/// was never done or was undone, or this list never shows new names.
fn judge_old_name(case: Case<'_>, tracker: &mut Tracker) -> Progress {
    let Case {
        record,
        observation,
        list_lag,
        ..
    } = case;
    if !is_settled(case, tracker) {
        return Progress::Waiting;
    }
    let failure = Failure::new(
        FailureKind::OldImage,
        format!("the old image is there again: {}", observation.describe()),
    );
    let spelled = names::target(record).is_some_and(|target| list_lag.spells(&target));
    if spelled || !record.accepted {
        return Progress::Unclear(failure);
    }
    Progress::Complete {
        evidence: what_was_seen(record),
        remark: Some(failure),
    }
}

/// It is back under a name that is neither the old one nor the preview's. Where all instances of
/// the image come back so, that is how this list calls it.
fn judge_third_name(case: Case<'_>, tracker: &mut Tracker, name: &str) -> Progress {
    let Case {
        record,
        observation,
        list_lag,
        ..
    } = case;
    let failure = Failure::new(
        FailureKind::ThirdImage,
        format!(
            "neither the old nor the ordered image's name: {}",
            observation.describe()
        ),
    );
    let target = names::target(record).unwrap_or_default();
    let known = list_lag.calls(&target);
    let odd = list_lag.spells(&target) || known.is_some_and(|known| known != name);
    if !record.accepted || odd {
        return Progress::Unclear(failure);
    }
    if record.rebuilding_seen {
        return Progress::Complete {
            evidence: Evidence::Observed,
            remark: Some(failure),
        };
    }
    // Nobody saw it rebuilding: another one of the same image has to show that this is its name.
    if !is_settled(case, tracker) {
        return Progress::Waiting;
    }
    if known.is_none() {
        return Progress::Unclear(failure);
    }
    Progress::Complete {
        evidence: Evidence::Accepted,
        remark: Some(failure),
    }
}

/// It has stood there under a name that was not ordered for as long as the name may take to follow.
fn is_settled(case: Case<'_>, tracker: &mut Tracker) -> bool {
    let Case {
        record,
        observation,
        rules,
        ..
    } = case;
    tracker.target_since = None;
    let since = *tracker.other_since.get_or_insert(observation.requested_at);
    if record.rebuilding_seen {
        has_lasted(since, observation, rules.unseen_after)
    } else {
        // Nothing was seen to happen, so nothing is waited for but its own time, and a second look.
        observation.requested_at > since && is_unseen(tracker, observation, rules)
    }
}

fn has_lasted(since: Instant, observation: &Observation, long: Duration) -> bool {
    observation.requested_at > since && observation.requested_at - since >= long
}

fn is_unseen(tracker: &Tracker, observation: &Observation, rules: &Rules) -> bool {
    let age = observation
        .requested_at
        .saturating_duration_since(tracker.answered_at);
    age >= rules.unseen_after
}

fn what_was_seen(record: &JobRecord) -> Evidence {
    if record.rebuilding_seen {
        Evidence::Observed
    } else {
        Evidence::Accepted
    }
}
