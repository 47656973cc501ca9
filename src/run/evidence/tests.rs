//! Each rule with the trap that it guards against. Minutes and hours cost nothing here.

use std::time::{Duration, Instant};

use super::*;
use crate::job::{Baseline, Evidence, Failure, InstanceStatus, JobRecord, LedgerEntry, Task};

const RULES: Rules = Rules {
    settle: Duration::from_mins(5),
    poll_interval: Duration::from_secs(10),
    unseen_after: Duration::from_mins(10),
    rebuild_timeout: Duration::from_hours(1),
    silence_counts: true,
};
const OLD: &str = "Debian-12";
const NEW: &str = "AlmaLinux-8";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// One submission, its readings at seconds after it was handed to the wire.
struct Scene {
    sent_at: Instant,
    record: JobRecord,
    tracker: Tracker,
    list_lag: ListLag,
    rules: Rules,
    /// Seconds after the send at which the baseline of a control was read that shows by now.
    control_s: Option<u64>,
    more_to_come: bool,
}

impl Scene {
    fn submitted(before: &str, outcome: &LedgerEntry) -> Self {
        let sent_at = Instant::now() + Duration::from_hours(100);
        let intent = LedgerEntry::Intent {
            task: Task::Rebuild {
                zone: "pub".to_owned(),
                target: Some(NEW.to_owned()),
            },
            baseline: Some(Baseline {
                image: Some(before.to_owned()),
                status: InstanceStatus::Active,
                age_ms: 0,
                name: None,
                ip: None,
            }),
        };
        let record = JobRecord::queued()
            .apply(&intent, 0)
            .and_then(|record| record.apply(outcome, 0))
            .unwrap();
        let mut list_lag = ListLag::default();
        list_lag.name_showed(&names::form(NEW).unwrap());
        list_lag.lagged(seconds(2));
        Self {
            sent_at,
            record,
            tracker: Tracker::new(sent_at, sent_at),
            list_lag,
            rules: RULES,
            control_s: Some(301),
            more_to_come: true,
        }
    }

    fn in_doubt(before: &str) -> Self {
        let failure = Failure::new("reset", "the connection ended");
        let unknown = LedgerEntry::Unknown {
            failure,
            submitted_ms: Some(0),
        };
        Self::submitted(before, &unknown)
    }

    fn accepted(before: &str) -> Self {
        Self::submitted(before, &LedgerEntry::Accepted { submitted_ms: 0 })
    }

    fn stood_in(mut self, status: &str) -> Self {
        if let Some(baseline) = &mut self.record.baseline {
            baseline.status = status.into();
        }
        self
    }

    /// The list is read `at_s` seconds after the send; negative: before it.
    fn observation(&self, at_s: i64, status: &str, image: &str) -> Observation {
        let distance = Duration::from_secs(at_s.unsigned_abs());
        let requested_at = if at_s < 0 {
            self.sent_at.checked_sub(distance).unwrap()
        } else {
            self.sent_at + distance
        };
        Observation {
            requested_at,
            status: status.into(),
            image: Some(image.to_owned()),
        }
    }

    fn doubt(&mut self, at_s: i64, status: &str, image: &str) -> Doubt {
        let observation = self.observation(at_s, status, image);
        let around = Surroundings {
            alive_since: self.control_s.map(|at_s| self.sent_at + seconds(at_s)),
            more_to_come: self.more_to_come,
        };
        let case = Case {
            record: &self.record,
            observation: &observation,
            list_lag: &self.list_lag,
            rules: &self.rules,
        };
        judge_doubt(case, &mut self.tracker, around)
    }

    /// What becomes of it when everything stays as it was.
    fn quiet(mut self) -> Doubt {
        let status = self.record.baseline.clone().unwrap().status;
        let status = status.as_str();
        assert_eq!(self.doubt(10, status, OLD), Doubt::Open);
        assert_eq!(self.doubt(250, status, OLD), Doubt::Open);
        self.doubt(400, status, OLD)
    }

    fn progress(&mut self, at_s: i64, status: &str, image: &str) -> Progress {
        let observation = self.observation(at_s, status, image);
        let case = Case {
            record: &self.record,
            observation: &observation,
            list_lag: &self.list_lag,
            rules: &self.rules,
        };
        let progress = judge_progress(case, &mut self.tracker);
        if progress == Progress::Begun {
            let entry = LedgerEntry::Sighted {
                status: observation.status,
                image: observation.image,
            };
            self.record = self.record.apply(&entry, 0).unwrap();
        }
        progress
    }
}

