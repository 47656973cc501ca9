//! Each of the rebuild's own rules with the trap that it guards against.

use super::*;
use crate::job::{Evidence, InstanceStatus, LedgerEntry, image_name_form};
use crate::run::evidence::tests::scene::*;
use crate::run::evidence::{Doubt, Learned, Progress};

// Field case A3.
#[test]
fn silence_proves_nothing_where_the_list_may_spell_the_image_otherwise() {
    // "Ubuntu" in the list, "Ubuntu-22.04" in the preview.
    let mut scene = Scene::in_doubt(OLD);
    scene.learned.spelling = Spelling::default();
    scene
        .learned
        .spelling
        .name_showed("another image".to_owned());
    scene.more_to_come = false;
    assert_held(&scene.quiet(), "spells its name alike");
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
    seen.learned = Learned::default();
    assert_eq!(seen.progress(5, "rebuilding", OLD), Progress::Begun);
    assert_eq!(seen.progress(60, "active", OLD), Progress::Waiting);
    let end = seen.progress(660, "active", OLD);
    assert_eq!(flagged(end), flag(Evidence::Observed));

    let mut unseen = Scene::accepted(OLD);
    unseen.learned = Learned::default();
    assert_eq!(unseen.progress(590, "active", OLD), Progress::Waiting);
    let end = unseen.progress(600, "active", OLD);
    assert_eq!(flagged(end), flag(Evidence::Accepted));
}

/// A doubt that saw somebody rebuilding, and in the end the old image: nobody accepted anything.
#[test]
fn a_doubt_that_ends_under_another_name_than_the_ordered_one_stays_a_doubt() {
    for (image, kind) in [(OLD, "old_image"), ("Windows-2022", "third_image")] {
        let mut scene = Scene::in_doubt(OLD);
        scene.learned = Learned::default();
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
    let after = |learn: &dyn Fn(&mut Spelling), image: &str| {
        let mut scene = Scene::accepted(OLD);
        scene.learned = Learned::default();
        learn(&mut scene.learned.spelling);
        assert_eq!(scene.progress(5, "rebuilding", OLD), Progress::Begun);
        scene.progress(60, "active", image)
    };
    let target = image_name_form(NEW).unwrap();
    let word = image_name_form(WORD).unwrap();
    let noted = Some((Evidence::Observed, "third_image".to_owned()));
    assert_eq!(flagged(after(&|_| {}, WORD)), noted);
    let called = |spelling: &mut Spelling| spelling.is_called(target.clone(), word.clone());
    assert_eq!(flagged(after(&called, "alma linux 8 x86-64")), noted);
    let odd = after(&called, "Windows-2022");
    assert_eq!(unclear(odd).as_deref(), Some("third_image"));
    let spelled = |spelling: &mut Spelling| spelling.name_showed(target.clone());
    let odd = after(&spelled, WORD);
    assert_eq!(unclear(odd).as_deref(), Some("third_image"));
}

#[test]
fn a_third_name_that_nobody_saw_coming_needs_another_instance_that_has_it() {
    let end = |known: bool| {
        let mut scene = Scene::accepted(OLD);
        scene.learned = Learned::default();
        if known {
            let target = image_name_form(NEW).unwrap();
            scene.learned.spelling.is_called(target, "alma8".to_owned());
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
