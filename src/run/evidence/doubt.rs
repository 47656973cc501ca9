//! How a doubt ends. Why silence may end one at all stands at [`super`].

use std::time::Instant;

use super::dispatch::{self, Learned};
use super::host_keys;
use super::tracker::By;
use super::{Case, Doubt, ListLag, Rules, Surroundings, Tracker};

/// Why a doubt is held whose window is longer than anybody waits.
const LAGS: &str =
    "the list lags so far behind in this run that it will not tell within --rebuild-timeout";

/// Why a doubt is held of which the list says that nothing was done.
const NEW_KEY: &str = "the list shows nothing of it, and yet the instance's host key is new";

/// Judges a job in doubt by one reading of its instance.
pub fn judge_doubt(
    case: Case<'_>,
    learned: &Learned,
    tracker: &mut Tracker,
    around: Surroundings,
) -> Doubt {
    let Case {
        action,
        record,
        observation,
        rules,
    } = case;
    let at = observation.requested_at;
    if at < tracker.sent_at {
        return Doubt::Open;
    }
    tracker.note_gap(at, rules);
    tracker.note_reading(at);
    let is_sign = dispatch::is_at_work(action, &observation.status)
        || dispatch::shows_effect(action, record, observation);
    if is_sign && tracker.positive_counts(observation, rules) {
        return Doubt::Executed;
    }
    if host_keys::prove(case, learned, tracker, around) {
        return Doubt::Rekeyed;
    }
    if at < tracker.answered_at {
        return Doubt::Open;
    }
    let quiet_since = quiet_since(case, tracker);
    let window_is_over = tracker.is_window_over(learned.lag(action), rules, at);
    // A list that lags ever further behind keeps no doubt open for ever.
    let patience_is_over = tracker.is_patience_over(rules, at);
    if !window_is_over && !patience_is_over {
        return Doubt::Open;
    }
    let may_still_tell = host_keys::may_still_tell(tracker, around, rules, at);
    let hold = |reason| {
        if may_still_tell {
            Doubt::Open
        } else {
            Doubt::Hold(reason)
        }
    };
    if let Some(reason) = never_provable(case, tracker) {
        return hold(reason);
    }
    let missing = match quiet_since {
        _ if !window_is_over => LAGS.to_owned(),
        None => format!("the list shows {}", observation.describe()),
        // The window is over with the very first quiet reading: the second decides.
        Some(since) if since == at => return Doubt::Open,
        Some(_) => match not_yet_proven(case, learned, tracker, around) {
            // Silence against the instance's own word.
            None if tracker.keys.was_new() => {
                return hold(NEW_KEY.to_owned());
            }
            None => return Doubt::NotExecuted,
            Some(missing) => missing,
        },
    };
    if around.more_to_come && !patience_is_over {
        Doubt::Open
    } else {
        hold(missing)
    }
}

/// Start of the unbroken series of readings that show exactly what stood there before.
fn quiet_since(case: Case<'_>, tracker: &mut Tracker) -> Option<Instant> {
    let Case {
        action,
        record,
        observation,
        ..
    } = case;
    let status_before = record.baseline.as_ref().map(|baseline| &baseline.status);
    if dispatch::shows_before(action, record, observation)
        && action.may_begin(&observation.status)
        && status_before == Some(&observation.status)
    {
        Some(*tracker.quiet_since.get_or_insert(observation.requested_at))
    } else {
        tracker.quiet_since = None;
        None
    }
}

/// Why silence can't prove anything of this submission, whatever else is seen.
fn never_provable(case: Case<'_>, tracker: &Tracker) -> Option<String> {
    let Case {
        action,
        record,
        rules,
        ..
    } = case;
    let noun = action.terms().noun;
    let reason = if tracker.by == By::AnEarlierProcess {
        "the process that sent it has ended, so nobody watched all the time".to_owned()
    } else if tracker.by == By::UsWithAPause {
        "this process was suspended while it should have watched".to_owned()
    } else if let Some(reason) = dispatch::never_provable(action, record) {
        reason.to_owned()
    } else if tracker.blind {
        format!(
            "the list did not show it all the time, so a {noun} could have come and been undone"
        )
    } else if !rules.silence_counts {
        "with --no-requeue silence proves nothing".to_owned()
    } else {
        return None;
    };
    Some(reason)
}

/// What is still missing for the proof, although the readings are quiet and the window is over.
fn not_yet_proven(
    case: Case<'_>,
    learned: &Learned,
    tracker: &Tracker,
    around: Surroundings,
) -> Option<String> {
    let Case {
        action,
        record,
        rules,
        ..
    } = case;
    let noun = action.terms().noun;
    let list_lag = learned.lag(action);
    let window = list_lag.window(rules.settle);
    let alive = around
        .alive_since
        .is_some_and(|since| since.saturating_duration_since(tracker.answered_at) >= window);
    if !list_lag.is_known() {
        Some(format!(
            "no {noun} of this run has shown {}, so it is not known how far the list lags behind",
            dispatch::effect(action)
        ))
    } else if let Some(missing) = dispatch::not_yet_proven(action, record, learned) {
        Some(missing.to_owned())
    } else if !alive {
        Some(format!(
            "no later {noun} has shown on its page of the list, so that page may stand still"
        ))
    } else {
        None
    }
}

/// A reading that did not show an instance.
#[derive(Debug, Clone, Copy)]
pub struct Absence {
    /// When its first page was requested.
    pub began_at: Instant,
    /// The list did not contradict itself: it surely does not hold the instance.
    pub complete: bool,
    /// What is to be said of a doubt that it leaves to the operator.
    pub why: &'static str,
}

impl Absence {
    /// A scan through the list, begun at `began_at`, has ended without the instance.
    pub fn from_list(began_at: Instant, complete: bool) -> Self {
        Self {
            began_at,
            complete,
            why: "the account's list does not show it (is a filter set in the panel?)",
        }
    }

    /// A page, requested at `requested_at`, says nothing of the instance that could be used.
    pub fn unclear(requested_at: Instant) -> Self {
        Self {
            began_at: requested_at,
            complete: false,
            why: "its row of the account's list cannot be read, or contradicts another one",
        }
    }
}

/// Judges a job in doubt whose instance was not shown. Absence is never evidence: the owner's panel
/// may hold a filter.
pub fn judge_absence(
    tracker: &mut Tracker,
    absence: Absence,
    list_lag: &ListLag,
    rules: &Rules,
) -> Doubt {
    let Absence {
        began_at,
        complete,
        why,
    } = absence;
    tracker.note_absence(began_at);
    let window_is_over =
        began_at >= tracker.answered_at && tracker.is_window_over(list_lag, rules, began_at);
    // A list that contradicts itself for so long will not become complete any more.
    if complete && window_is_over || tracker.is_patience_over(rules, began_at) {
        Doubt::Hold(why.to_owned())
    } else {
        Doubt::Open
    }
}
