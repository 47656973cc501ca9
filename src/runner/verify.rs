//! How a doubt ends, and when a rebuild is complete: pure rules over readings of the list.
//!
//! The one fact to know: "active" right after a submission proves nothing, because the list lags
//! behind. So *not executed* is concluded only where everything that could hide an execution has
//! been ruled out; whatever is left is for the operator. A reading counts for a job only if it was
//! requested after the job's request had been handed to the wire, and speaks *against* an
//! execution only if it was requested after the answer had failed to come.

use std::time::{Duration, Instant};

use crate::job::{Evidence, Failure, Standing};
use crate::{text, time};

/// What the list said of one instance, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// When the reading was requested.
    pub requested_at: Instant,
    /// The instance's status, trimmed and in lower case; empty where the list gave none.
    pub status: String,
    /// The name of its image, where the list gave one.
    pub image: Option<String>,
}

impl Sighting {
    /// The instance works and nothing is being done to it.
    pub fn is_back(&self) -> bool {
        matches!(self.status.as_str(), "active" | "stopped")
    }

    /// A rebuild may be submitted.
    pub fn is_ready(&self) -> bool {
        self.is_back() || self.status == "error"
    }

    fn is_rebuilding(&self) -> bool {
        self.status == "rebuilding"
    }

    fn describe(&self) -> String {
        let status = if self.status.is_empty() {
            "no status"
        } else {
            &self.status
        };
        match &self.image {
            Some(image) => text::brief(&format!("{status} with {image}"), 120),
            None => text::brief(status, 120),
        }
    }
}

/// The times that the rules need; all of them are options of `refleet run`.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// `--settle`
    pub settle: Duration,
    /// `--poll-interval`
    pub poll_interval: Duration,
    /// `--unseen-after`
    pub unseen_after: Duration,
    /// `--rebuild-timeout`
    pub rebuild_timeout: Duration,
}

/// How far the list lags behind acceptance, as far as this run has seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lag {
    longest: Option<Duration>,
}

impl Lag {
    /// A rebuild showed its first sign so long after its acceptance.
    pub fn learn(&mut self, lag: Duration) {
        self.longest = Some(self.longest.map_or(lag, |longest| longest.max(lag)));
    }

    /// The same, if a rebuild that was accepted has not shown for `silence`. That alone teaches
    /// nothing: it may never show.
    #[must_use]
    pub fn at_least(self, silence: Option<Duration>) -> Self {
        Self {
            longest: self
                .longest
                .map(|longest| silence.map_or(longest, |silence| longest.max(silence))),
        }
    }

    /// How long a doubt is watched before it is decided.
    fn window(self, settle: Duration) -> Duration {
        self.longest
            .map_or(settle, |longest| settle.max(longest.saturating_mul(3)))
    }
}

/// What this process knows of one submission beyond the ledger.
#[derive(Debug, Clone)]
pub struct Watch {
    /// When the request was handed to the wire: readings requested before say nothing.
    sent_at: Instant,
    /// When its answer arrived, or failed to: readings requested before say nothing *against* it.
    answered_at: Instant,
    /// This process sent it and has watched ever since.
    unbroken: bool,
    /// Sent by an earlier process.
    inherited: bool,
    /// When a reading of this run first showed what became of it, or that the list has it not.
    read_since: Option<Instant>,
    /// Start of the unbroken series of readings that show what stood there before.
    quiet_since: Option<Instant>,
    /// Start of the unbroken series of readings that show the target, settled.
    target_since: Option<Instant>,
    /// A first sign was seen.
    sign_seen: bool,
    /// The latest reading that showed none.
    silent_until: Option<Instant>,
}

impl Watch {
    /// Of a submission of this process.
    pub fn new(sent_at: Instant, answered_at: Instant) -> Self {
        Self {
            sent_at,
            answered_at,
            unbroken: true,
            inherited: false,
            read_since: None,
            quiet_since: None,
            target_since: None,
            sign_seen: false,
            silent_until: None,
        }
    }

    /// Of a submission of an earlier process, `age` ago by the clock on the wall.
    pub fn inherited(now: Instant, age: Duration) -> Self {
        let sent_at = now.checked_sub(age).unwrap_or(now);
        Self {
            unbroken: false,
            inherited: true,
            ..Self::new(sent_at, sent_at)
        }
    }

    /// The process was suspended: what happened meanwhile was not seen.
    pub fn interrupt(&mut self) {
        self.unbroken = false;
        self.read_since = None;
        self.quiet_since = None;
        self.target_since = None;
    }