fn done(evidence: Evidence) -> Progress {
    Progress::Complete {
        evidence,
        remark: None,
    }
}

fn flagged(progress: Progress) -> Option<(Evidence, String)> {
    match progress {
        Progress::Complete {
            evidence,
            remark: Some(remark),
        } => Some((evidence, remark.error_kind.to_string())),
        _ => None,
    }
}

fn unclear(progress: Progress) -> Option<String> {
    match progress {
        Progress::Unclear(failure) => Some(failure.error_kind.to_string()),
        _ => None,
    }
}

#[track_caller]
fn assert_held(doubt: &Doubt, why: &str) {
    assert!(
        matches!(doubt, Doubt::Hold(reason) if reason.contains(why)),
        "{doubt:?}"
    );
}

// ---- doubts ------------------------------------------------------------------------------------

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
    assert_eq!(scene.doubt(250, "stopping", OLD), Doubt::Open);
    assert_eq!(scene.doubt(400, "active", OLD), Doubt::Open, "only one yet");
    assert_eq!(scene.doubt(410, "active", OLD), Doubt::NotExecuted);
}

// The assumptions of the argument, each broken in turn: held, never disproved.

// Field cases A1 and A3.
#[test]
fn silence_proves_nothing_before_a_new_name_was_seen() {
    // Only a sign teaches a lag, and only the name's.
    let mut scene = Scene::in_doubt(OLD);
    scene.list_lag = ListLag::default();
    scene.list_lag.name_showed(&names::form(NEW).unwrap());
    scene.list_lag.was_silent(seconds(7));
    scene.more_to_come = false;
    assert_held(&scene.quiet(), "how far the list lags");
}

// Field case A3.
#[test]
fn silence_proves_nothing_where_the_list_may_spell_the_image_otherwise() {
    // "Ubuntu" in the list, "Ubuntu-22.04" in the preview.
    let mut scene = Scene::in_doubt(OLD);
    scene.list_lag = ListLag::default();
    scene.list_lag.name_showed("another image");
    scene.list_lag.lagged(seconds(2));
    scene.more_to_come = false;
    assert_held(&scene.quiet(), "spells its name alike");
}

// Field case A4.
#[test]
fn silence_proves_nothing_without_a_control_that_was_read_after_the_window() {
    // The list froze after it was seen to work.
    for control_s in [None, Some(0), Some(299)] {
        let mut scene = Scene::in_doubt(OLD);
        scene.control_s = control_s;
        assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
        assert_eq!(scene.doubt(250, "active", OLD), Doubt::Open);
        for at_s in (400..3600).step_by(200) {
            assert_eq!(
                scene.doubt(at_s, "active", OLD),
                Doubt::Open,
                "one may come"
            );
        }
        assert_held(&scene.doubt(3600, "active", OLD), "stand still");
        scene.more_to_come = false;
        assert_held(&scene.doubt(400, "active", OLD), "stand still");
    }
}

// Field case A2.
#[test]
fn silence_proves_nothing_of_an_instance_that_stood_in_error() {
    // It fails at once, and stands in error again under its old name.
    assert_held(
        &Scene::in_doubt(OLD).stood_in("error").quiet(),
        "status error",
    );
    let doubt = Scene::in_doubt(OLD).stood_in("stopped").quiet();
    assert_eq!(doubt, Doubt::NotExecuted, "any other rest will do");
}

#[test]
fn silence_proves_nothing_where_the_names_cannot_differ() {
    let spellings = ["AlmaLinux-8", "Alma Linux 8", "almalinux_8"];
    for before in spellings {
        let mut scene = Scene::in_doubt(before);
        assert_eq!(
            scene.doubt(1, "active", NEW),
            Doubt::Open,
            "it had it before"
        );
        assert_held(&scene.doubt(301, "active", NEW), "the same image");
    }
    let mut scene = Scene::in_doubt("Debi\u{fffd}n-12");
    assert_held(&scene.doubt(400, "active", OLD), "what stood on it before");
    let mut scene = Scene::in_doubt(OLD);
    scene.record.target = None;
    assert_held(&scene.doubt(400, "active", OLD), "name is not known");
}

