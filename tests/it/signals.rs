//! Signals to a run: one that was ignored stays ignored, and the same one again within a second is
//! no second request.

#[cfg(target_os = "linux")]
use crate::rig::wrapped;
use crate::rig::{Ended, Running};
use crate::rig::{FIRST, Rig};
use refleet::simulator::FaultKind;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};

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

/// A signal while `args` reads a sheet that never ends: from a pipe of the file system, or `-`.
fn signalled(rig: &Rig, args: &[&str], signal: &str) -> Ended {
    let mut command = rig.refleet(args);
    let stdin = args.contains(&"-");
    if stdin {
        command.stdin(Stdio::piped());
    }
    let mut running = Running::start(command);
    let mut sheet: Box<dyn Write> = if stdin {
        Box::new(running.stdin())
    } else {
        // Opened as soon as the other side is.
        let pipe = OpenOptions::new().write(true).open(rig.path("pipe"));
        Box::new(pipe.unwrap())
    };
    // More than the pipe holds: when it is written, the other side reads.
    sheet.write_all("#".repeat(100_000).as_bytes()).unwrap();
    running.signal(signal);
    let ended = running.end();
    drop(sheet);
    ended
}

#[test]
fn a_signal_ends_a_command_that_reads_a_sheet() {
    let rig = Rig::new(2);
    rig.run(&[]).exit(0);
    let made = Command::new("mkfifo").arg(rig.path("pipe")).status();
    assert!(made.unwrap().success());
    let batches = || rig.sql("SELECT id FROM batch").len();
    for (args, said) in [
        (
            &["plan", "pipe", "--out", "plan.json"][..],
            "nothing was changed",
        ),
        (&["plan", "-"], "nothing was changed"),
        (&["load", "pipe"], "`refleet --db"),
        (&["load", "-"], "`refleet --db"),
        (&["run", "pipe", "--yes"], "before anything was sent"),
        (&["run", "-", "--yes"], "before anything was sent"),
        (&["retry", "--failed", "--from", "pipe"], "`refleet --db"),
        (&["retry", "--failed", "--from", "-"], "`refleet --db"),
    ] {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let ended = signalled(&rig, args, signal).exit(code);
            ended.says("interrupted").says(said);
        }
    }
    // It has nothing that would have to be put in order, and ends as any process does.
    for (signal, code) in [("INT", -2), ("TERM", -15)] {
        signalled(&rig, &["check", "pipe"], signal).exit(code);
    }
    assert_eq!((batches(), rig.submissions()), (1, 2));
    assert!(!rig.path("plan.json").exists());
}
