//! When a rebuild is complete, and what of it needs a human although it is.

use std::time::{Duration, Instant};

use super::doubt::Absence;
use super::names::{self, Shows};
use super::{Learned, Rules, Sighting, Watch};
use crate::job::{Evidence, Failure, Standing};
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
pub fn judge_progress(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    learned: &Learned,
    rules: &Rules,
) -> Progress {
    if sighting.requested_at < watch.sent_at {
        return Progress::Waiting;
    }
    watch.note_reading(sighting.requested_at);
    match judge_status(standing, watch, sighting, learned, rules) {
        Progress::Waiting if watch.is_overdue(rules, sighting.requested_at) => {
            Progress::Unclear(overdue(rules))
        }
        progress => progress,
    }
}

/// Judges a rebuilding job whose instance was not shown: that says nothing of the rebuild, but its
/// time may be over.
pub fn judge_absent_rebuild(watch: &mut Watch, absence: Absence, rules: &Rules) -> Progress {
    watch.note_absence(absence.began_at);
    if watch.is_overdue(rules, absence.began_at) {
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
    Failure::new("rebuild_timeout", error)
}

fn judge_status(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    learned: &Learned,
    rules: &Rules,
) -> Progress {
    if sighting.is_back() {
        return judge_return(standing, watch, sighting, learned, rules);
    }
    watch.is_not_back();
    if sighting.is_rebuilding() && !standing.rebuilding_seen {
        return Progress::Begun;
    }
    let baseline = standing.baseline.as_ref();
    let stood_in_error = baseline.is_none_or(|baseline| baseline.status == "error");
    if sighting.status == "error" && (standing.rebuilding_seen || !stood_in_error) {
        return Progress::Broken(Failure::new(
            "instance_error",
            "the instance ended in status error",
        ));
    }
    Progress::Waiting
}

/// The instance works, and nothing is being done to it.
fn judge_return(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    learned: &Learned,
    rules: &Rules,
) -> Progress {
    match names::shows(standing, sighting) {
        Shows::Target if standing.rebuilding_seen => complete(Evidence::Observed),
        Shows::Target => {
            watch.other_since = None;
            let since = *watch.target_since.get_or_insert(sighting.requested_at);
            let apart = rules.poll_interval.max(rules.settle / 10);
            if has_lasted(since, sighting, apart) {
                complete(Evidence::Image)
            } else {
                Progress::Waiting
            }
        }
        // The names can't tell: what was seen of the status does.
        Shows::Same | Shows::Nothing if standing.rebuilding_seen => complete(Evidence::Observed),
        Shows::Same | Shows::Nothing => {
            watch.is_not_back();
            if standing.accepted && is_unseen(watch, sighting, rules) {
                complete(Evidence::Accepted)
            } else {
                Progress::Waiting
            }
        }
        Shows::Before => judge_old_name(standing, watch, sighting, learned, rules),
        Shows::Third(name) => judge_third_name(standing, watch, sighting, &name, learned, rules),
    }
}

/// It is back under the old name. The name may follow later; when it does not, either the rebuild
/// was never done or was undone, or this list never shows new names.
fn judge_old_name(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    learned: &Learned,
    rules: &Rules,
) -> Progress {
    if !is_settled(standing, watch, sighting, rules) {
        return Progress::Waiting;
    }
    let failure = Failure::new(
        "old_image",
        format!("the old image is there again: {}", sighting.describe()),
    );
    let spelled = names::target(standing).is_some_and(|target| learned.spells(&target));
    if spelled || !standing.accepted {
        return Progress::Unclear(failure);
    }
    Progress::Complete {
        evidence: what_was_seen(standing),
        remark: Some(failure),
    }
}

/// It is back under a name that is neither the old one nor the preview's. Where all instances of
/// the image come back so, that is how this list calls it.
fn judge_third_name(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    name: &str,
    learned: &Learned,
    rules: &Rules,
) -> Progress {
    let failure = Failure::new(
        "third_image",
        format!(
            "neither the old nor the ordered image's name: {}",
            sighting.describe()
        ),
    );
    let target = names::target(standing).unwrap_or_default();
    let known = learned.calls(&target);
    let odd = learned.spells(&target) || known.is_some_and(|known| known != name);
    if !standing.accepted || odd {
        return Progress::Unclear(failure);
    }
    if standing.rebuilding_seen {
        return Progress::Complete {
            evidence: Evidence::Observed,
            remark: Some(failure),
        };
    }
    // Nobody saw it rebuilding: another one of the same image has to show that this is its name.
    if !is_settled(standing, watch, sighting, rules) {
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
fn is_settled(standing: &Standing, watch: &mut Watch, sighting: &Sighting, rules: &Rules) -> bool {
    watch.target_since = None;
    let since = *watch.other_since.get_or_insert(sighting.requested_at);
    if standing.rebuilding_seen {
        has_lasted(since, sighting, rules.unseen_after)
    } else {
        // Nothing was seen to happen, so nothing is waited for but its own time, and a second look.
        sighting.requested_at > since && is_unseen(watch, sighting, rules)
    }
}

fn has_lasted(since: Instant, sighting: &Sighting, long: Duration) -> bool {
    sighting.requested_at > since && sighting.requested_at - since >= long
}

fn is_unseen(watch: &Watch, sighting: &Sighting, rules: &Rules) -> bool {
    let age = sighting
        .requested_at
        .saturating_duration_since(watch.answered_at);
    age >= rules.unseen_after
}

fn what_was_seen(standing: &Standing) -> Evidence {
    if standing.rebuilding_seen {
        Evidence::Observed
    } else {
        Evidence::Accepted
    }
}
