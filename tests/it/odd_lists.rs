//! Lists that behave oddly: what silence may prove, and what a rebuild's end may be taken for.
//!
//! The real binary against an account with one oddity each. There is one worker, so that the rebuild
//! of each job could be the one that shows the list to live for the job before.

use std::time::Duration;

use crate::rig::{FIRST, Pace, Rig, id};
use refleet::job::JobRecord;
use refleet::simulator::{
    Behaviour, Call, Config, FaultKind, Freeze, FreezeAt, InstanceChange, Names, Outcome, Script,
};

const DONE: i32 = 0;
const DOUBT: i32 = 3;
const REBUILT: &str = "done/image";

/// `count` instances, rebuilt one after the other; `adjust` makes the account odd.
fn rig(count: usize, adjust: impl FnOnce(&mut Config)) -> Rig {
    let mut rig = Rig::brisk(count, |config| {
        // No reading ever sees one `rebuilding`.
        config.rebuild_duration = Duration::ZERO;
        adjust(config);
    });
    rig.pace = Pace::brisk()
        .with("--rebuild-timeout", "10s")
        .with("--settle", "200ms")
        .with("--workers", "1");
    rig
}

fn record(rig: &Rig, nth: usize) -> JobRecord {
    rig.stories().unwrap().swap_remove(nth).record
}

/// State and evidence, or what went wrong.
fn ends(rig: &Rig) -> Vec<String> {
    let stories = rig.stories().unwrap();
    let end = |story: &crate::rig::Story| {
        let record = &story.record;
        let held = if record.held { " held" } else { "" };
        let failure = record.failure.as_ref();
        let why = match (record.evidence, failure) {
            (Some(evidence), None) => evidence.as_str().to_owned(),
            (Some(evidence), Some(failure)) => format!("{evidence}, {}", failure.error_kind),
            (None, failure) => failure
                .map_or("-", |failure| failure.error_kind.as_str())
                .to_owned(),
        };
        format!("{}{held}/{why}", record.state)
    };
    stories.iter().map(end).collect()
}

#[track_caller]
fn run(rig: &Rig, code: i32, expected: &[&str]) {
    let ended = rig.run(&[]);
    assert_eq!(ended.code, code, "{ended}");
    assert_eq!(ends(rig), expected, "{ended}");
    for service in &rig.services {
        assert!(rig.truth(*service).wiped <= 1, "{service} was wiped twice");
    }
}

#[test]
fn what_was_not_executed_is_sent_again_where_nothing_is_odd() {
    let rig = rig(4, |_| {});
    rig.fault(1, FaultKind::ResetBefore);
    run(&rig, DONE, &[REBUILT; 4]);
    assert_eq!(record(&rig, 1).attempt, 2);
}

#[test]
fn no_requeue_leaves_every_silent_doubt_to_the_operator() {
    let rig = rig(4, |_| {});
    rig.fault(1, FaultKind::ResetBefore);
    rig.fault(2, FaultKind::ResetAfter);
    let ended = rig.run(&["--no-requeue"]);
    assert_eq!(ended.code, DOUBT, "{ended}");
    assert_eq!(
        ends(&rig),
        [REBUILT, "in_doubt held/reset", REBUILT, REBUILT]
    );
    assert!(rig.held_for(1).contains("--no-requeue"));
}

// Field case A1.
#[test]
fn a_list_that_never_shows_a_rebuild_leads_to_no_second_wipe() {
    let mut rig = rig(3, |config| config.odd.never_shown = true);
    rig.pace.set("--unseen-after", "300ms");
    rig.fault(1, FaultKind::ResetAfter);
    let unseen = "done/accepted, old_image";
    run(&rig, DOUBT, &[unseen, "in_doubt held/reset", unseen]);
    assert!(rig.held_for(1).contains("how far the list lags"));
}

// Field case A2.
#[test]
fn an_instance_that_stood_in_error_and_fails_at_once_is_wiped_once() {
    let mut rig = rig(4, |_| {});
    rig.pace.set("--unseen-after", "300ms");
    let failed = InstanceChange {
        status: Some("error".to_owned()),
        ..InstanceChange::default()
    };
    assert!(rig.simulator.change(rig.services[1], &failed));
    rig.next(
        1,
        Behaviour {
            outcome: Some(Outcome::Error),
            image_after: Some("CentOS-7".to_owned()),
            duration_ms: Some(0),
            ..Behaviour::default()
        },
    );
    rig.fault(1, FaultKind::ResetAfter);
    run(
        &rig,
        DOUBT,
        &[REBUILT, "in_doubt held/reset", REBUILT, REBUILT],
    );
    assert!(rig.held_for(1).contains("status error"));
}

// Field case A3.
/// The status of the first shows at once, the names long after `--settle`, and the status of the
/// second is never seen.
#[test]
fn a_name_that_shows_late_leads_to_no_second_wipe() {
    let mut rig = rig(2, |config| {
        config.odd.name_lag = Duration::from_millis(1500);
    });
    rig.pace.set("--unseen-after", "5s");
    let seen = Behaviour {
        duration_ms: Some(300),
        ..Behaviour::default()
    };
    rig.next(0, seen);
    rig.fault(1, FaultKind::ResetAfter);
    run(&rig, DONE, &["done/observed", REBUILT]);
}

