//! A nightly order, `--every 20h`: what is due, and what a clock that was wrong makes of that.

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, Rig, manifest, quick};
use refleet::simulator::{Fault, FaultKind, InstanceChange};

/// Dates the newest order a day back.
pub const A_DAY_AGO: &str = "UPDATE batch SET created_ms = created_ms - 86400000
     WHERE id = (SELECT max(id) FROM batch);
     UPDATE tally SET moved_ms = moved_ms - 86400000
     WHERE batch_id = (SELECT max(id) FROM batch)";

/// Dates everything a day back but the ledger, which cannot be changed: only for databases that no
/// test verifies.
const ALL_A_DAY_AGO: &str = "UPDATE batch SET created_ms = created_ms - 86400000;
     UPDATE tally SET moved_ms = moved_ms - 86400000;
     UPDATE job SET intent_ms = intent_ms - 86400000";

/// SQL that dates the batches `$batches`, their runs and their ledger back by `$ms`, as if the clock
/// had been behind while they were worked on.
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
    // Which of the two others took longest is another matter.
    let mut said = night.err.lines().filter(|line| !line.contains("slowest"));
    assert!(
        !said.any(|line| line.contains(&(FIRST + 1).to_string())),
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

// Field case C9.
/// Only the rows that are due are ordered.
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

    // The next night all rows are due, and are one order.
    rig.sql("UPDATE tally SET moved_ms = moved_ms - 86400000");
    rig.run(nightly).exit(0).says("done 4");
    assert_eq!(rig.wiped(), [2, 2, 2, 2]);
    rig.assert_truth(2);
}

// Field case C9.
/// A row is due by the date of its last submission, not by that of its order.
#[test]
fn a_batch_that_was_resumed_late_is_not_wiped_again_soon_after() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.sql("UPDATE batch SET created_ms = created_ms - 80000000");
    rig.run(&["--every", "20h"]).exit(0).says("resumes batch 1");
    rig.run(&["--every", "20h"]).exit(0).says("nothing to do");
    // A submission by another order counts too, and one by a retry in an old order.
    rig.write("one.csv", format!("service_id,image\n{FIRST},{IMAGE}\n"));
    rig.call(&quick("one.csv", &["--every", "20h"]))
        .exit(0)
        .says("nothing to do");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

// Field case C9.
/// The open batch of last night is finished before a new one is ordered of what is due.
#[test]
fn last_nights_open_batch_is_finished_before_a_new_order_of_what_is_due() {
    let rig = Rig::new(4);
    rig.fleet(2);
    rig.call(&["load", "./fleet.csv"]).exit(0);
    rig.fleet(3);
    // What would forbid the new order is checked before anything is sent.
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

// Field case C9.
/// Where nothing is due, the newest jobs decide the exit code. A row that was never submitted is due.
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

// Field case C9.
/// A cancelled doubt counts as a submission, and so does a retry in an old batch.
#[test]
fn every_submission_of_any_batch_counts_for_what_is_due() {
    let rig = Rig::new(3);
    rig.doubt(0);
    rig.run(&[]).exit(3);
    rig.call(&["cancel", &FIRST.to_string()]).exit(0);
    rig.run(&["--every", "20h"]).exit(0).says("nothing to do");
    assert_eq!(rig.wiped(), [0, 1, 1]);
    // A day later there is a new order, and then a job of the old batch is retried.
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

// Field case D7.
/// A date in the future is reported, and never waited for.
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

/// A row that was submitted a moment ago under a clock that was behind looks due; it is not sent again.
#[test]
fn what_a_clock_that_was_behind_has_dated_is_refused_under_every_until_it_is_ordered_again() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    rig.sql(clock_behind!("864000000", "1"));
    rig.run(&["--again"]).exit(0);
    // The first order is ten days old, and its clock was two days behind.
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

/// A submission is younger than what the ledger has before it, whatever its own date says.
#[test]
fn a_submission_is_no_older_than_what_was_written_before_it() {
    // One earlier order was carried out and another only loaded, both while the clock was right.
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

/// Neither a clock that was put back by half a minute holds up a nightly order, nor one that was
/// ahead, once the rows were ordered again.
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

// Field case D7.
/// A date in the future does not make an old batch young.
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

/// What the refusal of a further order has to say is said; it does not hide that something failed before.
#[test]
fn a_second_round_that_is_refused_does_not_hide_what_the_first_one_has_come_to() {
    let rig = Rig::new(3);
    rig.load();
    rig.fault(1, FaultKind::SecretEcho);
    rig.run(&["--every", "1ms", "--max-wipes", "1"])
        .exit(1)
        .says("--max-wipes allows 1")
        .says("give --max-wipes 3");
    assert_eq!(rig.wiped(), [1, 0, 1]);
}
