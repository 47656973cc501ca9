//! Lists that behave oddly: what silence may prove, and what a rebuild's end may be taken for.
//!
//! The real binary against an account with one oddity each. One worker, so that each job would be
//! the control of the one before. The comments name the field case.

use std::time::Duration;

use crate::rig::{Pace, Rig, finish};
use refleet::job::{JobRecord, LedgerEntry, ServiceId};
use refleet::simulator::{
    Behaviour, Call, Config, Fault, FaultKind, Freeze, FreezeAt, InstanceChange, Names, Outcome,
    Script,
};

const DONE: i32 = 0;
const DOUBT: i32 = 3;
const REBUILT: &str = "done/image";

/// `count` instances, rebuilt one after the other; `adjust` makes the account odd.
fn rig(count: i64, adjust: impl FnOnce(&mut Config)) -> Rig {
    let mut rig = Rig::new(count, |config| {
        // No reading ever sees one `rebuilding`.
        config.rebuild_duration = Duration::ZERO;
        adjust(config);
    });
    rig.pace = Pace::default()
        .with("--rebuild-timeout", "10s")
        .with("--settle", "200ms")
        .with("--workers", "1");
    rig
}

fn set(rig: &mut Rig, name: &'static str, value: &str) {
    rig.pace = std::mem::take(&mut rig.pace).with(name, value);
}

/// The instance's next submission meets `fault`.
fn submission_meets(rig: &Rig, nth: usize, fault: impl Into<Fault>) {
    let elid: Option<ServiceId> = Some(rig.services[nth]);
    rig.simulator.script(Script {
        elid,
        ..Script::next(Call::Submission, fault)
    });
}

fn next(rig: &Rig, nth: usize, next: Behaviour) {
    let next = InstanceChange {
        next: Some(next),
        ..InstanceChange::default()
    };
    assert!(rig.simulator.change(rig.services[nth], &next));
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
                .map_or("-", |failure| &failure.error_kind)
                .to_owned(),
        };
        format!("{}{held}/{why}", record.state)
    };
    stories.iter().map(end).collect()
}

#[track_caller]
fn run(rig: &Rig, code: i32, expected: &[&str]) {
    let ended = finish(rig.run(&[]));
    assert_eq!(ended.status.code(), Some(code), "{ended}");
    assert_eq!(ends(rig), expected, "{ended}");
    for service in &rig.services {
        assert!(rig.truth(*service).wiped <= 1, "{service} was wiped twice");
    }
}

/// Why the instance's doubt was left to the operator.
fn held_for(rig: &Rig, nth: usize) -> String {
    let story = rig.stories().unwrap().swap_remove(nth);
    let held = story.lines.into_iter().find_map(|line| match line.entry {
        LedgerEntry::Held { reason } => Some(reason),
        _ => None,
    });
    held.unwrap()
}

#[test]
fn what_was_not_executed_is_sent_again_where_nothing_is_odd() {
    let rig = rig(4, |_| {});
    submission_meets(&rig, 1, FaultKind::ResetBefore);
    run(&rig, DONE, &[REBUILT; 4]);
    assert_eq!(record(&rig, 1).attempt, 2);
}

#[test]
fn no_requeue_leaves_every_silent_doubt_to_the_operator() {
    let rig = rig(4, |_| {});
    submission_meets(&rig, 1, FaultKind::ResetBefore);
    submission_meets(&rig, 2, FaultKind::ResetAfter);
    let ended = finish(rig.run(&["--no-requeue"]));
    assert_eq!(ended.status.code(), Some(DOUBT), "{ended}");
    assert_eq!(
        ends(&rig),
        [REBUILT, "in_doubt held/reset", REBUILT, REBUILT]
    );
    assert!(held_for(&rig, 1).contains("--no-requeue"));
}

/// Field case A1.
#[test]
fn a_list_that_never_shows_a_rebuild_leads_to_no_second_wipe() {
    let mut rig = rig(3, |config| config.odd.never_shown = true);
    set(&mut rig, "--unseen-after", "300ms");
    submission_meets(&rig, 1, FaultKind::ResetAfter);
    let unseen = "done/accepted, old_image";
    run(&rig, DOUBT, &[unseen, "in_doubt held/reset", unseen]);
    assert!(held_for(&rig, 1).contains("how far the list lags"));
}

/// Field case A2.
#[test]
fn an_instance_that_stood_in_error_and_fails_at_once_is_wiped_once() {
    let mut rig = rig(4, |_| {});
    set(&mut rig, "--unseen-after", "300ms");
    let failed = InstanceChange {
        status: Some("error".to_owned()),
        ..InstanceChange::default()
    };
    assert!(rig.simulator.change(rig.services[1], &failed));
    next(
        &rig,
        1,
        Behaviour {
            outcome: Some(Outcome::Error),
            image_after: Some("CentOS-7".to_owned()),
            duration_ms: Some(0),
            ..Behaviour::default()
        },
    );
    submission_meets(&rig, 1, FaultKind::ResetAfter);
    run(
        &rig,
        DOUBT,
        &[REBUILT, "in_doubt held/reset", REBUILT, REBUILT],
    );
    assert!(held_for(&rig, 1).contains("status error"));
}

/// Field case A3: the status of the first shows at once, the names long after `--settle`,
/// and no reading sees the second `rebuilding`.
#[test]
fn a_name_that_shows_late_leads_to_no_second_wipe() {
    let mut rig = rig(2, |config| {
        config.odd.name_lag = Duration::from_millis(1500);
    });
    set(&mut rig, "--unseen-after", "5s");
    let seen = Behaviour {
        duration_ms: Some(300),
        ..Behaviour::default()
    };
    next(&rig, 0, seen);
    submission_meets(&rig, 1, FaultKind::ResetAfter);
    run(&rig, DONE, &["done/observed", REBUILT]);
}