// Field case A3.
/// The list says `AlmaLinux` where the preview says `AlmaLinux-8`.
#[test]
fn a_list_that_names_the_family_only_leads_to_no_second_wipe() {
    let mut rig = rig(3, |config| config.odd.names = Names::Family);
    rig.pace.set("--unseen-after", "600ms");
    for nth in [0, 2] {
        let seen = Behaviour {
            duration_ms: Some(300),
            ..Behaviour::default()
        };
        rig.next(nth, seen);
    }
    rig.fault(1, FaultKind::ResetAfter);
    let noted = "done/observed, third_image";
    run(&rig, DOUBT, &[noted, "in_doubt held/reset", noted]);
    let flagged = rig.call(&["list", "--flagged"]);
    let lines: Vec<&str> = flagged.out.lines().skip(1).collect();
    assert_eq!(lines.len(), 2, "{flagged}");
    assert!(lines[0].contains("observed; third_image"), "{flagged}");
}

// Field case A4.
/// The list was seen to work, and froze while only the doubt was in flight.
#[test]
fn a_list_that_froze_after_it_was_seen_to_work_leads_to_no_second_wipe() {
    for by_page in [false, true] {
        let mut rig = rig(3, |config| {
            config.odd.freeze = Some(Freeze {
                at: FreezeAt::Renamed,
                by_page,
                thaw_after: None,
            });
        });
        rig.pace.set("--unseen-after", "300ms");
        rig.fault(1, FaultKind::ResetAfter);
        run(
            &rig,
            DOUBT,
            &[REBUILT, "in_doubt held/reset", "in_doubt held/old_image"],
        );
        assert!(rig.held_for(1).contains("may stand still"));
    }
}

// Field case A8.
/// One rebuild is rolled back, another was accepted and is never done.
#[test]
fn the_old_image_in_the_end_is_no_success_where_new_names_are_known_to_show() {
    let mut rig = rig(4, |_| {});
    rig.pace.set("--unseen-after", "300ms");
    for (nth, outcome) in [(1, Outcome::RolledBack), (2, Outcome::Ignored)] {
        let odd = Behaviour {
            outcome: Some(outcome),
            duration_ms: Some(200),
            ..Behaviour::default()
        };
        rig.next(nth, odd);
    }
    let undone = "in_doubt held/old_image";
    run(&rig, DOUBT, &[REBUILT, undone, undone, REBUILT]);
}

// Field case A9.
#[test]
fn a_list_that_spells_names_otherwise_is_understood() {
    for names in [Names::Case, Names::Punctuation] {
        let rig = rig(4, |config| config.odd.names = names);
        rig.fault(1, FaultKind::ResetBefore);
        run(&rig, DONE, &[REBUILT; 4]);
    }
    for names in [Names::Longer, Names::Template] {
        let rig = rig(3, |config| {
            config.odd.names = names;
            config.rebuild_duration = Duration::from_millis(300);
        });
        run(&rig, DONE, &["done/observed, third_image"; 3]);
        let remark = record(&rig, 0).failure.unwrap();
        let name = rig.truth(rig.services[0]).image;
        assert!(
            !remark.error.contains(&name),
            "what the list says: {remark:?}"
        );
    }
}

// Field case A9.
/// A name that can't be read is no evidence, the status is.
#[test]
fn a_list_with_broken_names_still_shows_what_is_rebuilding() {
    let rig = rig(3, |config| {
        config.odd.names = Names::Broken;
        config.rebuild_duration = Duration::from_millis(300);
    });
    run(&rig, DONE, &["done/observed"; 3]);
}

// Field case A11.
#[test]
fn an_instance_with_two_rows_is_not_back_before_both_agree() {
    let mut rig = rig(2, |config| {
        config.odd.double_rows = true;
        config.rebuild_jitter = 0.0;
        config.rebuild_duration = Duration::from_millis(400);
    });
    rig.pace.set("--unseen-after", "5s");
    run(&rig, DONE, &[REBUILT; 2]);
    for nth in 0..2 {
        let story = rig.stories().unwrap().swap_remove(nth);
        let took = story.record.completed_ms.unwrap() - story.record.submitted_ms.unwrap();
        assert!(took >= 400, "done {took} ms after it was sent");
    }
}

// Field case A15.
/// Another data centre offers the image, in another zone than the documented one.
#[test]
fn an_image_that_the_first_instance_lacks_is_asked_of_another() {
    let rig = rig(3, |config| {
        config.odd.preview_lacks = vec![id(FIRST)];
        config.odd.strict_zone = true;
    });
    let ended = rig.run(&["--progress", "plain"]);
    assert_eq!(ended.code, DONE, "{ended}");
    assert!(
        ended.said().contains("is not offered to service"),
        "{ended}"
    );
}

// Field case B7.
/// The failure budget is not reset when a process starts; the operator's retry does that.
#[test]
fn the_failure_budget_is_the_batchs() {
    const HALTED: i32 = 6;
    let mut rig = rig(8, |_| {});
    rig.pace.set("--max-failures", "2");
    for nth in 0..8 {
        rig.simulator.script(Script {
            elid: Some(rig.services[nth]),
            times: if nth < 2 { 1 } else { u64::MAX },
            ..Script::next(Call::Submission, FaultKind::Error)
        });
    }
    for _ in 0..3 {
        let ended = rig.run(&[]);
        assert_eq!(ended.code, HALTED, "{ended}");
        assert_eq!(rig.submissions(), 2);
    }
    let first = rig.services[0].to_string();
    let retried = rig.call(&["retry", &first]);
    assert_eq!(retried.code, DONE, "{retried}");
    let ended = rig.run(&[]);
    assert_eq!(ended.code, HALTED, "{ended}");
    assert_eq!(
        ends(&rig)[..3],
        ["done/image", "failed/value", "failed/value"]
    );
}