    /// A reading that was requested at `at` shows that the instance has not come back in time. How
    /// it went while nobody watched is not known: then this process looks for `--settle` before it
    /// gives up.
    fn is_overdue(&self, rules: &Rules, at: Instant) -> bool {
        let is_late = at.saturating_duration_since(self.sent_at) >= rules.rebuild_timeout;
        let has_looked = self.unbroken
            || self
                .read_since
                .is_some_and(|since| at.saturating_duration_since(since) >= rules.settle);
        // Where the target shows, the next readings tell whether it is settled.
        is_late && has_looked && self.target_since.is_none()
    }

    /// The list did not show it.
    fn note_absence(&mut self, requested_at: Instant) {
        self.note_reading(requested_at);
        self.quiet_since = None;
        self.target_since = None;
    }

    /// A reading of this run has been judged.
    fn note_reading(&mut self, requested_at: Instant) {
        self.read_since.get_or_insert(requested_at);
    }

    /// When the request was handed to the wire.
    pub fn sent_at(&self) -> Instant {
        self.sent_at
    }

    /// The first sign of the rebuild, if `sighting` is it: how long after the acceptance it came.
    pub fn first_sign(
        &mut self,
        standing: &Standing,
        sighting: &Sighting,
        seen_at: Instant,
    ) -> Option<Duration> {
        if sighting.requested_at < self.sent_at || self.sign_seen {
            return None;
        }
        if sighting.is_rebuilding() || became_target(standing, sighting) {
            self.sign_seen = true;
            // Nobody knows for how much of the time nobody watched it could have been seen.
            return self
                .unbroken
                .then(|| seen_at.saturating_duration_since(self.sent_at));
        }
        self.silent_until = Some(sighting.requested_at);
        None
    }

    /// How long an accepted rebuild that must show in the list has not shown: the list lags at
    /// least so far behind.
    pub fn silence(&self, standing: &Standing) -> Option<Duration> {
        let must_show = standing.accepted && !self.sign_seen && self.unbroken;
        let silent_until = self
            .silent_until
            .filter(|_| must_show && changes_name(standing))?;
        Some(silent_until.saturating_duration_since(self.sent_at))
    }
}

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

/// Judges a job in doubt by one reading of its instance.
pub fn judge_doubt(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    lag: Lag,
    rules: &Rules,
) -> Doubt {
    if sighting.requested_at < watch.sent_at {
        return Doubt::Open;
    }
    // Of an earlier process's submission, later sightings may be somebody else's work.
    watch.note_reading(sighting.requested_at);
    let age = sighting
        .requested_at
        .saturating_duration_since(watch.sent_at);
    let positive_counts = !watch.inherited || age < rules.rebuild_timeout;
    if positive_counts && (sighting.is_rebuilding() || became_target(standing, sighting)) {
        return Doubt::Executed;
    }
    if sighting.requested_at < watch.answered_at {
        return Doubt::Open;
    }
    let shows_baseline = standing.baseline.as_ref().is_some_and(|baseline| {
        sighting.is_ready()
            && sighting.status == baseline.status
            && sighting.image == baseline.image
    });
    let quiet_since = if shows_baseline {
        Some(*watch.quiet_since.get_or_insert(sighting.requested_at))
    } else {
        watch.quiet_since = None;
        None
    };
    if !is_window_over(watch, lag, rules, sighting.requested_at) {
        return Doubt::Open;
    }
    let baseline_image = standing
        .baseline
        .as_ref()
        .and_then(|baseline| baseline.image.as_ref());
    let reason = match (baseline_image, &standing.target) {
        _ if watch.inherited => {
            "the process that sent it has ended, so nobody watched all the time".to_owned()
        }
        _ if !watch.unbroken => "this process was suspended while it should have watched".to_owned(),
        (None, _) => "it is not known what stood on it before".to_owned(),
        (_, None) => "the image's name is not known, so the list cannot tell".to_owned(),
        (Some(before), Some(target)) if before == target => {
            "it had the same image before, so the list cannot tell".to_owned()
        }
        _ if lag.longest.is_none() => {
            "no rebuild of this run was seen to begin, so it is not known how far the list lags behind".to_owned()
        }
        _ => match quiet_since {
            Some(since) if since < sighting.requested_at => return Doubt::NotExecuted,
            // The window is over with the very first quiet reading: the second decides.
            Some(_) => return Doubt::Open,
            None => format!("the list shows {}", sighting.describe()),
        },
    };
    Doubt::Hold(reason)
}