#[test]
fn silence_proves_nothing_with_no_requeue() {
    let mut scene = Scene::in_doubt(OLD);
    scene.rules.silence_counts = false;
    assert_held(&scene.quiet(), "--no-requeue");
    let mut scene = Scene::in_doubt(OLD);
    scene.rules.silence_counts = false;
    assert_eq!(
        scene.doubt(20, "active", NEW),
        Doubt::Executed,
        "a sign does"
    );
}

#[test]
fn silence_lengthens_a_lag_that_was_learned() {
    let mut scene = Scene::in_doubt(OLD);
    scene.list_lag.lagged(Duration::from_mins(4));
    scene.control_s = Some(721);
    assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
    for at_s in [250, 500, 719] {
        assert_eq!(scene.doubt(at_s, "active", OLD), Doubt::Open);
    }
    assert_eq!(scene.doubt(721, "active", OLD), Doubt::NotExecuted);
    let mut scene = Scene::in_doubt(OLD);
    scene.list_lag.was_silent(Duration::from_mins(4));
    scene.control_s = Some(721);
    assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
    for at_s in [250, 500, 719] {
        assert_eq!(scene.doubt(at_s, "active", OLD), Doubt::Open);
    }
    assert_eq!(scene.doubt(721, "active", OLD), Doubt::NotExecuted);
}

/// Three times the silence of an accepted rebuild may be longer than anybody waits.
#[test]
fn a_window_that_grows_beyond_all_patience_keeps_no_doubt_open() {
    let lagging = || {
        let mut scene = Scene::in_doubt(OLD);
        scene.list_lag.was_silent(Duration::from_mins(40));
        scene
    };
    let mut scene = lagging();
    for at_s in (10..3600).step_by(200) {
        assert_eq!(scene.doubt(at_s, "active", OLD), Doubt::Open);
    }
    assert_held(&scene.doubt(3600, "active", OLD), "lags so far behind");
    assert_eq!(
        lagging().doubt(3600, "rebuilding", OLD),
        Doubt::Executed,
        "a sign counts however late it comes"
    );
    let mut scene = lagging();
    for (at_s, ends) in [(3599, false), (3600, true)] {
        let absence = Absence::from_list(scene.sent_at + seconds(at_s), true);
        let doubt = judge_absence(&mut scene.tracker, absence, &scene.list_lag, &RULES);
        assert_eq!(doubt != Doubt::Open, ends, "{doubt:?}");
    }
}

#[test]
fn silence_proves_nothing_where_something_else_was_seen_in_between() {
    for (status, image) in [
        ("stopping", OLD),
        ("active", "Windows-2022"),
        ("stopped", OLD),
    ] {
        let mut scene = Scene::in_doubt(OLD);
        assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
        assert_eq!(scene.doubt(250, "active", OLD), Doubt::Open);
        assert_eq!(
            scene.doubt(400, status, image),
            Doubt::Open,
            "a control may come"
        );
        assert_eq!(scene.doubt(410, "active", OLD), Doubt::Open, "a new series");
        scene.more_to_come = false;
        assert_held(&scene.doubt(420, status, image), "the list shows");
    }
}

// Field case A9.
#[test]
fn rebuilding_or_the_ordered_image_proves_the_execution() {
    let executed = |status, image| Scene::in_doubt(OLD).doubt(1, status, image);
    assert_eq!(executed("rebuilding", OLD), Doubt::Executed);
    assert_eq!(executed("active", NEW), Doubt::Executed);
    // Another spelling of the same name.
    assert_eq!(executed("active", "Alma Linux 8"), Doubt::Executed);
    assert_eq!(executed("active", "AlmaLinux-8.1"), Doubt::Open);
    assert_eq!(executed("active", "AlmaLinux\u{fffd}8"), Doubt::Open);
}

#[test]
fn hours_after_a_crash_a_restored_image_disproves_nothing_and_a_new_one_proves_nothing() {
    for image in [OLD, NEW] {
        let mut scene = Scene::in_doubt(OLD);
        let now = scene.sent_at + Duration::from_hours(3);
        scene.tracker = Tracker::inherited(now, Duration::from_hours(3));
        assert_held(&scene.doubt(10_801, "active", image), "has ended");
    }
    let mut soon = Scene::in_doubt(OLD);
    let now = soon.sent_at + Duration::from_mins(1);
    soon.tracker = Tracker::inherited(now, Duration::from_mins(1));
    assert_eq!(soon.doubt(61, "rebuilding", OLD), Doubt::Executed);
}

