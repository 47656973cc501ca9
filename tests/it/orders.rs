//! Which order is it? What the same manifest again, an edited one, and the operator's own commands
//! mean.

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, PASSWORD, QUICK, Rig, finish, manifest, quick};
use refleet::simulator::{Fault, FaultKind, InstanceChange};

/// Three services.
fn rig() -> Rig {
    Rig::new(3)
}

/// Puts the clock of the newest order back.
const A_DAY_AGO: &str = "UPDATE batch SET created_ms = created_ms - 86400000
     WHERE id = (SELECT max(id) FROM batch);
     UPDATE tally SET moved_ms = moved_ms - 86400000
     WHERE batch_id = (SELECT max(id) FROM batch)";

/// Makes a day of all that has happened so far, but for the ledger, which cannot be changed: only
/// for databases that nobody verifies.
const ALL_A_DAY_AGO: &str = "UPDATE batch SET created_ms = created_ms - 86400000;
     UPDATE tally SET moved_ms = moved_ms - 86400000;
     UPDATE job SET intent_ms = intent_ms - 86400000";

/// Makes the clock, while what `$batches` says was ordered, begun and worked on, one that was behind
/// by `$ms`: SQL.
macro_rules! clock_behind {
    ($ms:literal, $batches:literal) => {
        concat!(
            "DROP TRIGGER ledger_is_never_changed;
             UPDATE ledger SET at_ms = at_ms - ",
            $ms,
            " WHERE job_id >> 32 IN (",
            $batches,
            ");
             CREATE TRIGGER ledger_is_never_changed BEFORE UPDATE ON ledger
             BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
             UPDATE job SET intent_ms = intent_ms - ",
            $ms,
            ", submitted_ms = submitted_ms - ",
            $ms,
            ",
                            completed_ms = completed_ms - ",
            $ms,
            " WHERE batch_id IN (",
            $batches,
            ");
             UPDATE run SET started_ms = started_ms - ",
            $ms,
            ", ended_ms = ended_ms - ",
            $ms,
            "
                            WHERE batch_id IN (",
            $batches,
            ");
             UPDATE batch SET created_ms = created_ms - ",
            $ms,
            " WHERE id IN (",
            $batches,
            ");
             UPDATE tally SET moved_ms = moved_ms - ",
            $ms,
            " WHERE batch_id IN (",
            $batches,
            ")"
        )
    };
}

#[test]
fn the_same_manifest_again_does_nothing_and_again_does_it_all_once_more() {
    let rig = rig();
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
    let rig = rig();
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
    // The second service has the image already by now: its next order cannot be told from the list.
    rig.run(&["--again"]).exit(3).says("resolve");
    rig.run(&[])
        .exit(3)
        .says("nothing to do")
        .says("1 in doubt");
    assert_eq!(rig.wiped(), [1, 1, 2]);
}

#[test]
fn every_20h_orders_once_a_day_however_often_it_is_called() {
    let rig = rig();
    let nightly = &["--every", "20h", "-q"];
    rig.run(nightly).exit(0).says("is a new database");
    rig.run(nightly).exit(0).said_nothing();
    assert_eq!(rig.wiped(), [1, 1, 1], "called twice in a minute");

    rig.sql(A_DAY_AGO);
    rig.run(nightly).exit(0).said_nothing();
    rig.run(nightly).exit(0).said_nothing();
    assert_eq!(rig.wiped(), [2, 2, 2], "and the next night");
    rig.assert_truth(2);
}

#[test]
fn every_20h_goes_on_with_what_a_crash_left() {
    let rig = rig();
    let nightly = ["--every", "20h", "--workers", "1"];
    let mut run = rig.watch(&nightly);
    run.wait_for(1, "done");
    run.signal("KILL");
    run.end();
    rig.run(&nightly).says("resumes batch 1");
    rig.run(&nightly).says("nothing to do");
    assert!(
        rig.wiped().iter().all(|&wiped| wiped <= 1),
        "{:?}",
        rig.wiped()
    );
    rig.assert_truth(1);
}

#[test]
fn every_20h_leaves_out_and_names_what_is_held_in_doubt() {
    let rig = rig();
    rig.doubt(0);
    rig.run(&["--every", "20h"]).exit(3);
    rig.sql(ALL_A_DAY_AGO);
    let night = rig.run(&["--every", "20h", "-q"]).exit(3);
    assert_eq!(night.out, "");
    let night = night
        .says("left out")
        .says(&FIRST.to_string())
        .says("resolve");
    assert!(
        !night.err.contains(&(FIRST + 1).to_string()),
        "{}",
        night.err
    );
    assert_eq!(rig.wiped(), [0, 2, 2], "the others had their turn");

    rig.call(&[
        "resolve",
        &FIRST.to_string(),
        "--batch",
        "1",
        "--as",
        "failed",
        "--reason",
        "looked",
    ])
    .exit(0);
    rig.sql(ALL_A_DAY_AGO);
    rig.run(&["--every", "20h"]).exit(0);
    assert_eq!(rig.wiped(), [1, 3, 3]);
}

/// Field case C9: what is due is ordered, the rest is left out.
#[test]
fn a_nightly_sheet_may_gain_a_row_and_only_that_is_rebuilt() {
    let rig = Rig::new(4);
    rig.fleet(3);
    let nightly = &["--every", "20h"];
    rig.run(nightly).exit(0);
    rig.fleet(4);
    rig.run(nightly)
        .exit(0)
        .says("left out: 3 submitted less than 20h 0m ago")
        .says("done 1");
    assert_eq!(rig.wiped(), [1, 1, 1, 1]);
    rig.run(nightly).exit(0).says("nothing to do");
    rig.run(&["--every", "20h", "-q"]).exit(0).said_nothing();
    assert_eq!(rig.wiped(), [1, 1, 1, 1]);

    // The next night they all have their turn, in one order.
    rig.sql("UPDATE tally SET moved_ms = moved_ms - 86400000");
    rig.run(nightly).exit(0).says("done 4");
    assert_eq!(rig.wiped(), [2, 2, 2, 2]);
    rig.assert_truth(2);
}

/// Field case C9: the last submission counts, not the order's date.
#[test]
fn a_batch_that_was_resumed_late_is_not_wiped_again_soon_after() {
    let rig = rig();
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.sql("UPDATE batch SET created_ms = created_ms - 80000000");
    rig.run(&["--every", "20h"]).exit(0).says("resumes batch 1");
    rig.run(&["--every", "20h"]).exit(0).says("nothing to do");
    // Nor what was submitted by another order, or put back into an old one.
    rig.write("one.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    rig.call(&quick("one.csv", &["--every", "20h"]))
        .exit(0)
        .says("nothing to do");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

/// Field case C9: last night's open batch is finished first, then what is due is ordered.
#[test]
fn last_nights_open_batch_is_finished_before_a_new_order_of_what_is_due() {
    let rig = Rig::new(4);
    rig.fleet(2);
    rig.call(&["load", "./fleet.csv"]).exit(0);
    rig.fleet(3);
    // What forbids the new order is looked at first.
    rig.write(
        "other.csv",
        format!("service_id,image\n{},{IMAGE}\n", FIRST + 2),
    );
    rig.call(&["load", "other.csv"]).exit(0);
    rig.run(&["--every", "20h"])
        .exit(2)
        .says(&format!("service {} (batch 2)", FIRST + 2));
    assert_eq!(rig.calls(), 0);
    rig.call(&["cancel", "--all"]).exit(0);

    rig.run(&["--every", "20h"])
        .exit(0)
        .says("resumes batch 1")
        .says("done 2")
        .says("left out: 2")
        .says("batch 3 has ended")
        .says("done 1");
    assert_eq!(rig.wiped(), [1, 1, 1, 0]);
    rig.run(&["--every", "20h"]).exit(0).says("nothing to do");
    assert_eq!(rig.wiped(), [1, 1, 1, 0]);
    rig.assert_truth(1);
}

/// Field case C9: with nothing due, the newest jobs tell the exit code; what was never submitted
/// is due.
#[test]
fn what_failed_untouched_is_due_at_once_and_what_failed_wiped_is_named_until_it_is_due() {
    let rig = rig();
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal);
    rig.fault(1, FaultKind::InstanceError);
    let nightly = &["--every", "20h", "-q"];
    rig.run(nightly).exit(1);
    assert_eq!(rig.wiped(), [0, 1, 1]);
    let wiped = (FIRST + 1).to_string();
    rig.run(nightly).exit(1).says(&wiped);
    assert_eq!(rig.wiped(), [1, 1, 1], "the refused one had its turn");
    rig.run(nightly)
        .exit(1)
        .says("not due yet, and their last rebuild failed")
        .says(&format!("retry {wiped} --wiped --batch 1"));
    let image = manifest(3).replace(IMAGE, OTHER_IMAGE);
    rig.write("fleet.csv", image);
    rig.run(nightly)
        .exit(1)
        .says("another image than the manifest asks for")
        .says(&FIRST.to_string());
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

/// Field case C9: neither a cancelled doubt nor a retry in an old batch is forgotten.
#[test]
fn every_submission_of_any_batch_counts_for_what_is_due() {
    let rig = rig();
    rig.doubt(0);
    rig.run(&[]).exit(3);
    rig.call(&["cancel", &FIRST.to_string()]).exit(0);
    rig.run(&["--every", "20h"]).exit(0).says("nothing to do");
    assert_eq!(rig.wiped(), [0, 1, 1]);
    // A day later a new order, and then the old batch's job once more.
    rig.sql(ALL_A_DAY_AGO);
    rig.fault(1, FaultKind::InstanceError);
    rig.run(&["--every", "20h"]).exit(1);
    assert_eq!(rig.wiped(), [1, 2, 2]);
    rig.sql(ALL_A_DAY_AGO);
    rig.write(
        "one.csv",
        format!("service_id,image\n{},{IMAGE}\n", FIRST + 2),
    );
    rig.call(&quick("one.csv", &["--again"])).exit(0);
    let active = InstanceChange {
        status: Some("active".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(1, &active);
    rig.call(&["retry", &(FIRST + 1).to_string(), "--wiped", "--batch", "2"])
        .exit(0);
    rig.run(&["--every", "20h"]).exit(0);
    assert_eq!(rig.wiped(), [2, 3, 3], "only the first was due");
}

/// Field case D7: a date in the future is said, and never waited for.
#[test]
fn an_order_dated_in_the_future_is_refused_under_every_until_it_is_ordered_again() {
    let nightly = &["--every", "20h", "-q"];
    for dated in [
        "UPDATE batch SET created_ms = created_ms + 31536000000",
        "UPDATE job SET intent_ms = intent_ms + 31536000000 WHERE line = 2;
         UPDATE tally SET moved_ms = moved_ms + 31536000000",
    ] {
        let rig = rig();
        rig.run(&[]).exit(0);
        rig.sql(dated);
        let calls = rig.calls();
        rig.run(nightly)
            .exit(2)
            .says("lies in the future")
            .says("--again");
        rig.call(&["load", "fleet.csv", "--every", "20h"]).exit(2);
        assert_eq!(rig.calls(), calls);
        rig.run(&["--again"]).exit(0);
        rig.run(nightly).exit(0).said_nothing();
        assert_eq!(rig.wiped(), [2, 2, 2]);
    }
}

/// What was submitted a moment ago by a clock that was behind looks due, and is not wiped again.
#[test]
fn what_a_clock_that_was_behind_has_dated_is_refused_under_every_until_it_is_ordered_again() {
    let rig = rig();
    rig.run(&[]).exit(0);
    rig.sql(clock_behind!("864000000", "1"));
    rig.run(&["--again"]).exit(0);
    // Of the first order, ten days old, the clock had gone back by two days.
    rig.sql(clock_behind!("1036800000", "2"));
    let calls = rig.calls();
    let load = ["load", "fleet.csv", "--every", "7d"];
    for refused in [rig.run(&["--every", "7d"]), rig.call(&load)] {
        refused
            .exit(2)
            .says("nobody can tell how long ago 3 of these services were last submitted")
            .says(&format!("service {FIRST} (batch 2: dated "))
            .says("run it once with --again");
    }
    assert_eq!(rig.calls(), calls);
    rig.run(&["--again"]).exit(0);
    rig.run(&["--every", "7d", "-q"]).exit(0).said_nothing();
    rig.run(&["--every", "1ms"]).exit(0).says("done 3");
    assert_eq!(rig.wiped(), [4, 4, 4]);
}

/// What stood there before a submission says how old it is at most, whatever its own date.
#[test]
fn a_submission_is_no_older_than_what_was_written_before_it() {
    // An earlier order, and one that was only loaded while the clock was right.
    for loaded_only in [false, true] {
        let rig = rig();
        if loaded_only {
            rig.call(&["load", "fleet.csv"]).exit(0);
            rig.run(&[]).exit(0);
            rig.sql(clock_behind!("864000000", "1"));
            rig.sql("UPDATE batch SET created_ms = created_ms + 864000000");
        } else {
            rig.run(&[]).exit(0);
            rig.run(&["--again"]).exit(0);
            rig.sql(clock_behind!("864000000", "2"));
        }
        let wiped = rig.wiped();
        rig.run(&["--every", "7d"])
            .exit(0)
            .says("left out: 3 submitted less than 7d 0h ago");
        assert_eq!(rig.wiped(), wiped);
    }
}

/// A clock that is put back by half a minute, or was ahead until it was ordered once more, keeps no
/// order by the clock from what is due.
#[test]
fn neither_a_small_step_of_the_clock_nor_one_from_the_future_holds_up_what_is_due() {
    for dated in [
        clock_behind!("864030000", "2"),
        clock_behind!("-31536000000", "1"),
    ] {
        let rig = rig();
        rig.run(&[]).exit(0);
        rig.sql(clock_behind!("864000000", "1"));
        rig.run(&["--again"]).exit(0);
        rig.sql(dated);
        rig.run(&["--every", "1ms"]).exit(0).says("done 3");
        assert_eq!(rig.wiped(), [3, 3, 3]);
    }
}

/// Field case D7: nor does such a date make an old batch young.
#[test]
fn an_open_batch_dated_in_the_future_goes_on_only_when_told_to() {
    let rig = rig();
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.sql("UPDATE batch SET created_ms = created_ms + 31536000000");
    rig.run(&[])
        .exit(2)
        .says("lies in the future")
        .says("--stale");
    assert_eq!(rig.calls(), 0);
    rig.run(&["--stale"]).exit(0);
}

/// Field case B4: what may have been wiped, and did not end well, is not wiped again unasked.
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
    // What is done is said with it, so that nobody has to ask twice.
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

/// Field case B4: an order that was given up untouched does not hide what was wiped before it.
#[test]
fn a_given_up_order_hides_nothing_and_again_is_the_word_for_all() {
    let rig = rig();
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

/// What got another image since is no longer what `--skip-done` takes it for: it is named.
#[test]
fn what_got_another_image_since_is_named_when_it_is_left_out_as_done() {
    let rig = rig();
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
    let rig = rig();
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
    let rig = rig();
    rig.run(&[]).exit(0);
    rig.write("fleet.csv", manifest(3).replacen(IMAGE, OTHER_IMAGE, 1));
    rig.run(&["--again"]).exit(0);
    assert_eq!(rig.wiped(), [2, 2, 2]);
    rig.assert_truth(2);
}

#[test]
fn an_edited_manifest_whose_services_are_live_elsewhere_is_refused_and_names_them() {
    let rig = rig();
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
    let rig = rig();
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
    let rig = rig();
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
    let rig = rig();
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

/// The port of this rig's API.
fn port(rig: &Rig) -> String {
    let url = rig.simulator.url().trim_end_matches('/');
    url.rsplit(':').next().unwrap().to_owned()
}

/// A host that refuses every name under it (RFC 6761), so that nothing is ever sent.
const ELSEWHERE: &str = "https://elsewhere.invalid/";

/// Field case B1: an order belongs to the provider, not to a spelling of its address.
#[test]
fn no_other_spelling_of_the_address_makes_the_same_order_a_new_one() {
    let (rig, other_port) = (rig(), Rig::new(3));
    rig.run(&[]).exit(0);
    let calls = rig.calls();
    let port = port(&rig);
    let spellings = [
        format!("http://127.0.0.1:{port}/billmgr"),
        format!("http://localhost:{port}/"),
        format!("HTTP://LocalHost.:{port}/billmgr/"),
        format!("http://127.9.9.9:{port}"),
        format!("http://[::1]:{port}"),
        other_port.simulator.url().to_owned(),
    ];
    for spelling in &spellings {
        rig.run(&["--api-url", spelling])
            .exit(0)
            .says("nothing to do");
    }
    rig.write("edited.csv", format!("{}1,{IMAGE},,\n", manifest(3)));
    for spelling in &spellings {
        rig.call(&quick("edited.csv", &["--api-url", spelling]))
            .exit(2)
            .says("3 of these services already got this image");
    }
    assert_eq!((rig.calls(), other_port.calls()), (calls, 0));
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

/// Field case B1: what is live counts as well, and a resumed order goes to the address given now.
#[test]
fn an_open_order_is_resumed_at_whatever_address_its_provider_has_now() {
    let (rig, moved) = (rig(), Rig::new(3));
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("edited.csv", manifest(2).replacen(IMAGE, OTHER_IMAGE, 1));
    let address = format!("http://localhost:{}/billmgr", port(&moved));
    rig.call(&quick("edited.csv", &["--api-url", &address]))
        .exit(2)
        .says("2 of these services are still live in another batch");
    rig.run(&["--api-url", &address])
        .exit(0)
        .says("resumes batch 1")
        .says("done 3");
    assert_eq!((rig.calls(), moved.wiped()), (0, vec![1, 1, 1]));
}

/// Field case B1: the same numbers at another provider are other instances.
#[test]
fn a_really_different_provider_is_refused_and_needs_a_database_of_its_own() {
    let rig = rig();
    rig.call(&["load", "fleet.csv"]).exit(0);
    let elsewhere = ["--api-url", ELSEWHERE];
    let run = quick("fleet.csv", &elsewhere);
    for args in [
        run.clone(),
        quick("fleet.csv", &["--api-url", ELSEWHERE, "--again"]),
        vec!["load", "fleet.csv", "--api-url", ELSEWHERE],
        vec!["run", "--yes", "--api-url", ELSEWHERE],
    ] {
        rig.call(&args)
            .exit(2)
            .says("batch 1 of this database belongs to")
            .says(rig.simulator.url())
            .says(ELSEWHERE)
            .says("--db");
    }
    // What was given up before anything was sent binds nobody.
    rig.call(&run)
        .says("cancel --all --batch 1` gives that order up");
    rig.call(&["cancel", "--all"]).exit(0);
    rig.call(&["load", "fleet.csv", "--api-url", ELSEWHERE])
        .exit(0);
    rig.call(&["cancel", "--all"]).exit(0);

    rig.run(&["--again"]).exit(0);
    let refused = rig.call(&run).exit(2).says("batch 3 of this database");
    assert!(!refused.err.contains("cancel"), "{}", refused.err);
    // A rehearsal is a provider of its own.
    let mut rehearsal = rig.refleet(&["run", "fleet.csv", "--simulate", "--yes"]);
    rehearsal.env_remove("REFLEET_API_URL");
    finish(rehearsal)
        .exit(2)
        .says("and the API given is simulation");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

#[test]
fn a_refused_job_is_retried_on_request_and_a_wiped_one_only_on_a_second_word() {
    let rig = rig();
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        error_object: Some("password".to_owned()),
        message: Some("too simple".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal);
    rig.fault(1, FaultKind::InstanceError);
    rig.run(&[])
        .exit(1)
        .says("1 failed, not touched")
        .says("1 failed after it was wiped");
    let list = rig
        .call(&["list", "--state", "failed"])
        .exit(0)
        .says_out("too simple")
        .out;
    // Service, name, address, state, executed.
    let executed = |row: &str| row.split_whitespace().nth(4).map(str::to_owned);
    let executed: Vec<_> = list.lines().filter_map(executed).collect();
    assert_eq!(executed, ["executed", "no", "yes"], "{list}");
    rig.assert_truth(1);

    let [first, second] = [FIRST, FIRST + 1].map(|service| service.to_string());
    rig.call(&["retry", &second]).exit(2).says("pass --wiped");
    rig.call(&["retry", "--failed"])
        .exit(0)
        .says_out("1 job of batch 1")
        .says(&second);
    rig.call(&["retry", &first]).exit(2).says("is queued");
    rig.run(&[]).exit(1);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    rig.call(&["retry", &second, "--wiped"]).exit(0);
    let active = InstanceChange {
        status: Some("active".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(1, &active);
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1, 2, 1]);
    rig.assert_truth(2);
    rig.call(&["retry", "--failed"]).exit(0).says_out("0 jobs");
}

/// Field case B4: nor does a retry in an old batch wipe what a later order has rebuilt since.
#[test]
fn a_retry_in_an_old_batch_does_not_wipe_what_a_later_order_has_rebuilt() {
    let rig = rig();
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal.clone());
    rig.fault(1, refusal);
    rig.run(&[]).exit(1);
    rig.write("one.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    rig.call(&quick("one.csv", &[])).exit(0);
    rig.call(&["retry", "--failed", "--batch", "1"])
        .exit(0)
        .says_out("1 job of batch 1 put back")
        .says(&format!(
            "service {FIRST} was, or may have been, wiped by batch 2 since: pass --wiped"
        ));
    rig.run(&["--yes"]).exit(1);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    let first = FIRST.to_string();
    let wiped = ["retry", &first, "--batch", "1", "--wiped"];
    rig.call(&wiped).exit(0).says_out("run` works on it");
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [2, 1, 1]);
}

/// What is to be typed next speaks of the batch at hand, not of the newest one.
#[test]
fn the_hints_of_a_run_on_an_older_batch_name_that_batch() {
    let rig = rig();
    rig.write("one.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    let second = FIRST + 1;
    rig.write("two.csv", format!("service_id,image\n{second},{IMAGE}\n"));
    rig.call(&["load", "one.csv"]).exit(0);
    rig.call(&["load", "two.csv"]).exit(0);
    let refusal = Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.fault(0, refusal);
    rig.call(&quick("one.csv", &[]))
        .exit(1)
        .says(" retry --failed --batch 1\n")
        .says(" retry --failed --from one.csv --batch 1\n")
        .says(" run one.csv\n");
    rig.call(&["retry", "--failed", "--from", "one.csv", "--batch", "1"])
        .exit(0);
    rig.call(&quick("one.csv", &[])).exit(0);
    assert_eq!(rig.wiped(), [1, 0, 0]);
}

#[test]
fn resolve_takes_each_of_the_three_words_and_keeps_the_reason() {
    let rig = rig();
    for nth in 0..3 {
        rig.doubt(nth);
    }
    rig.run(&[]).exit(3).says("3 held in doubt");
    let [first, second, third] = [FIRST, FIRST + 1, FIRST + 2].map(|service| service.to_string());
    let resolve = |service: &str, word: &str| {
        rig.call(&[
            "resolve",
            service,
            "--as",
            word,
            "--reason",
            "seen in the panel",
        ])
    };
    rig.call(&["resolve", &first, "--as", "done"])
        .exit(2)
        .says("--reason");
    rig.call(&["resolve", &first, "--as", "maybe", "--reason", "x"])
        .exit(2);
    resolve("1", "done").exit(2).says("is not in batch 1");
    resolve(&first, "done").exit(0).says_out("resolved as done");
    resolve(&first, "done").exit(2).says("is done");
    resolve(&second, "failed").exit(0);
    resolve(&third, "requeue").exit(0);
    rig.run(&[]).exit(1);
    let rows = rig.report();
    assert_eq!(rows[0]["state"], "done");
    assert_eq!(rows[0]["evidence"], "operator");
    assert_eq!(
        (&rows[1]["state"], &rows[1]["executed"]),
        (&"failed".into(), &"maybe".into())
    );
    assert_eq!(
        (&rows[2]["state"], &rows[2]["attempts"]),
        (&"done".into(), &2.into())
    );
    rig.call(&["show", &first])
        .exit(0)
        .says_out("seen in the panel")
        .says_out("[operator]");
    rig.call(&["verify"]).exit(0);
}

#[test]
fn cancel_drops_what_has_not_started_and_nothing_else() {
    let rig = rig();
    rig.call(&["load", "fleet.csv"]).exit(0);
    let first = FIRST.to_string();
    rig.call(&["cancel", &first])
        .exit(0)
        .says_out("1 job of batch 1 cancelled");
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [0, 1, 1]);
    rig.call(&["cancel", &(FIRST + 1).to_string()])
        .exit(2)
        .says("is done");
    rig.call(&["cancel", "--all"]).exit(0).says_out("0 jobs");
    rig.call(&["cancel"]).exit(2);
    rig.assert_truth(1);
}

#[test]
fn cancel_all_and_resolve_all_mean_the_whole_batch() {
    let rig = rig();
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.call(&["cancel", "--all"])
        .exit(0)
        .says_out("3 jobs of batch 1 cancelled");
    rig.run(&[]).exit(0).says("3 cancelled");
    assert_eq!(rig.calls(), 0);

    rig.doubt(0);
    rig.doubt(1);
    rig.run(&["--again"]).exit(3);
    rig.call(&[
        "resolve",
        "--all",
        "--as",
        "failed",
        "--reason",
        "looked at both",
    ])
    .exit(0)
    .says_out("2 jobs of batch 2 resolved as failed");
    rig.run(&[]).exit(1).says("2 failed, 0 in doubt");
    assert_eq!(rig.wiped(), [0, 0, 1]);
}

#[test]
fn list_show_status_and_report_tell_the_same_to_people_and_to_scripts() {
    let rig = rig();
    rig.doubt(0);
    rig.run(&[]).exit(3);
    let [first, second] = [FIRST, FIRST + 1].map(|service| service.to_string());

    let list = rig.call(&["list"]).exit(0).out;
    // A header, and a line for each.
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows.len(), 4, "{list}");
    assert!(rows[0].starts_with("service "), "{list}");
    assert!(rows[1].starts_with(&format!("{first} ")), "{list}");
    assert!(rows[1].contains(" in_doubt held "), "{list}");
    let lines = rig.call(&["list", "--json", "--state", "done"]).exit(0).out;
    let rows: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["service_id"].to_string(), second);
    rig.call(&["list", "--state", "lost"]).exit(2);

    let status = rig.call(&["status"]).exit(0);
    status
        .says_out("done         2")
        .says_out("in doubt     1 (1 held")
        .says_out(&first);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["counts"]["done"], 2);
    assert_eq!(status["counts"]["held"], 1);
    assert_eq!(status["oldest_doubt"]["service_id"].to_string(), first);
    assert_eq!(status["last_run"]["exit_code"], 3);
    assert!(status["running"].is_null());

    rig.call(&["show", &second])
        .exit(0)
        .says_out("state     done, executed: yes")
        .says_out("accepted");
    let show = rig.call(&["show", &second, "--json"]).exit(0).json();
    assert_eq!(show["jobs"][0]["state"], "done");
    assert_eq!(show["jobs"][0]["history"][0]["entry"]["kind"], "intent");
    rig.call(&["show", "1"]).exit(2).says("in no batch");

    let table = rig.call(&["report"]).exit(0).out;
    assert!(
        table.contains(&first) && table.contains("in_doubt"),
        "{table}"
    );
    let csv = rig.call(&["report", "--format", "csv"]).exit(0).out;
    assert_eq!(
        csv.lines().next().unwrap(),
        "line,service_id,image,state,executed,evidence,attempts,submitted_at,completed_at,error_kind,error,note"
    );
    assert_eq!(csv.lines().count(), 4);
    for format in ["table", "csv", "json"] {
        let out = rig.call(&["report", "--format", format]).exit(0).out;
        let written = rig
            .call(&["report", "--format", format, "--output", "results"])
            .exit(0)
            .says("3 jobs of batch 1 written to results as ");
        assert_eq!((written.out.as_str(), written.err.lines().count()), ("", 1));
        assert_eq!(std::fs::read_to_string(rig.path("results")).unwrap(), out);
    }
    rig.call(&["report", "--batch", "7"])
        .exit(2)
        .says("no batch 7");
    rig.call(&["report", "--output", "nowhere/results.csv"])
        .exit(74);
}

#[test]
fn every_event_is_a_json_object_on_one_line_and_quiet_runs_say_nothing() {
    let rig = rig();
    let run = rig.run(&["--events", "-", "-q"]).exit(0);
    let (first, rest) = run.err.split_once('\n').unwrap();
    assert!(first.contains("is a new database"), "{first}");
    assert_eq!(rest, "");
    let mut kinds = Vec::new();
    for line in run.out.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["v"], 1, "{line}");
        kinds.push(event["type"].as_str().unwrap().to_owned());
    }
    assert_eq!(kinds.first().unwrap(), "run_started");
    assert_eq!(kinds.last().unwrap(), "run_ended");
    assert!(
        kinds.iter().filter(|kind| *kind == "job").count() >= 6,
        "{kinds:?}"
    );

    rig.run(&["--events", "events.ndjson", "--again"]).exit(0);
    rig.run(&["--events", "events.ndjson", "--again"]).exit(0);
    let events = std::fs::read_to_string(rig.path("events.ndjson")).unwrap();
    assert_eq!(
        events.matches("\"run_ended\"").count(),
        2,
        "the file is appended to"
    );
}

#[test]
fn verify_finds_what_somebody_changed_behind_our_back() {
    let rig = rig();
    rig.run(&[]).exit(0);
    rig.call(&["verify"]).exit(0).says_out("sound, 3 jobs");
    rig.sql("UPDATE job SET evidence = 'accepted' WHERE line = 2");
    rig.call(&["verify"])
        .exit(1)
        .says_out(&FIRST.to_string())
        .says_out("1 flaws in 3 jobs");
}
