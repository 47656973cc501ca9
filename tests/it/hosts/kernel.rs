//! What the kernel of a machine says of processes that ran there.

use super::words::{on, when_free};
use super::{each_was_wiped_once, get_what_they_have, rig, run_into_a_hold};
use crate::rig::{Cluster, Rig, Running, finish};

const REQUEUE: &[&str] = &[
    "resolve",
    "--all",
    "--as",
    "requeue",
    "--reason",
    "it was not wiped",
];

/// Processes of which a kernel has said that they ended.
fn said_to_have_ended(rig: &Rig) -> String {
    let cluster = Cluster::shared().unwrap();
    rig.ask(
        cluster,
        "SELECT count(*) FROM refleet.fence WHERE run_id IS NOT NULL",
    )
}

/// Under whatever name it starts again, the kernel is the same.
#[test]
fn what_a_process_left_that_its_kernel_has_no_more_needs_no_fence() {
    for name in ["alpha", "beta"] {
        let Some(rig) = rig(3, |_| {}) else {
            return;
        };
        let dies = [("REFLEET_FAILPOINT", "before_send:2")];
        finish(on(&rig, "alpha", &dies));
        when_free(&rig, name).exit(3);
        let stories = rig.stories().unwrap();
        assert!(stories.iter().any(|story| story.record.held));
        assert_eq!(said_to_have_ended(&rig), "1");
        rig.call(&["hosts"])
            .exit(0)
            .says_out("has ended, says its machine's kernel");
        // What it had sent may still arrive, for as long as after a fence.
        rig.call_once_settled(REQUEUE).exit(0);
        when_free(&rig, name).exit(0);
        each_was_wiped_once(&rig);
    }
}

#[test]
fn a_process_that_was_killed_has_ended() {
    let Some(rig) = rig(6, |_| {}) else {
        return;
    };
    rig.simulator.hold_submissions(2);
    let mut first = run_into_a_hold(Running::start(on(&rig, "alpha", &[])), &rig);
    first.kill();
    rig.simulator.release_submissions();
    when_free(&rig, "beta");
    assert_eq!(said_to_have_ended(&rig), "1");
}

#[test]
fn a_process_that_is_frozen_has_not_ended() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    get_what_they_have(&rig);
    rig.simulator.hold_submissions(2);
    let mut patient = on(&rig, "alpha", &[]);
    patient.args(["--timeout", "5m"]);
    let first = run_into_a_hold(Running::start(patient), &rig);
    first.signal("STOP");
    rig.simulator.release_submissions();
    when_free(&rig, "alpha");
    assert_eq!(said_to_have_ended(&rig), "0");
    let left = rig.stories().unwrap();
    if left.iter().any(|story| story.record.held) {
        rig.call(REQUEUE).says("host alpha may still send it");
    }
    first.signal("CONT");
    first.end().exit(75);
    when_free(&rig, "beta");
    each_was_wiped_once(&rig);
}
