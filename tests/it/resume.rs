//! A run that is stopped, by a signal or by death, and the same command again: nothing is repeated,
//! and what cannot be known is said.

use std::time::Duration;

use crate::rig::{Ended, FIRST, Rig, finish, services, wrapped};
use refleet::simulator::{AccountChange, Call, FaultKind, Script};

/// Twelve services; with four rebuilds at a time a run can be stopped in its middle.
fn rig() -> Rig {
    let rig = Rig::with(12, |config| {
        config.rebuild_duration = Duration::from_millis(300);
    });
    rig.fleet(12);
    rig
}

const FOUR: &[&str] = &["--workers", "4"];

/// The same command again, to the end: every instance was wiped once, and what was done before was
/// not sent again.
fn resumes(rig: &Rig) -> Ended {
    let before = rig.record();
    let run = rig.run(FOUR).exit(0).says("done 12");
    assert!(
        rig.wiped().iter().all(|&wiped| wiped == 1),
        "{:?}",
        rig.record()
    );
    for (service, then) in before
        .services
        .iter()
        .filter(|(_, then)| then.completed > 0)
    {
        let now = &rig.record().services[service];
        assert_eq!(now.submissions, then.submissions, "{service}");
    }
    rig.assert_truth(1);
    run
}

#[test]
fn ctrl_c_stops_a_run_and_the_same_command_resumes_it() {
    let rig = rig();
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "done");
    run.signal("INT");
    run.end()
        .exit(130)
        .says("interrupted (SIGINT)")
        .says("run again to resume");
    let states = rig.states();
    assert!(!states.contains_key("submitting") && !states.contains_key("in_doubt"));
    assert!(
        states["done"].len() >= 3 && states.contains_key("queued"),
        "{states:?}"
    );
    resumes(&rig);
}

#[test]
fn sigterm_and_a_lost_terminal_stop_a_run_too() {
    let rig = rig();
    for (signal, done) in [("TERM", 2), ("HUP", 1)] {
        let mut run = rig.watch(FOUR);
        run.wait_for(done, "done");
        run.signal(signal);
        run.end().exit(143).says("run again to resume");
    }
    resumes(&rig);
}

#[test]
fn the_first_signal_waits_for_answers_under_way_and_the_second_does_not() {
    let rig = rig();
    // The answer to this submission does not come before its call times out.
    rig.fault(0, FaultKind::TimeoutBefore);
    let mut run = rig.watch(&["--workers", "4", "--timeout", "50s"]);
    run.wait_for(3, "done");
    run.signal("INT");
    run.wait(1, |event| event["type"] == "stopping");
    // A signal of another kind, because the same one within a second counts as one request.
    run.signal("TERM");
    run.end().exit(130);
    let states = rig.states();
    assert_eq!(
        states["submitting"],
        [FIRST],
        "the ledger holds the intent, and no answer"
    );

    // The next run does not know what became of it, and does not guess.
    let run = rig
        .run(&["--settle", "100ms"])
        .exit(3)
        .says("1 held in doubt");
    assert!(
        run.err.contains("resolve SERVICE_ID --as WORD"),
        "{}",
        run.err
    );
    assert_eq!(rig.states()["in_doubt"], [FIRST]);
    assert_eq!(rig.record().services[&FIRST].submissions, 1);
}

#[test]
fn a_run_killed_in_the_middle_is_taken_up_by_the_same_command() {
    let rig = rig();
    // The answers to two submissions never come, and die with the process.
    rig.fault(0, FaultKind::TimeoutAfter);
    rig.fault(1, FaultKind::TimeoutBefore);
    let mut run = rig.watch(&["--workers", "6", "--timeout", "50s"]);
    run.wait_for(3, "done");
    let now = rig.call(&["status"]).exit(0);
    assert!(
        now.out.contains(&format!("process {}", run.pid())),
        "{}",
        now.out
    );
    run.signal("KILL");
    assert_eq!(run.end().code, -9);
    rig.call(&["status"]).exit(0).says_out("and died");

    // The first was wiped, and shows it in time; of the second nothing shows, and it is not sent again.
    let run = rig
        .run(&[])
        .exit(3)
        .says("1 held in doubt")
        .says("resolve --suggested");
    assert!(
        run.err.contains("resolve SERVICE_ID --as WORD"),
        "{}",
        run.err
    );
    let states = rig.states();
    assert_eq!(states["in_doubt"], [FIRST + 1]);
    assert_eq!(states["done"].len(), 11);
    assert_eq!(rig.record().services[&(FIRST + 1)].submissions, 1);
    rig.assert_truth(1);
    assert_eq!(rig.wiped(), [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);

    // The operator resolves the doubt; then everything is done.
    let second = (FIRST + 1).to_string();
    rig.call_once_settled(&[
        "resolve",
        &second,
        "--as",
        "requeue",
        "--reason",
        "its old image still runs",
    ])
    .exit(0)
    .says_out("1 job of batch 1 put back in the queue");
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1; 12]);
    rig.assert_truth(1);
}

