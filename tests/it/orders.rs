//! Which order is it? What the same manifest again, an edited one, and a batch that waits mean.

use crate::every::A_DAY_AGO;
use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, PASSWORD, QUICK, Rig, manifest, quick};
use refleet::simulator::{Fault, FaultKind, InstanceChange};

#[test]
fn the_same_manifest_again_does_nothing_and_again_does_it_all_once_more() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    let calls = rig.calls();
    rig.run(&[])
        .exit(0)
        .says("nothing to do")
        .says("3 done")
        .says("--again");
    rig.run(&["-q"]).exit(0).said_nothing();
    // Line ends, order of columns and rows, and a new password make no new order.
    let crlf = manifest(3)
        .replace('\n', "\r\n")
        .replace(PASSWORD, "Another-Pass-1");
    rig.write("fleet.csv", format!("\u{feff}{crlf}"));
    rig.run(&[]).exit(0).says("nothing to do");
    assert_eq!(rig.calls(), calls, "nothing was asked of the API");
    assert_eq!(rig.wiped(), [1, 1, 1]);

    rig.run(&["--again"]).exit(0).says("done 3");
    assert_eq!(rig.wiped(), [2, 2, 2]);
    rig.assert_truth(2);
    rig.call(&["status"])
        .exit(0)
        .says_out("batch 2")
        .says_out("order 2");
    assert_eq!(
        rig.call(&["list", "--batch", "1"])
            .exit(0)
            .out
            .lines()
            .count(),
        1 + 3
    );
}

#[test]
fn the_same_manifest_again_ends_with_the_exit_code_of_its_batch() {
    let rig = Rig::new(3);
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal);
    rig.run(&[]).exit(1).says("retry --failed");
    rig.run(&[])
        .exit(1)
        .says("nothing to do")
        .says("retry --failed");
    rig.doubt(1);
    // The second service has the image already, so the list cannot show its next rebuild.
    rig.run(&["--again"]).exit(3).says("resolve");
    rig.run(&[])
        .exit(3)
        .says("nothing to do")
        .says("1 in doubt");
    assert_eq!(rig.wiped(), [1, 1, 2]);
}

// Field case B4.
/// A job that may have been wiped and did not end well is not sent again unasked.
#[test]
fn a_corrected_row_does_not_take_what_an_earlier_order_may_have_wiped_with_it() {
    let rig = Rig::new(5);
    let named = [FIRST, FIRST + 1, FIRST + 2].map(|service| service.to_string());
    rig.doubt(0);
    rig.doubt(1);
    rig.fault(2, FaultKind::InstanceError);
    rig.run(&[]).exit(3);
    let failed = ["--as", "failed", "--reason", "looked"];
    rig.call(&[&["resolve", &named[0]], &failed[..]].concat())
        .exit(0);
    rig.call(&["cancel", &named[1]]).exit(0);
    let wiped = rig.wiped();

    let at = manifest(5).rfind(IMAGE).unwrap();
    let mut corrected = manifest(5);
    corrected.replace_range(at..at + IMAGE.len(), OTHER_IMAGE);
    rig.write("fleet.csv", &corrected);
    for args in [
        quick("fleet.csv", &["--skip-done"]),
        quick("fleet.csv", &[]),
        vec!["load", "fleet.csv", "--skip-done"],
    ] {
        let mut refused = rig.call(&args).exit(2).says("--wiped");
        for service in &named {
            refused = refused.says(&format!("service {service} (batch 1: "));
        }
        refused
            .says("failed, executed=maybe")
            .says("cancelled, executed=maybe")
            .says("failed, executed=yes");
    }
    assert_eq!(rig.wiped(), wiped);
    // The same message says what is done already.
    rig.run(&[])
        .exit(2)
        .says("one of these services already got this image")
        .says("--skip-done");
    let active = InstanceChange {
        status: Some("active".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(2, &active);
    rig.run(&["--skip-done", "--wiped"])
        .exit(0)
        .says("left out: 1 that already got this image")
        .says("done 4");
    let again: Vec<u64> = wiped
        .iter()
        .zip([1, 1, 1, 0, 1])
        .map(|(one, more)| one + more)
        .collect();
    assert_eq!(rig.wiped(), again);
    rig.assert_truth(2);
}

// Field case B4.
/// A cancelled order of which nothing was sent does not hide what was wiped before it.
#[test]
fn a_given_up_order_hides_nothing_and_again_is_the_word_for_all() {
    let rig = Rig::new(3);
    rig.fault(0, FaultKind::InstanceError);
    rig.run(&[]).exit(1);
    rig.write("b.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    rig.write(
        "c.csv",
        format!("service_id,image\n{FIRST},{OTHER_IMAGE}\n"),
    );
    rig.call(&["load", "b.csv", "--wiped"]).exit(0);
    rig.call(&["cancel", "--all"]).exit(0);
    rig.call(&quick("c.csv", &[]))
        .exit(2)
        .says(&format!("service {FIRST} (batch 1: failed, executed=yes)"));
    assert_eq!(rig.wiped(), [1, 1, 1]);
    let active = InstanceChange {
        status: Some("active".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(0, &active);
    rig.call(&quick("c.csv", &["--again"])).exit(0);
    assert_eq!(rig.wiped(), [2, 1, 1]);
}

/// An instance that got another image since it was done is named when `--skip-done` leaves it out.
#[test]
fn what_got_another_image_since_is_named_when_it_is_left_out_as_done() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    rig.write(
        "one.csv",
        format!("service_id,image\n{FIRST},{OTHER_IMAGE}\n"),
    );
    rig.call(&quick("one.csv", &[])).exit(0);
    rig.write("two.csv", manifest(2));
    rig.call(&quick("two.csv", &["--skip-done", "-q"]))
        .exit(0)
        .says(&format!("another image since: {FIRST}\n"));
    assert_eq!(rig.wiped(), [2, 1, 1]);
}

#[test]
fn one_corrected_row_with_skip_done_rebuilds_one_instance() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    let corrected = manifest(3).replacen(IMAGE, OTHER_IMAGE, 1);
    rig.write("fleet.csv", corrected);
    let calls = rig.calls();
    rig.run(&[])
        .exit(2)
        .says("2 of these services already got this image")
        .says("--skip-done");
    assert_eq!(rig.calls(), calls);
    rig.run(&["--skip-done"]).exit(0).says("done 1");
    assert_eq!(rig.wiped(), [2, 1, 1]);
    assert_eq!(rig.report().len(), 1);
    rig.run(&["--skip-done"]).exit(0);
    assert_eq!(rig.wiped(), [2, 1, 1], "and that is done now");
}

#[test]
fn again_takes_all_of_an_edited_manifest() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    rig.write("fleet.csv", manifest(3).replacen(IMAGE, OTHER_IMAGE, 1));
    rig.run(&["--again"]).exit(0);
    assert_eq!(rig.wiped(), [2, 2, 2]);
    rig.assert_truth(2);
}

#[test]
fn an_edited_manifest_whose_services_are_live_elsewhere_is_refused_and_names_them() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"])
        .exit(0)
        .says("3 jobs queued as batch 1");
    rig.write("edited.csv", manifest(2).replacen(IMAGE, OTHER_IMAGE, 1));
    for args in [
        quick("edited.csv", &[]),
        quick("edited.csv", &["--again"]),
        quick("edited.csv", &["--skip-done"]),
        vec!["load", "edited.csv"],
    ] {
        let refused = rig
            .call(&args)
            .exit(2)
            .says("2 of these services are still live");
        for service in [FIRST, FIRST + 1] {
            assert!(
                refused.err.contains(&format!("service {service} (batch 1")),
                "{}",
                refused.err
            );
        }
    }
    assert_eq!(rig.calls(), 0);
    rig.call(&["status"]).exit(0).says_out("batch 1");
}

