//! What holds of any action, each rule with the trap that it guards against; the rebuild stands for
//! all of them. What is its own is tested beside its rules.

pub mod scene;

use std::time::Duration;

use scene::*;

use super::*;
use crate::job::Action;

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
    scene.learned = Learned::default();
    let record = &scene.record;
    scene.learned.effect_showed(Action::Rebuild, record);
    scene.learned.rebuild_lag.was_silent(seconds(7));
    scene.more_to_come = false;
    assert_held(&scene.quiet(), "how far the list lags");
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
    scene.learned.rebuild_lag.lagged(Duration::from_mins(4));
    scene.control_s = Some(721);
    assert_eq!(scene.doubt(10, "active", OLD), Doubt::Open);
    for at_s in [250, 500, 719] {
        assert_eq!(scene.doubt(at_s, "active", OLD), Doubt::Open);
    }
    assert_eq!(scene.doubt(721, "active", OLD), Doubt::NotExecuted);
    let mut scene = Scene::in_doubt(OLD);
    scene.learned.rebuild_lag.was_silent(Duration::from_mins(4));
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
        scene
            .learned
            .rebuild_lag
            .was_silent(Duration::from_mins(40));
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
        let doubt = judge_absence(
            &mut scene.tracker,
            absence,
            &scene.learned.rebuild_lag,
            &RULES,
        );
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
    judge_absence(
        &mut missing.tracker,
        absence,
        &missing.learned.rebuild_lag,
        &RULES,
    );
    assert_eq!(missing.doubt(250, "active", OLD), Doubt::Open);
    assert_held(&missing.doubt(400, "active", OLD), "all the time");
}

#[test]
fn absence_proves_nothing() {
    let mut scene = Scene::in_doubt(OLD);
    let absence = |at_s| Absence::from_list(scene.sent_at + seconds(at_s), true);
    let (early, late) = (absence(60), absence(301));
    let open = judge_absence(
        &mut scene.tracker,
        early,
        &scene.learned.rebuild_lag,
        &RULES,
    );
    assert_eq!(open, Doubt::Open);
    let held = judge_absence(&mut scene.tracker, late, &scene.learned.rebuild_lag, &RULES);
    assert_held(&held, "does not show it");
}

#[test]
fn a_row_that_is_never_clear_ends_a_doubt_after_the_time_of_a_rebuild() {
    let mut scene = Scene::in_doubt(OLD);
    let mut judged = |at_s| {
        let unclear = Absence::unclear(scene.sent_at + seconds(at_s));
        judge_absence(
            &mut scene.tracker,
            unclear,
            &scene.learned.rebuild_lag,
            &RULES,
        )
    };
    assert_eq!(judged(3599), Doubt::Open);
    assert_held(&judged(3600), "cannot be read, or contradicts");
}

#[test]
fn what_is_never_back_is_unclear_when_a_reading_says_so_after_its_time() {
    let mut scene = Scene::accepted(OLD);
    assert_eq!(scene.progress(5, "rebuilding", OLD), Progress::Begun);
    assert_eq!(scene.progress(3599, "rebuilding", OLD), Progress::Waiting);
    let end = scene.progress(3600, "rebuilding", OLD);
    assert_eq!(unclear(end).as_deref(), Some("rebuild_timeout"));
}
