//! How a doubt ends. Why silence may end one at all stands at [`super`].

use std::time::Instant;

use super::names::{self, Shows};
use super::tracker::By;
use super::{Case, ListLag, Observation, Rules, Tracker};
use crate::job::{InstanceStatus, JobRecord};

/// Why a doubt is held whose window is longer than anybody waits.
const LAGS: &str =
    "the list lags so far behind in this run that it will not tell within --rebuild-timeout";

/// What a reading means for a job in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// Watch on.
    Open,
    /// The rebuild was executed.
    Executed,
    /// It was not, and that is proven.
    NotExecuted,
    /// No evidence is to be expected any more, and why.
    Hold(String),
}

/// What stands around the instance in the reading that is judged.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings {
    /// The latest baseline among the rebuilds whose new name this very reading shows on the same
    /// page: when it was read. The page is younger than that.
    pub alive_since: Option<Instant>,
    /// A rebuild that would prove the page to be alive, or the spelling of the image's name, may
    /// still come.
    pub more_to_come: bool,
}

/// Judges a job in doubt by one reading of its instance.
pub fn judge_doubt(case: Case<'_>, tracker: &mut Tracker, around: Surroundings) -> Doubt {
    let Case {
        record,
        observation,
        list_lag,
        rules,
    } = case;
    let at = observation.requested_at;
    if at < tracker.sent_at {
        return Doubt::Open;
    }
    tracker.note_gap(at, rules);
    tracker.note_reading(at);
    let shows = names::shows(record, observation);
    if (observation.is_rebuilding() || shows == Shows::Target)
        && tracker.positive_counts(observation, rules)
    {
        return Doubt::Executed;
    }
    if at < tracker.answered_at {
        return Doubt::Open;
    }
    let quiet_since = quiet_since(record, tracker, observation, &shows);
    let window_is_over = tracker.is_window_over(list_lag, rules, at);
    // A list that lags ever further behind keeps no doubt open for ever.
    let patience_is_over = tracker.is_patience_over(rules, at);
    if !window_is_over && !patience_is_over {
        return Doubt::Open;
    }
    if let Some(reason) = never_provable(record, tracker, rules) {
        return Doubt::Hold(reason.to_owned());
    }
    let missing = match quiet_since {
        _ if !window_is_over => LAGS.to_owned(),
        None => format!("the list shows {}", observation.describe()),
        // The window is over with the very first quiet reading: the second decides.
        Some(since) if since == at => return Doubt::Open,
        Some(_) => match not_yet_proven(case, tracker, around) {
            None => return Doubt::NotExecuted,
            Some(missing) => missing.to_owned(),
        },
    };
    if around.more_to_come && !patience_is_over {
        Doubt::Open
    } else {
        Doubt::Hold(missing)
    }
}

/// Start of the unbroken series of readings that show exactly what stood there before.
fn quiet_since(
    record: &JobRecord,
    tracker: &mut Tracker,
    observation: &Observation,
    shows: &Shows,
) -> Option<Instant> {
    let status_before = record.baseline.as_ref().map(|baseline| &baseline.status);
    if *shows == Shows::Before
        && observation.is_ready()
        && status_before == Some(&observation.status)
    {
        Some(*tracker.quiet_since.get_or_insert(observation.requested_at))
    } else {
        tracker.quiet_since = None;
        None
    }
}

/// Why silence can't prove anything of this submission, whatever else is seen.
fn never_provable(record: &JobRecord, tracker: &Tracker, rules: &Rules) -> Option<&'static str> {
    let baseline = record.baseline.as_ref();
    if tracker.by == By::AnEarlierProcess {
        Some("the process that sent it has ended, so nobody watched all the time")
    } else if tracker.by == By::UsWithAPause {
        Some("this process was suspended while it should have watched")
    } else if names::before(record).is_none() {
        Some("it is not known what stood on it before")
    } else if names::target(record).is_none() {
        Some("the image's name is not known, so the list cannot tell")
    } else if !names::change(record) {
        Some("it had the same image before, so the list cannot tell")
    } else if baseline.is_none_or(|baseline| baseline.status == InstanceStatus::Error) {
        Some(
            "it stood in status error before, so a rebuild that failed at once would look like none",
        )
    } else if tracker.blind {
        Some("the list did not show it all the time, so a rebuild could have come and been undone")
    } else if !rules.silence_counts {
        Some("with --no-requeue silence proves nothing")
    } else {
        None
    }
}

/// What is still missing for the proof, although the readings are quiet and the window is over.
fn not_yet_proven(case: Case<'_>, tracker: &Tracker, around: Surroundings) -> Option<&'static str> {
    let Case {
        record,
        list_lag,
        rules,
        ..
    } = case;
    let spelled = names::target(record).is_some_and(|target| list_lag.spells(&target));
    let window = list_lag.window(rules.settle);
    let alive = around
        .alive_since
        .is_some_and(|since| since.saturating_duration_since(tracker.answered_at) >= window);
    if !list_lag.knows_the_lag() {
        Some(
            "no rebuild of this run has shown its new image, so it is not known how far the list lags behind",
        )
    } else if !spelled {
        Some(
            "no instance was seen to get this image, so it is not known whether the list spells its name alike",
        )
    } else if !alive {
        Some("no later rebuild has shown on its page of the list, so that page may stand still")
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