/// Field case A3: `AlmaLinux` in the list, `AlmaLinux-8` in the preview.
#[test]
fn a_list_that_names_the_family_only_leads_to_no_second_wipe() {
    let mut rig = rig(3, |config| config.odd.names = Names::Family);
    set(&mut rig, "--unseen-after", "600ms");
    for nth in [0, 2] {
        let seen = Behaviour {
            duration_ms: Some(300),
            ..Behaviour::default()
        };
        next(&rig, nth, seen);
    }
    submission_meets(&rig, 1, FaultKind::ResetAfter);
    let noted = "done/observed, third_image";
    run(&rig, DOUBT, &[noted, "in_doubt held/reset", noted]);
    let flagged = finish(rig.refleet(&["list", "--flagged"]));
    let lines: Vec<&str> = flagged.said.lines().skip(1).collect();
    assert_eq!(lines.len(), 2, "{flagged}");
    assert!(lines[0].contains("observed; third_image"), "{flagged}");
}

/// Field case A4: it was seen to work, and froze with the doubt alone in flight.
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
        set(&mut rig, "--unseen-after", "300ms");
        submission_meets(&rig, 1, FaultKind::ResetAfter);
        run(
            &rig,
            DOUBT,
            &[REBUILT, "in_doubt held/reset", "in_doubt held/old_image"],
        );
        assert!(held_for(&rig, 1).contains("may stand still"));
    }
}

/// Field case A8: rolled back, or accepted and never done.
#[test]
fn the_old_image_in_the_end_is_no_success_where_new_names_are_known_to_show() {
    let mut rig = rig(4, |_| {});
    set(&mut rig, "--unseen-after", "300ms");
    for (nth, outcome) in [(1, Outcome::RolledBack), (2, Outcome::Ignored)] {
        let odd = Behaviour {
            outcome: Some(outcome),
            duration_ms: Some(200),
            ..Behaviour::default()
        };
        next(&rig, nth, odd);
    }
    let undone = "in_doubt held/old_image";
    run(&rig, DOUBT, &[REBUILT, undone, undone, REBUILT]);
}

/// Field case A9.
#[test]
fn a_list_that_spells_names_otherwise_is_understood() {
    for names in [Names::Case, Names::Punctuation] {
        let rig = rig(4, |config| config.odd.names = names);
        submission_meets(&rig, 1, FaultKind::ResetBefore);
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

/// Field case A9: a name that can't be read is no evidence, the status is.
#[test]
fn a_list_with_broken_names_still_shows_what_is_rebuilding() {
    let rig = rig(3, |config| {
        config.odd.names = Names::Broken;
        config.rebuild_duration = Duration::from_millis(300);
    });
    run(&rig, DONE, &["done/observed"; 3]);
}

/// Field case A11.
#[test]
fn an_instance_with_two_rows_is_not_back_before_both_agree() {
    let mut rig = rig(2, |config| {
        config.odd.double_rows = true;
        config.rebuild_jitter = 0.0;
        config.rebuild_duration = Duration::from_millis(400);
    });
    set(&mut rig, "--unseen-after", "5s");
    run(&rig, DONE, &[REBUILT; 2]);
    for nth in 0..2 {
        let story = rig.stories().unwrap().swap_remove(nth);
        let took = story.record.completed_ms.unwrap() - story.record.submitted_ms.unwrap();
        assert!(took >= 400, "done {took} ms after it was sent");
    }
}

/// Field case A15: another data centre offers it, in another zone than the documented one.
#[test]
fn an_image_that_the_first_instance_lacks_is_asked_of_another() {
    let services = crate::rig::services(3);
    let rig = rig(3, |config| {
        config.odd.preview_lacks = vec![services[0]];
        config.odd.strict_zone = true;
    });
    let ended = finish(rig.run(&["--progress", "plain"]));
    assert_eq!(ended.status.code(), Some(DONE), "{ended}");
    assert!(ended.said.contains("is not offered to service"), "{ended}");
}

/// Field case B7: no start of a process resets the budget; the operator's word does.
#[test]
fn the_failure_budget_is_the_batchs() {
    const HALTED: i32 = 6;
    let mut rig = rig(8, |_| {});
    set(&mut rig, "--max-failures", "2");
    for nth in 0..8 {
        rig.simulator.script(Script {
            elid: Some(rig.services[nth]),
            times: if nth < 2 { 1 } else { u64::MAX },
            ..Script::next(Call::Submission, FaultKind::Error)
        });
    }
    for _ in 0..3 {
        let ended = finish(rig.run(&[]));
        assert_eq!(ended.status.code(), Some(HALTED), "{ended}");
        assert_eq!(
            rig.simulator
                .record()
                .services
                .values()
                .map(|one| one.submissions)
                .sum::<u64>(),
            2
        );
    }
    let first = rig.services[0].to_string();
    let retried = finish(rig.refleet(&["retry", &first]));
    assert_eq!(retried.status.code(), Some(DONE), "{retried}");
    let ended = finish(rig.run(&[]));
    assert_eq!(ended.status.code(), Some(HALTED), "{ended}");
    assert_eq!(
        ends(&rig)[..3],
        ["done/image", "failed/value", "failed/value"]
    );
}
