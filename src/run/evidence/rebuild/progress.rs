//! When a rebuild is complete, and what of it needs a human although it is.

use std::time::{Duration, Instant};

use super::names::{self, Shows};
use super::signs::is_at_work;
use super::spelling::Spelling;
use crate::job::{Evidence, Failure, FailureKind, InstanceStatus, JobRecord};
use crate::run::evidence::key_watch::Standing;
use crate::run::evidence::tracker::Back;
use crate::run::evidence::{Case, Observation, Progress, Tracker};

fn complete(evidence: Evidence) -> Progress {
    Progress::Complete {
        evidence,
        remark: None,
    }
}

/// What a reading of its instance means for a rebuild in progress.
pub fn judge_status(
    case: Case<'_>,
    spelling: &Spelling,
    tracker: &mut Tracker,
    standing: Standing,
) -> Progress {
    let Case {
        record,
        observation,
        ..
    } = case;
    if observation.status.is_back() {
        return judge_return(case, spelling, tracker, standing);
    }
    if is_at_work(&observation.status) && !record.rebuilding_seen {
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
fn judge_return(
    case: Case<'_>,
    spelling: &Spelling,
    tracker: &mut Tracker,
    standing: Standing,
) -> Progress {
    let Case {
        record,
        observation,
        rules,
        ..
    } = case;
    match names::shows(record, observation) {
        Shows::Target if record.rebuilding_seen => complete(Evidence::Observed),
        Shows::Target => {
            let since = tracker.is_back(Back::AsOrdered, observation.requested_at);
            if has_lasted(since, observation, rules.apart()) {
                complete(Evidence::Image)
            } else {
                Progress::Waiting
            }
        }
        // The names can't tell: what was seen of the status does.
        Shows::Same | Shows::Nothing if record.rebuilding_seen => complete(Evidence::Observed),
        Shows::Same | Shows::Nothing if standing == Standing::New => complete(Evidence::HostKey),
        Shows::Same | Shows::Nothing => {
            if record.accepted && tracker.is_unseen_time_over(rules, observation.requested_at) {
                complete(Evidence::Accepted)
            } else {
                Progress::Waiting
            }
        }
        Shows::Before => judge_old_name(case, spelling, tracker, standing),
        Shows::Third(name) => judge_third_name(case, spelling, tracker, &name),
    }
}

/// It is back under the old name. The name may follow later; when it does not, either the rebuild
/// was never done or was undone, or this list never shows new names.
fn judge_old_name(
    case: Case<'_>,
    spelling: &Spelling,
    tracker: &mut Tracker,
    standing: Standing,
) -> Progress {
    let Case {
        record,
        observation,
        ..
    } = case;
    if !is_settled(case, tracker) {
        return Progress::Waiting;
    }
    let failure = Failure::new(
        FailureKind::OldImage,
        format!("the list shows the old image: {}", observation.describe()),
    );
    if standing == Standing::New {
        return Progress::Complete {
            evidence: Evidence::HostKey,
            remark: Some(failure),
        };
    }
    let spelled = names::target(record).is_some_and(|target| spelling.spells(&target));
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
fn judge_third_name(
    case: Case<'_>,
    spelling: &Spelling,
    tracker: &mut Tracker,
    name: &str,
) -> Progress {
    let Case {
        record,
        observation,
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
    let known = spelling.calls(&target);
    let odd = spelling.spells(&target) || known.is_some_and(|known| known != name);
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
    let since = tracker.is_back(Back::Otherwise, observation.requested_at);
    if record.rebuilding_seen {
        has_lasted(since, observation, rules.unseen_after)
    } else {
        // Nothing was seen to happen, so nothing is waited for but its own time, and a second look.
        observation.requested_at > since
            && tracker.is_unseen_time_over(rules, observation.requested_at)
    }
}

fn has_lasted(since: Instant, observation: &Observation, long: Duration) -> bool {
    observation.requested_at > since && observation.requested_at - since >= long
}

fn what_was_seen(record: &JobRecord) -> Evidence {
    if record.rebuilding_seen {
        Evidence::Observed
    } else {
        Evidence::Accepted
    }
}
