//! What a signal means to a run: what was ignored stays ignored, an echo is no second request.

use std::ffi::OsString;
use std::process::Command;

use crate::common::{FIRST, Running, World, quick};
use refleet::simulator::FaultKind;

/// `wrapper` with the run of `world` behind it.
fn wrapped(wrapper: &[&str], world: &World, more: &[&str]) -> Command {
    let args = quick("fleet.csv", more);
    let run = world.refleet(&args);
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).arg(run.get_program());
    command.args(run.get_args().map(OsString::from));
    command.env_clear().env("PATH", "/usr/bin:/bin");
    for (name, value) in run.get_envs() {
        command.env(name, value.unwrap());
    }
    command
        .current_dir(world.folder.path())
        .stdin(std::process::Stdio::null());
    command
}

// field case D5
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
        let world = World::new(12);
        world.fleet(12);
        let mut run = Running::new(wrapped(wrapper, &world, STREAM));
        run.wait_for(2, "done");
        for signal in signals {
            run.signal(signal);
        }
        run.end().exit(0);
        assert_eq!(world.states()["done"].len(), 12);
    }
    // What is not ignored is obeyed, under `nohup` too.
    let world = World::new(12);
    world.fleet(12);
    let mut run = Running::new(wrapped(&["nohup"], &world, STREAM));
    run.wait_for(2, "done");
    run.signal("TERM");
    run.end().exit(143).says("run again to resume");
}

// field case D6
#[test]
fn two_signals_of_one_kind_within_a_second_are_one_request() {
    let world = World::new(4);
    world.fleet(4);
    world.fault(FIRST, FaultKind::TimeoutBefore);
    let mut run = world.start(&["--workers", "4", "--timeout", "1500ms"]);
    run.wait_for(3, "done");
    run.signal("INT");
    run.wait(1, |event| event["type"] == "stopping");
    run.signal("INT");
    run.end().exit(130);
    let states = world.states();
    assert!(
        !states.contains_key("submitting"),
        "the answer was not waited for: {states:?}"
    );
    assert_eq!(states["in_doubt"], [FIRST]);
}
