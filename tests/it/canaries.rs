//! What an operator is told of instances that were to go first and did not end well.

use crate::rig::{FIRST, Rig};
use refleet::simulator::{FaultKind, InstanceChange};

#[test]
fn whoever_settles_one_of_the_first_is_told_of_another_that_stops_it() {
    let rig = Rig::new(5);
    rig.fault(0, FaultKind::InstanceError);
    rig.fault(1, FaultKind::InstanceError);
    // One reading shows that both have failed: a run that is halted waits for none that is in progress.
    let options = ["--canary", "2", "--max-failures", "100%"];
    let slow = [&options[..], &["--poll-interval", "1s"]].concat();
    let run = rig.run(&slow).exit(6);
    let [first, second] = [FIRST, FIRST + 1].map(|service| service.to_string());
    // Each thing that can be said stands on a line of its own, and can be typed.
    for line in [
        format!(" show {first}`\n"),
        "\nif it is as it should be: `".to_owned(),
        format!(" resolve {first} --as done --reason TEXT`\n"),
        format!(" retry --wiped {first}`\n"),
        "\nto let the others start all the same: `".to_owned(),
        "\nthen run again\n".to_owned(),
    ] {
        assert!(run.err.contains(&line), "{line:?}: {run}");
    }

    let stopped =
        format!("no run of batch 1 starts anything yet: {second} (failed) was to go first");
    rig.call(&["retry", "--wiped", &first])
        .exit(0)
        .says(&stopped)
        .says(&format!(" show {second}` tells what to say of it"));
    let held = format!(
        "held back by what was to go first, {second} (failed), until somebody gives his word"
    );
    rig.call(&["list", "--state", "queued"])
        .exit(0)
        .says_out(&held);
    rig.call(&["show", &first]).exit(0).says_out(&held);
    // That it has failed is known, and lets nobody start.
    let resolve = ["resolve", &second, "--reason", "looked at it", "--as"];
    rig.call(&[&resolve[..], &["failed"]].concat())
        .exit(0)
        .says(&stopped);
    rig.run(&options).exit(6);
    assert_eq!(rig.wiped(), [1, 1, 0, 0, 0]);

    let settled = rig.call(&[&resolve[..], &["done"]].concat()).exit(0);
    assert!(!settled.err.contains("was to go first"), "{settled}");
    let active = InstanceChange {
        status: Some("active".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(0, &active);
    rig.run(&options).exit(0);
    assert_eq!(rig.wiped(), [2, 1, 1, 1, 1]);
}

/// As long as a run may still settle it, a doubt asks for nobody's word.
#[test]
fn a_doubt_that_is_still_watched_asks_for_a_run_and_for_no_word() {
    let rig = Rig::new(4);
    rig.doubt(0);
    let mut run = rig.watch(&["--canary", "1", "--settle", "1h"]);
    run.wait_for(1, "in_doubt");
    run.kill();
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["held_back"]["until"]["needs"], "run", "{status}");
    let next = status["next"].as_str().unwrap();
    assert!(next.contains(" run "), "{next}");
}