#[test]
fn load_and_then_run_without_a_manifest_is_the_same_as_run() {
    let rig = Rig::new(3);
    rig.call(&["run", "--yes"])
        .exit(2)
        .says("there is no database");
    rig.call(&["load", "fleet.csv"]).exit(0);
    assert_eq!(rig.calls(), 0);
    rig.call(&["load", "fleet.csv"])
        .exit(0)
        .says("batch 1 of this manifest is open, 3 jobs are left");
    rig.call(&[&["run", "--yes"], QUICK].concat())
        .exit(0)
        .says("done 3");
    rig.call(&[&["run", "--yes"], QUICK].concat())
        .exit(2)
        .says("there is no unfinished batch");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

#[test]
fn with_two_unfinished_batches_run_asks_which() {
    let rig = Rig::new(3);
    rig.write("a.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    rig.write(
        "b.csv",
        format!("service_id,image\n{},{IMAGE}\n", FIRST + 1),
    );
    rig.call(&["load", "a.csv"]).exit(0);
    rig.call(&["load", "b.csv"]).exit(0);
    rig.call(&["run", "--yes"])
        .exit(2)
        .says("batch 1: a.csv")
        .says("batch 2: b.csv");
    rig.call(&quick("a.csv", &[])).exit(0).says("done 1");
    assert_eq!(rig.wiped(), [1, 0, 0]);
}

#[test]
fn a_batch_left_alone_for_a_day_goes_on_only_when_told_to() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.sql(A_DAY_AGO);
    rig.run(&[])
        .exit(2)
        .says("nothing has happened in it since")
        .says("--stale");
    assert_eq!(rig.calls(), 0);
    rig.run(&["--stale"]).exit(0);
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

/// A night's work and the rest of one are told apart.
#[test]
fn without_a_terminal_a_run_says_whether_it_would_order_or_go_on() {
    let rig = Rig::new(3);
    let run = || rig.call(&["run", "fleet.csv"]).exit(2);
    let said = "this destroys 3 instances, and there is no terminal to ask on: ";
    run().says(&format!("{said}it would be a new order\n"));
    rig.load();
    run().says(&format!("{said}batch 1 would go on\n"));
    assert_eq!(rig.submissions(), 0);
}