// Field case A10.
/// What happened while the process stood still may be anybody's work, also where
/// the monotonic clock stood still with it.
#[test]
fn after_a_suspension_only_signs_within_the_time_of_a_rebuild_count() {
    let mut slept = Scene::in_doubt(OLD);
    assert_eq!(slept.doubt(10, "active", OLD), Doubt::Open);
    slept.tracker.interrupt(Duration::ZERO);
    assert_held(&slept.doubt(400, "active", OLD), "suspended");
    for image in [OLD, NEW] {
        let mut machine = Scene::in_doubt(OLD);
        machine.tracker.interrupt(Duration::from_hours(3));
        assert_held(&machine.doubt(400, "rebuilding", image), "suspended");
    }
    let mut short = Scene::in_doubt(OLD);
    short.tracker.interrupt(Duration::from_mins(30));
    assert_eq!(short.doubt(400, "rebuilding", OLD), Doubt::Executed);
}

/// A rebuild could have come and been undone while nobody saw the row.
#[test]
fn silence_proves_nothing_of_an_instance_that_was_out_of_sight_for_a_while() {
    let mut gap = Scene::in_doubt(OLD);
    assert_eq!(gap.doubt(10, "active", OLD), Doubt::Open);
    assert_held(&gap.doubt(311, "active", OLD), "all the time");
    let mut missing = Scene::in_doubt(OLD);
    assert_eq!(missing.doubt(10, "active", OLD), Doubt::Open);
    let absence = Absence::unclear(missing.sent_at + seconds(20));
    judge_absence(&mut missing.tracker, absence, &missing.list_lag, &RULES);
    assert_eq!(missing.doubt(250, "active", OLD), Doubt::Open);
    assert_held(&missing.doubt(400, "active", OLD), "all the time");
}

#[test]
fn absence_proves_nothing() {
    let mut scene = Scene::in_doubt(OLD);
    let absence = |at_s| Absence::from_list(scene.sent_at + seconds(at_s), true);
    let (early, late) = (absence(60), absence(301));
    let open = judge_absence(&mut scene.tracker, early, &scene.list_lag, &RULES);
    assert_eq!(open, Doubt::Open);
    let held = judge_absence(&mut scene.tracker, late, &scene.list_lag, &RULES);
    assert_held(&held, "does not show it");
}

#[test]
fn a_row_that_is_never_clear_ends_a_doubt_after_the_time_of_a_rebuild() {
    let mut scene = Scene::in_doubt(OLD);
    let mut judged = |at_s| {
        let unclear = Absence::unclear(scene.sent_at + seconds(at_s));
        judge_absence(&mut scene.tracker, unclear, &scene.list_lag, &RULES)
    };
    assert_eq!(judged(3599), Doubt::Open);
    assert_held(&judged(3600), "cannot be read, or contradicts");
}

// ---- progress ----------------------------------------------------------------------------------

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
    assert_eq!(scene.progress(200, "active", NEW), done(Evidence::Observed));
    let mut unseen = Scene::accepted(OLD);
    assert_eq!(unseen.progress(1, "active", NEW), Progress::Waiting);
    assert_eq!(unseen.progress(31, "active", NEW), done(Evidence::Image));
}

#[test]
fn an_accepted_rebuild_that_nothing_showed_is_done_only_after_its_time() {
    let mut scene = Scene::accepted(NEW);
    assert_eq!(scene.progress(599, "active", NEW), Progress::Waiting);
    assert_eq!(scene.progress(600, "active", NEW), done(Evidence::Accepted));
}

// Field case A8.
/// Refused while a human reinstalled, rolled back, or accepted and never done.
#[test]
fn the_old_image_in_the_end_is_a_doubt_where_the_list_is_known_to_show_new_names() {
    let mut never = Scene::accepted(OLD);
    assert_eq!(never.progress(599, "active", OLD), Progress::Waiting);
    let end = never.progress(600, "active", OLD);
    assert_eq!(unclear(end).as_deref(), Some("old_image"));

    let mut undone = Scene::accepted(OLD);
    assert_eq!(undone.progress(5, "rebuilding", OLD), Progress::Begun);
    assert_eq!(
        undone.progress(900, "active", OLD),
        Progress::Waiting,
        "it may follow"
    );
    assert_eq!(undone.progress(1499, "active", OLD), Progress::Waiting);
    let end = undone.progress(1500, "active", OLD);
    assert_eq!(unclear(end).as_deref(), Some("old_image"));

    let mut late = Scene::accepted(OLD);
    assert_eq!(late.progress(5, "rebuilding", OLD), Progress::Begun);
    assert_eq!(late.progress(300, "active", OLD), Progress::Waiting);
    assert_eq!(late.progress(400, "active", NEW), done(Evidence::Observed));
}