/// A walk through the list, begun at `began_at`, that did not show an instance.
#[derive(Debug, Clone, Copy)]
pub struct Absence {
    /// When its first page was requested.
    pub began_at: Instant,
    /// The list did not contradict itself: it surely does not hold the instance.
    pub complete: bool,
}

/// Judges a job in doubt whose instance was not shown. Absence is never evidence: the owner's panel
/// may hold a filter.
pub fn judge_absence(watch: &mut Watch, absence: Absence, lag: Lag, rules: &Rules) -> Doubt {
    let Absence { began_at, complete } = absence;
    watch.note_absence(began_at);
    // A list that contradicts itself for so long will not become complete any more.
    let age = began_at.saturating_duration_since(watch.answered_at);
    let counts = complete || age >= rules.rebuild_timeout;
    if counts && began_at >= watch.answered_at && is_window_over(watch, lag, rules, began_at) {
        Doubt::Hold(
            "the account's list does not show it (is a filter set in the panel?)".to_owned(),
        )
    } else {
        Doubt::Open
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

fn is_window_over(watch: &Watch, lag: Lag, rules: &Rules, at: Instant) -> bool {
    at.saturating_duration_since(watch.answered_at) > lag.window(rules.settle)
}

/// What a reading means for a job that is rebuilding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nothing new.
    Waiting,
    /// The instance is seen `rebuilding` for the first time.
    Begun,
    /// It is back.
    Complete(Evidence),
    /// It ended in an error.
    Broken(Failure),
    /// How it ended cannot be told.
    Unclear(Failure),
}

/// Judges a rebuilding job by one reading of its instance.
pub fn judge_progress(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    rules: &Rules,
) -> Progress {
    if sighting.requested_at < watch.sent_at {
        return Progress::Waiting;
    }
    watch.note_reading(sighting.requested_at);
    match judge_sighting(standing, watch, sighting, rules) {
        Progress::Waiting if watch.is_overdue(rules, sighting.requested_at) => {
            Progress::Unclear(overdue(rules))
        }
        progress => progress,
    }
}

fn judge_sighting(
    standing: &Standing,
    watch: &mut Watch,
    sighting: &Sighting,
    rules: &Rules,
) -> Progress {
    let baseline = standing.baseline.as_ref();
    if sighting.is_rebuilding() {
        watch.target_since = None;
        return if standing.rebuilding_seen {
            Progress::Waiting
        } else {
            Progress::Begun
        };
    }
    if sighting.status == "error" {
        watch.target_since = None;
        let stood_in_error = baseline.is_none_or(|baseline| baseline.status == "error");
        return if stood_in_error && !standing.rebuilding_seen {
            Progress::Waiting
        } else {
            Progress::Broken(Failure::new(
                "instance_error",
                "the instance ended in status error",
            ))
        };
    }
    if !sighting.is_back() {
        watch.target_since = None;
        return Progress::Waiting;
    }
    if is_third_image(standing, sighting) {
        let error = format!(
            "neither the old nor the ordered image: {}",
            sighting.describe()
        );
        return Progress::Unclear(Failure::new("third_image", error));
    }
    if standing.rebuilding_seen {
        return Progress::Complete(Evidence::Observed);
    }
    if became_target(standing, sighting) {
        let since = *watch.target_since.get_or_insert(sighting.requested_at);
        let apart = rules.poll_interval.max(rules.settle / 10);
        let settled = sighting.requested_at > since && sighting.requested_at - since >= apart;
        return if settled {
            Progress::Complete(Evidence::Image)
        } else {
            Progress::Waiting
        };
    }
    watch.target_since = None;
    let unseen = sighting
        .requested_at
        .saturating_duration_since(watch.answered_at)
        >= rules.unseen_after;
    if standing.accepted && unseen {
        return Progress::Complete(Evidence::Accepted);
    }
    Progress::Waiting
}

/// The image's name became the target's, and was another one before.
fn became_target(standing: &Standing, sighting: &Sighting) -> bool {
    changes_name(standing) && sighting.image == standing.target
}

/// The rebuild gives the instance's image another name, as far as both are known.
fn changes_name(standing: &Standing) -> bool {
    let before = standing
        .baseline
        .as_ref()
        .and_then(|baseline| baseline.image.as_ref());
    matches!((before, &standing.target), (Some(before), Some(target)) if before != target)
}

fn is_third_image(standing: &Standing, sighting: &Sighting) -> bool {
    let before = standing
        .baseline
        .as_ref()
        .and_then(|baseline| baseline.image.as_ref());
    match (before, &standing.target, &sighting.image) {
        (Some(before), Some(target), Some(now)) => now != target && now != before,
        _ => false,
    }
}
