//! Signals to a run: one that was ignored stays ignored, and the same one again within a second is
//! no second request.

use crate::rig::{FIRST, Rig};
#[cfg(target_os = "linux")]
use crate::rig::{Running, wrapped};
use refleet::simulator::FaultKind;

// Field case D5.
#[test]
#[cfg(target_os = "linux")]
fn what_was_ignored_when_the_run_started_stays_ignored() {
    const STREAM: &[&str] = &["--workers", "4", "--events", "-"];
    // The shell's `&` ignores SIGINT in a script; `trap ''` is how to do that to any signal.
    let all = ["sh", "-c", "trap '' INT HUP TERM; exec \"$@\"", "sh"];
    for (wrapper, signals) in [
        (&["nohup"][..], &["HUP"][..]),
        (&all, &["INT", "HUP", "TERM", "INT"]),
    ] {
        let rig = Rig::new(12);
        let mut run = Running::start(wrapped(wrapper, &rig.order("fleet.csv", STREAM)));
        run.wait_for(2, "done");
        for signal in signals {
            run.signal(signal);
        }
        run.end().exit(0);
        assert_eq!(rig.states()["done"].len(), 12);
    }
    // What is not ignored is obeyed, under `nohup` too.
    let rig = Rig::new(12);
    let mut run = Running::start(wrapped(&["nohup"], &rig.order("fleet.csv", STREAM)));
    run.wait_for(2, "done");
    run.signal("TERM");
    run.end().exit(143).says("run again to resume");
}

// Field case D6.
#[test]
fn two_signals_of_one_kind_within_a_second_are_one_request() {
    let rig = Rig::new(4);
    rig.fault(0, FaultKind::TimeoutBefore);
    let mut run = rig.watch(&["--workers", "4", "--timeout", "1500ms"]);
    run.wait_for(3, "done");
    run.signal("INT");
    run.wait(1, |event| event["type"] == "stopping");
    run.signal("INT");
    run.end().exit(130);
    let states = rig.states();
    assert!(
        !states.contains_key("submitting"),
        "the answer was not waited for: {states:?}"
    );
    assert_eq!(states["in_doubt"], [FIRST]);
}