#[test]
fn the_old_image_in_the_end_is_flagged_where_the_list_may_never_show_new_names() {
    let flag = |evidence| Some((evidence, "old_image".to_owned()));
    let mut seen = Scene::accepted(OLD);
    seen.list_lag = ListLag::default();
    assert_eq!(seen.progress(5, "rebuilding", OLD), Progress::Begun);
    assert_eq!(seen.progress(60, "active", OLD), Progress::Waiting);
    let end = seen.progress(660, "active", OLD);
    assert_eq!(flagged(end), flag(Evidence::Observed));

    let mut unseen = Scene::accepted(OLD);
    unseen.list_lag = ListLag::default();
    assert_eq!(unseen.progress(590, "active", OLD), Progress::Waiting);
    let end = unseen.progress(600, "active", OLD);
    assert_eq!(flagged(end), flag(Evidence::Accepted));
}

/// A doubt that saw somebody rebuilding, and in the end the old image: nobody accepted anything.
#[test]
fn a_doubt_that_ends_under_another_name_than_the_ordered_one_stays_a_doubt() {
    for (image, kind) in [(OLD, "old_image"), ("Windows-2022", "third_image")] {
        let mut scene = Scene::in_doubt(OLD);
        scene.list_lag = ListLag::default();
        assert_eq!(scene.doubt(5, "rebuilding", OLD), Doubt::Executed);
        let seen = LedgerEntry::Sighted {
            status: InstanceStatus::Rebuilding,
            image: None,
        };
        scene.record = scene.record.apply(&seen, 0).unwrap();
        scene.progress(60, "active", image);
        let end = scene.progress(660, "active", image);
        assert_eq!(unclear(end).as_deref(), Some(kind));
    }
}

// Field case A9.
/// The list calls an image otherwise than the preview.
#[test]
fn a_third_name_is_the_lists_own_word_until_instances_disagree() {
    const WORD: &str = "Alma Linux 8 (x86_64)";
    let after = |learn: &dyn Fn(&mut ListLag), image: &str| {
        let mut scene = Scene::accepted(OLD);
        scene.list_lag = ListLag::default();
        learn(&mut scene.list_lag);
        assert_eq!(scene.progress(5, "rebuilding", OLD), Progress::Begun);
        scene.progress(60, "active", image)
    };
    let target = names::form(NEW).unwrap();
    let word = names::form(WORD).unwrap();
    let noted = Some((Evidence::Observed, "third_image".to_owned()));
    assert_eq!(flagged(after(&|_| {}, WORD)), noted);
    let called = |list_lag: &mut ListLag| list_lag.is_called(&target, &word);
    assert_eq!(flagged(after(&called, "alma linux 8 x86-64")), noted);
    let odd = after(&called, "Windows-2022");
    assert_eq!(unclear(odd).as_deref(), Some("third_image"));
    let spelled = |list_lag: &mut ListLag| list_lag.name_showed(&target);
    let odd = after(&spelled, WORD);
    assert_eq!(unclear(odd).as_deref(), Some("third_image"));
}

#[test]
fn a_third_name_that_nobody_saw_coming_needs_another_instance_that_has_it() {
    let end = |known: bool| {
        let mut scene = Scene::accepted(OLD);
        scene.list_lag = ListLag::default();
        if known {
            let target = names::form(NEW).unwrap();
            scene.list_lag.is_called(&target, "alma8");
        }
        assert_eq!(scene.progress(60, "active", "Alma 8"), Progress::Waiting);
        scene.progress(600, "active", "Alma 8")
    };
    assert_eq!(unclear(end(false)).as_deref(), Some("third_image"));
    assert_eq!(
        flagged(end(true)),
        Some((Evidence::Accepted, "third_image".to_owned()))
    );
}

#[test]
fn an_error_after_the_send_is_a_broken_rebuild_unless_it_stood_there_before() {
    assert!(matches!(
        Scene::accepted(OLD).progress(30, "error", NEW),
        Progress::Broken(_)
    ));
    let mut scene = Scene::accepted(OLD).stood_in("error");
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
    let end = scene.progress(3600, "rebuilding", OLD);
    assert_eq!(unclear(end).as_deref(), Some("rebuild_timeout"));
}