#[test]
fn a_second_run_is_refused_while_the_first_works_and_says_who_that_is() {
    let rig = rig();
    let mut run = rig.watch(FOUR);
    run.wait_for(1, "in_progress");
    let second = rig
        .run(&[])
        .exit(75)
        .says("another process works on this queue")
        .says(&format!("process {} on ", run.pid()))
        .says(", since 20");
    assert!(second.err.contains(" status`"), "{}", second.err);
    // Beside a run, commands that only read work, and so do the operator's.
    rig.call(&["status"]).exit(0).says_out("running");
    rig.call(&["list"]).exit(0);
    run.end().exit(0);
    rig.assert_truth(1);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_run() {
    let rig = rig();
    let mut child = rig
        .order("fleet.csv", &["--events", "-", "-vv"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(0));
    rig.assert_truth(1);
    assert_eq!(rig.wiped(), [1; 12]);
}

#[test]
fn a_run_without_stdout_and_stderr_works() {
    let rig = rig();
    let run = rig.order("fleet.csv", &["--events", "-", "-v"]);
    let shell = wrapped(&["sh", "-c", "exec \"$0\" \"$@\" >&- 2>&- <&-"], &run);
    finish(shell).exit(0).said_nothing();
    assert_eq!(rig.wiped(), [1; 12]);
}

#[test]
fn an_outage_ends_the_run_fails_no_job_and_the_same_command_goes_on() {
    let rig = rig();
    let script = Script {
        call: None,
        skip: 20,
        times: 100_000,
        ..Script::next(Call::Submission, FaultKind::Unavailable)
    };
    rig.simulator.script(script);
    let run = rig.run(&[
        "--workers",
        "2",
        "--outage-timeout",
        "500ms",
        "--settle",
        "5s",
    ]);
    run.exit(4).says("nothing got through").says("run again");
    assert!(!rig.states().contains_key("failed"));
    rig.simulator.clear_scripts();
    let run = rig.run(FOUR);
    assert!(matches!(run.code, 0 | 3), "{}", run.err);
    rig.assert_truth(1);
}

#[test]
fn a_rebuild_that_ended_while_the_list_could_not_be_read_is_not_overdue_unseen() {
    let rig = rig();
    // After the first reading none succeeds until the rebuild timeout is over.
    rig.simulator.script(Script {
        skip: 1,
        times: 2,
        ..Script::next(Call::Instances, FaultKind::TimeoutBefore)
    });
    let run = rig.run(&[
        "--workers",
        "12",
        "--timeout",
        "900ms",
        "--rebuild-timeout",
        "1500ms",
    ]);
    run.exit(0).says("done 12");
    rig.assert_truth(1);
}

#[test]
fn rebuilds_that_were_not_waited_for_are_seen_through_by_the_next_run() {
    let rig = rig();
    rig.simulator.set(AccountChange {
        rebuild_duration_ms: Some(600),
        ..AccountChange::default()
    });
    rig.run(&["--no-wait", "--workers", "12"])
        .exit(0)
        .says("the next run sees them through");
    assert_eq!(rig.states()["in_progress"].len(), 12);
    assert_eq!(
        rig.record().calls.get(&Call::Instances),
        None,
        "no list is read"
    );
    let run = rig.run(&[]).exit(0);
    assert!(run.err.contains("done 12"), "{}", run.err);
    for service in services(12) {
        assert_eq!(rig.record().services[&service].submissions, 1);
    }
    rig.assert_truth(1);
}
