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

#[cfg(test)]
mod tests {
    //! Each rule with the trap that it guards against. Minutes and hours cost nothing here.

    use super::*;
    use crate::job::{Baseline, Entry};

    const RULES: Rules = Rules {
        settle: Duration::from_mins(5),
        poll_interval: Duration::from_secs(10),
        unseen_after: Duration::from_mins(10),
        rebuild_timeout: Duration::from_hours(1),
    };
    const OLD: &str = "Debian-12";
    const NEW: &str = "AlmaLinux-8";

    /// One submission, its readings at seconds after it was handed to the wire.
    struct Scene {
        sent_at: Instant,
        standing: Standing,
        watch: Watch,
        lag: Lag,
    }

    impl Scene {
        fn submitted(before: &str, outcome: &Entry) -> Self {
            let sent_at = Instant::now() + Duration::from_hours(100);
            let intent = Entry::Intent {
                zone: "pub".to_owned(),
                baseline: Some(Baseline {
                    image: Some(before.to_owned()),
                    status: "active".to_owned(),
                    age_ms: 0,
                }),
                target: Some(NEW.to_owned()),
            };
            let standing = Standing::queued()
                .apply(&intent, 0)
                .and_then(|standing| standing.apply(outcome, 0))
                .unwrap();
            let watch = Watch::new(sent_at, sent_at);
            let mut lag = Lag::default();
            lag.learn(Duration::from_secs(2));
            Self {
                sent_at,
                standing,
                watch,
                lag,
            }
        }

        fn in_doubt(before: &str) -> Self {
            let failure = Failure::new("reset", "the connection ended");
            let unknown = Entry::Unknown {
                failure,
                submitted_ms: Some(0),
            };
            Self::submitted(before, &unknown)
        }

        fn accepted(before: &str) -> Self {
            Self::submitted(before, &Entry::Accepted { submitted_ms: 0 })
        }

        /// The list is read `at_s` seconds after the send; negative: before it.
        fn sighting(&self, at_s: i64, status: &str, image: &str) -> Sighting {
            let distance = Duration::from_secs(at_s.unsigned_abs());
            let requested_at = if at_s < 0 {
                self.sent_at.checked_sub(distance).unwrap()
            } else {
                self.sent_at + distance
            };
            Sighting {
                requested_at,
                status: status.to_owned(),
                image: Some(image.to_owned()),
            }
        }

        fn doubt(&mut self, at_s: i64, status: &str, image: &str) -> Doubt {
            let sighting = self.sighting(at_s, status, image);
            judge_doubt(&self.standing, &mut self.watch, &sighting, self.lag, &RULES)
        }

        fn progress(&mut self, at_s: i64, status: &str, image: &str) -> Progress {
            let sighting = self.sighting(at_s, status, image);
            let progress = judge_progress(&self.standing, &mut self.watch, &sighting, &RULES);
            if progress == Progress::Begun {
                let entry = Entry::Sighted {
                    status: sighting.status,
                    image: sighting.image,
                };
                self.standing = self.standing.apply(&entry, 0).unwrap();
            }
            progress
        }
    }

    #[test]
    fn a_reading_requested_before_the_send_says_nothing_however_late_it_arrives() {
        let mut scene = Scene::in_doubt(OLD);
        assert_eq!(scene.doubt(-1, "rebuilding", NEW), Doubt::Open);
        let mut scene = Scene::accepted(OLD);
        assert_eq!(scene.progress(-1, "error", OLD), Progress::Waiting);
        assert_eq!(scene.progress(-1, "rebuilding", OLD), Progress::Waiting);
    }

    #[test]
    fn a_doubt_is_disproved_by_two_quiet_readings_after_its_window_and_not_before() {
        let mut scene = Scene::in_doubt(OLD);
        assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
        assert_eq!(scene.doubt(300, "active", OLD), Doubt::Open);
        assert_eq!(scene.doubt(301, "active", OLD), Doubt::NotExecuted);
        let mut scene = Scene::in_doubt(OLD);
        assert_eq!(scene.doubt(400, "active", OLD), Doubt::Open, "only one yet");
        assert_eq!(scene.doubt(410, "active", OLD), Doubt::NotExecuted);
    }

    #[test]
    fn a_list_that_lags_for_minutes_disproves_nothing_before_its_lag_was_learned() {
        let mut scene = Scene::in_doubt(OLD);
        scene.lag = Lag::default();
        assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
        assert!(matches!(scene.doubt(310, "active", OLD), Doubt::Hold(_)));
        let mut scene = Scene::in_doubt(OLD);
        scene.lag.learn(Duration::from_mins(4));
        assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
        assert_eq!(scene.doubt(719, "active", OLD), Doubt::Open);
        assert_eq!(scene.doubt(721, "active", OLD), Doubt::NotExecuted);
    }

