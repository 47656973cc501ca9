//! A nightly order, `--every 20h`: what is due, and what a clock that was wrong makes of that.

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, Rig, manifest, quick};
use refleet::simulator::{Fault, FaultKind, InstanceChange};

/// Puts the clock of the newest order back.
pub const A_DAY_AGO: &str = "UPDATE batch SET created_ms = created_ms - 86400000
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
fn every_20h_orders_once_a_day_however_often_it_is_called() {
    let rig = Rig::new(3);
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
    let rig = Rig::new(3);
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
    let rig = Rig::new(3);
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
    let rig = Rig::new(3);
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
    let rig = Rig::new(3);
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
    let rig = Rig::new(3);
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
        let rig = Rig::new(3);
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
    let rig = Rig::new(3);
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
        let rig = Rig::new(3);
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
        let rig = Rig::new(3);
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
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.sql("UPDATE batch SET created_ms = created_ms + 31536000000");
    rig.run(&[])
        .exit(2)
        .says("lies in the future")
        .says("--stale");
    assert_eq!(rig.calls(), 0);
    rig.run(&["--stale"]).exit(0);
}