    #[test]
    fn rebuilding_or_the_ordered_image_proves_the_execution() {
        assert_eq!(
            Scene::in_doubt(OLD).doubt(1, "rebuilding", OLD),
            Doubt::Executed
        );
        assert_eq!(
            Scene::in_doubt(OLD).doubt(1, "active", NEW),
            Doubt::Executed
        );
        let mut same = Scene::in_doubt(NEW);
        assert_eq!(
            same.doubt(1, "active", NEW),
            Doubt::Open,
            "it had it before"
        );
        assert!(matches!(same.doubt(301, "active", NEW), Doubt::Hold(_)));
    }

    #[test]
    fn hours_after_a_crash_a_restored_image_disproves_nothing_and_a_new_one_proves_nothing() {
        for image in [OLD, NEW] {
            let mut scene = Scene::in_doubt(OLD);
            let now = scene.sent_at + Duration::from_hours(3);
            scene.watch = Watch::inherited(now, Duration::from_hours(3));
            assert!(
                matches!(scene.doubt(10_801, "active", image), Doubt::Hold(_)),
                "{image}"
            );
        }
        let mut soon = Scene::in_doubt(OLD);
        let now = soon.sent_at + Duration::from_mins(1);
        soon.watch = Watch::inherited(now, Duration::from_mins(1));
        assert_eq!(soon.doubt(61, "rebuilding", OLD), Doubt::Executed);
    }

    #[test]
    fn a_third_image_leaves_the_end_unclear() {
        let unclear = |progress| matches!(progress, Progress::Unclear(failure) if failure.error_kind == "third_image");
        assert!(unclear(Scene::accepted(OLD).progress(
            60,
            "active",
            "Windows-2022"
        )));
        // A human's own rebuild got in between: it was seen, and its image is not ours.
        let mut scene = Scene::accepted(OLD);
        assert_eq!(scene.progress(5, "rebuilding", OLD), Progress::Begun);
        assert!(unclear(scene.progress(60, "active", "Windows-2022")));
    }

    #[test]
    fn the_new_name_while_the_disk_is_still_being_written_completes_nothing() {
        let mut scene = Scene::accepted(OLD);
        assert_eq!(scene.progress(1, "active", NEW), Progress::Waiting);
        assert_eq!(
            scene.progress(11, "active", NEW),
            Progress::Waiting,
            "too close"
        );
        assert_eq!(scene.progress(21, "rebuilding", NEW), Progress::Begun);
        assert_eq!(
            scene.progress(200, "active", NEW),
            Progress::Complete(Evidence::Observed)
        );
        let mut unseen = Scene::accepted(OLD);
        assert_eq!(unseen.progress(1, "active", NEW), Progress::Waiting);
        assert_eq!(
            unseen.progress(31, "active", NEW),
            Progress::Complete(Evidence::Image)
        );
    }

    #[test]
    fn an_accepted_rebuild_that_nothing_showed_is_done_only_after_its_time() {
        let mut scene = Scene::accepted(NEW);
        assert_eq!(scene.progress(599, "active", NEW), Progress::Waiting);
        assert_eq!(
            scene.progress(600, "active", NEW),
            Progress::Complete(Evidence::Accepted)
        );
    }

    #[test]
    fn an_error_after_the_send_is_a_broken_rebuild_unless_it_stood_there_before() {
        assert!(matches!(
            Scene::accepted(OLD).progress(30, "error", NEW),
            Progress::Broken(_)
        ));
        let mut scene = Scene::accepted(OLD);
        if let Some(baseline) = &mut scene.standing.baseline {
            "error".clone_into(&mut baseline.status);
        }
        assert_eq!(scene.progress(30, "error", OLD), Progress::Waiting);
        assert_eq!(scene.progress(40, "rebuilding", OLD), Progress::Begun);
        assert!(matches!(
            scene.progress(90, "error", NEW),
            Progress::Broken(_)
        ));
    }

    #[test]
    fn what_is_never_back_is_unclear_when_a_reading_says_so_after_its_time() {
        let mut scene = Scene::accepted(OLD);
        assert_eq!(scene.progress(5, "rebuilding", OLD), Progress::Begun);
        assert_eq!(scene.progress(3599, "rebuilding", OLD), Progress::Waiting);
        assert!(matches!(
            scene.progress(3600, "rebuilding", OLD),
            Progress::Unclear(_)
        ));
    }

    #[test]
    fn absence_proves_nothing_and_a_process_that_slept_cannot_disprove() {
        let mut scene = Scene::in_doubt(OLD);
        let absence = |at_s| Absence {
            began_at: scene.sent_at + Duration::from_secs(at_s),
            complete: true,
        };
        let (early, late) = (absence(60), absence(301));
        let open = judge_absence(&mut scene.watch, early, scene.lag, &RULES);
        assert_eq!(open, Doubt::Open);
        let held = judge_absence(&mut scene.watch, late, scene.lag, &RULES);
        assert!(matches!(held, Doubt::Hold(_)));
        let mut slept = Scene::in_doubt(OLD);
        assert_eq!(slept.doubt(10, "active", OLD), Doubt::Open);
        slept.watch.interrupt();
        assert!(matches!(slept.doubt(400, "active", OLD), Doubt::Hold(_)));
    }
}
