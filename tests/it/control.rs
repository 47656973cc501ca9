//! What an operator says from another terminal: `pause`, `go`, `set`, `drain`.

use std::ops::Range;
use std::time::Duration;

use crate::rig::{Ended, Rig, Running};
use refleet::simulator::{Behaviour, Call, CallRecord, FaultKind, InstanceChange, Outcome};
use refleet::time::now_ms;

const WHY: &[&str] = &["--reason", "the backup is running"];
const GO: &[&str] = &["go", "--reason", "the backup is done"];
const FOUR: &[&str] = &["--workers", "4"];

/// Forty services, of which four at a time are rebuilt in a fraction of a second.
fn rig() -> Rig {
    Rig::with(40, |config| {
        config.rebuild_duration = Duration::from_millis(200);
    })
}

fn pause(rig: &Rig) -> Ended {
    rig.call(&[&["pause"], WHY].concat())
}

/// Every instance was wiped once, and all is done.
fn is_all_done(rig: &Rig) {
    assert!(
        rig.wiped().iter().all(|&wiped| wiped == 1),
        "{:?}",
        rig.wiped()
    );
    assert_eq!(rig.states()["done"].len(), 40);
    rig.assert_truth(1);
}

/// Of all batches.
fn in_flight(rig: &Rig) -> usize {
    let flying = "SELECT id FROM job WHERE state = 'submitting' OR state = 'in_progress'";
    rig.sql(flying).len()
}

/// Waits until the run has seen through what is in flight, and waits.
fn wait_until_idle(rig: &Rig, run: &mut Running) {
    let ended = run.wait_until(|| in_flight(rig) == 0);
    assert_eq!(ended, None, "{}", run.said());
}

#[test]
fn after_pause_has_returned_nothing_is_sent_and_go_lets_the_same_run_go_on() {
    // The answers come late: some calls are under way whenever it is said.
    let rig = Rig::with(40, |config| {
        config.latency = Duration::from_millis(150);
        config.rebuild_duration = Duration::from_millis(100);
    });
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "submitting");
    pause(&rig).exit(0).says_out("batch 1 is paused");
    let sent = rig.submissions();
    assert!(
        !rig.states().contains_key("submitting"),
        "all of it is answered"
    );
    wait_until_idle(&rig, &mut run);
    let status = rig.call(&["status"]).exit(0);
    let status = status.says_out("paused").says_out("the backup is running");
    status.says_out("go --reason TEXT");
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["paused"]["reason"], "the backup is running");
    assert_eq!(status["said"][0]["kind"], "pause");
    assert_eq!(rig.submissions(), sent);
    rig.call(GO).exit(0).says_out("the run at work goes on");
    let ended = run.end().exit(0);
    let said = |kind: &str| ended.out.matches(&format!("\"kind\":\"{kind}\"")).count();
    assert_eq!((said("pause"), said("go")), (1, 1), "{}", ended.out);
    is_all_done(&rig);
    rig.call(GO)
        .exit(2)
        .says("batch 1 is not paused: nothing holds it");
}

#[test]
fn a_pause_waits_for_the_answers_and_ctrl_c_ends_the_waiting_alone() {
    let rig = rig();
    // The answer to this submission does not come before its call times out.
    rig.fault(0, FaultKind::TimeoutBefore);
    let mut run = rig.watch(&["--workers", "4", "--timeout", "50s"]);
    run.wait_for(3, "done");
    let mut waits = Running::start(rig.refleet(&[&["pause"], WHY].concat()));
    waits.wait_for_word("waiting for the answers to what was sent before (1 job)");
    waits.signal("INT");
    waits.end().exit(130).says("batch 1 stays paused");
    let ended = run.wait_until(|| in_flight(&rig) == 1);
    assert_eq!(ended, None);
    let sent = rig.submissions();
    // Who is asked to pause by a dying run's user is not left waiting.
    let mut waits = Running::start(rig.refleet(&[&["pause"], WHY].concat()));
    waits.wait_for_word("waiting for the answers");
    run.kill();
    waits.end().exit(0).says_out("is gone");
    assert_eq!(rig.submissions(), sent);
}

#[test]
fn a_run_that_is_started_while_its_batch_is_paused_touches_nothing() {
    let rig = rig();
    rig.load();
    pause(&rig).exit(0);
    let calls = rig.calls();
    rig.run(FOUR)
        .exit(6)
        .says("the batch is paused, by ")
        .says("the backup is running")
        .says("go --reason TEXT` lifts the pause");
    assert_eq!(rig.submissions(), 0);
    assert_eq!(rig.calls(), calls, "nobody is asked anything");
    rig.call(GO).exit(0).says_out("goes on with it");
    rig.run(FOUR).exit(0);
    is_all_done(&rig);
}

#[test]
fn a_crash_keeps_a_pause_and_what_was_in_flight() {
    let rig = rig();
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "done");
    pause(&rig).exit(0);
    run.kill();
    let sent = rig.submissions();
    rig.run(FOUR).exit(6).says("the batch is paused");
    assert_eq!(rig.submissions(), sent);
    rig.call(GO).exit(0);
    rig.run(FOUR).exit(0);
    is_all_done(&rig);
}

#[test]
fn what_a_run_was_sending_when_it_died_is_in_doubt_after_a_start_under_a_pause() {
    let rig = rig();
    rig.fault(0, FaultKind::TimeoutBefore);
    let mut run = rig.watch(&["--workers", "4", "--timeout", "50s"]);
    run.wait_for(3, "done");
    run.kill();
    pause(&rig).exit(0);
    let sending = rig.states().remove("submitting");
    assert!(sending.as_ref().is_some_and(|sending| !sending.is_empty()));
    rig.run(FOUR).exit(6);
    let states = rig.states();
    assert_eq!(states.get("in_doubt"), sending.as_ref());
    assert!(!states.contains_key("submitting"), "{states:?}");
    rig.call(GO).exit(0);
    rig.run(FOUR);
    assert!(rig.wiped().iter().all(|&wiped| wiped <= 1));
    rig.assert_truth(1);
}

#[test]
fn a_pause_that_dies_right_after_its_commit_is_a_pause() {
    let rig = rig();
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "done");
    for (failpoint, paused) in [("operate_before_commit", 0), ("operate_after_commit", 1)] {
        let mut dies = rig.refleet(&[&["pause"], WHY].concat());
        dies.env("REFLEET_FAILPOINT", failpoint);
        crate::rig::finish(dies).exit(-crate::rig::SIGABRT);
        let said = rig.sql("SELECT seq FROM control WHERE kind = 'pause'");
        assert_eq!(said.len(), paused, "{failpoint}");
    }
    wait_until_idle(&rig, &mut run);
    run.kill();
    rig.run(FOUR).exit(6);
    rig.call(GO).exit(0);
    rig.run(FOUR).exit(0);
    is_all_done(&rig);
}

#[test]
fn a_run_that_is_drained_ends_when_what_has_begun_has_ended() {
    let rig = rig();
    rig.load();
    for command in [&["drain"][..], &["set", "--workers", "2"]] {
        let kind = command[0];
        rig.call(command)
            .exit(2)
            .says("no run is at work on batch 1")
            .says(kind);
    }
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "done");
    rig.call(&["drain", "--reason", "the shift ends"]).exit(0);
    run.end()
        .exit(4)
        .says("the run was drained by ")
        .says("the shift ends");
    let states = rig.states();
    assert!(
        states
            .keys()
            .all(|state| ["done", "queued"].contains(&state.as_str())),
        "{states:?}"
    );
    assert!(states.contains_key("queued"));
    rig.run(FOUR).exit(0);
    is_all_done(&rig);
}

#[test]
fn limits_that_are_set_count_at_once_and_until_the_run_ends() {
    let rig = rig();
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "done");
    rig.call(&[
        "set",
        "--workers",
        "1",
        "--max-failures",
        "7",
        "--reason",
        "gently",
    ])
    .exit(0)
    .says_out("goes on with --workers 1 --max-failures 7");
    run.wait(1, |event| {
        event["type"] == "control" && event["workers"] == 1
    });
    let ended = run.wait_until(|| in_flight(&rig) <= 1);
    assert_eq!(ended, None, "{}", run.said());
    for _ in 0..20 {
        assert!(in_flight(&rig) <= 1);
    }
    let status = rig.call(&["status"]).exit(0);
    status
        .says_out("--workers 1 --max-failures 7, set for the run at work")
        .says_out("gently");
    rig.call(&["set", "--workers", "8"]).exit(0);
    let ended = run.wait_until(|| in_flight(&rig) > 4);
    assert_eq!(ended, None, "{}", run.said());
    run.end().exit(0);
    is_all_done(&rig);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["limits_set"], serde_json::json!({}));
    assert_eq!(status["said"][1]["limits"]["workers"], 1);
}

/// Who wants the brake must not believe that it is on.
#[test]
fn whoever_speaks_of_a_batch_on_which_nobody_works_is_told_of_the_other_one() {
    let rig = rig();
    rig.fleet(20);
    rig.load();
    let rest: Vec<String> = crate::rig::manifest(40)
        .lines()
        .map(str::to_owned)
        .collect();
    let rest = [&rest[..1], &rest[21..]].concat().join("\n");
    rig.write("rest.csv", rest);
    rig.call(&["load", "rest.csv", "-q"]).exit(0);
    // It is at work until it is told that these are back.
    (0..4).for_each(|nth| ends(&rig, nth, Outcome::Never));
    let mut run = rig.watch(FOUR);
    run.wait_for(4, "in_progress");
    rig.call(&["drain"])
        .exit(2)
        .says("the run at work is on batch 1, not on batch 2: say it with --batch 1");
    pause(&rig)
        .exit(0)
        .says("the run at work is on batch 1, and goes on: `refleet")
        .says("pause --batch 1 --reason TEXT` pauses it")
        .says_out("batch 2 is paused");
    rig.call(&["pause", "--batch", "1", "--reason", "this one"])
        .exit(0)
        .says_out("batch 1 is paused");
    (0..4).for_each(|nth| is_back(&rig, nth));
    wait_until_idle(&rig, &mut run);
    run.kill();
    rig.run(FOUR)
        .exit(6)
        .says("go --reason TEXT --batch 1` lifts the pause");
}

#[test]
fn the_ledger_keeps_who_said_it_and_lets_nobody_change_that() {
    let rig = rig();
    rig.load();
    let mut says = rig.refleet(&[&["pause"], WHY].concat());
    says.env("SUDO_USER", "anna");
    crate::rig::finish(says).exit(0);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    let by = status["paused"]["by"].as_str().unwrap();
    assert!(by.ends_with("(sudo by anna)"), "{by}");
    rig.call(&["verify"]).exit(0);
    rig.sql("DROP TRIGGER control_is_never_changed");
    rig.sql("UPDATE control SET body = '{\"kind\":\"go\"}'");
    rig.call(&["verify"])
        .exit(1)
        .says_out("operator's instruction 1 is not of the kind that it says");
    rig.sql("UPDATE control SET body = '{}'");
    rig.call(&["verify"])
        .exit(1)
        .says_out("operator's instruction 1 cannot be read");
}

/// The next rebuild of the `nth` instance ends otherwise than ordered, or never.
fn ends(rig: &Rig, nth: usize, outcome: Outcome) {
    rig.next(
        nth,
        Behaviour {
            outcome: Some(outcome),
            ..Behaviour::default()
        },
    );
}

/// The rebuild of the `nth` instance that had no end is over.
fn is_back(rig: &Rig, nth: usize) {
    let back = InstanceChange {
        status: Some("active".to_owned()),
        image: Some("AlmaLinux-8".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(nth, &back);
}

/// When each rebuild that was complete in the end began and ended, by the simulator's record.
fn spans(rig: &Rig) -> Vec<(i64, i64)> {
    let record = rig.record();
    let wipes = record.services.values().flat_map(|service| &service.wipes);
    wipes
        .filter_map(|wipe| wipe.completed_ms.map(|back| (wipe.at_ms, back)))
        .collect()
}

/// How many of these were under way at most when one of them began, of those that began within `when`.
fn most_at_once(spans: &[(i64, i64)], when: Range<i64>) -> usize {
    let begun = spans.iter().filter(|span| when.contains(&span.0));
    let at_once = begun.map(|(at, _)| {
        let under_way = |span: &&(i64, i64)| (span.0..span.1).contains(at);
        spans.iter().filter(under_way).count()
    });
    at_once.max().unwrap_or(0)
}

/// The shortest time in which five calls in a row arrived.
fn quickest_five_us(calls: &[CallRecord]) -> u64 {
    let fives = calls.windows(5);
    let took = fives.map(|five| five[4].at_us - five[0].at_us);
    took.min().expect("five calls")
}

/// Waits until the run has heard the next word of this kind.
#[track_caller]
fn wait_until_heard(run: &mut Running, kind: &str) {
    run.wait(1, |event| {
        event["type"] == "control" && event["kind"] == kind
    });
}

#[test]
fn a_rate_that_is_set_spaces_the_calls_of_the_run_at_work_and_0_lets_them_go_again() {
    // Five calls a second: five in a row take four times 200 ms. One of these is left to the machine.
    const SPACED_US: u64 = 600_000;
    const QUICK_US: u64 = 400_000;
    let rig = Rig::with(40, |config| {
        config.rebuild_duration = Duration::from_millis(300);
    });
    let calls = || rig.simulator.calls();
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "done");
    assert!(quickest_five_us(&calls()) < QUICK_US);

    rig.call(&["set", "--rate", "5"]).exit(0);
    wait_until_heard(&mut run, "set");
    // Of two readings of the list that arrive from now on, the second one was asked for under the new rate,
    // two of its intervals after the one before: by then all has arrived that was sent before.
    let heard = calls().len();
    let second = || {
        let all = calls();
        let later = all.iter().enumerate().skip(heard);
        let mut lists = later.filter(|(_, call)| call.call == Call::Instances);
        lists.nth(1).map(|(place, _)| place)
    };
    let ended = run.wait_until(|| second().is_some_and(|second| calls().len() >= second + 9));
    assert_eq!(ended, None, "{}", run.said());
    let spaced = calls().split_off(second().unwrap());
    let took_us = quickest_five_us(&spaced);
    assert!(took_us >= SPACED_US, "{took_us} us: {spaced:?}");

    rig.call(&["set", "--rate", "0"]).exit(0);
    wait_until_heard(&mut run, "set");
    let heard = calls().len();
    run.end().exit(0);
    assert!(quickest_five_us(&calls()[heard..]) < QUICK_US);
    is_all_done(&rig);
}

#[test]
fn a_failure_budget_that_is_set_halts_a_run_that_would_go_on() {
    let rig = rig();
    ends(&rig, 0, Outcome::Error);
    ends(&rig, 1, Outcome::Error);
    let mut run = rig.watch(FOUR);
    run.wait_for(2, "failed");
    run.wait_for(3, "done");
    rig.call(&["set", "--max-failures", "2"]).exit(0);
    run.end()
        .exit(6)
        .says("2 jobs failed or are in doubt, --max-failures allows 2");
    let states = rig.states();
    assert_eq!(states["failed"].len(), 2);
    assert!(states.contains_key("queued"), "{states:?}");
    assert!(!states.contains_key("submitting"), "{states:?}");
    rig.run(FOUR).exit(1);
    assert_eq!(rig.states()["done"].len(), 38);
    rig.assert_truth(1);
}

#[test]
fn a_larger_failure_budget_lets_a_run_go_on_that_had_nearly_used_up_its_own() {
    let rig = rig();
    for nth in [0, 1, 30, 35] {
        ends(&rig, nth, Outcome::Error);
    }
    let mut run = rig.watch(&["--workers", "4", "--max-failures", "3"]);
    run.wait_for(2, "failed");
    rig.call(&["set", "--max-failures", "50%"]).exit(0);
    wait_until_heard(&mut run, "set");
    let heard_ms = now_ms();
    run.end().exit(1);
    let states = rig.states();
    assert_eq!(
        (states["done"].len(), states["failed"].len()),
        (36, 4),
        "{states:?}"
    );
    // One more that failed was all that it could bear, so one at a time had to do.
    let most = most_at_once(&spans(&rig), heard_ms..i64::MAX);
    assert!((2..=4).contains(&most), "{most} at once");
    rig.assert_truth(1);
}

#[test]
fn what_was_said_to_a_run_that_is_killed_does_not_count_for_the_next_one() {
    let set = "set --workers 1 --max-failures 1 --rate 5";
    for said in ["drain", set] {
        let rig = rig();
        // It keeps the first run from ending, and its only worker busy.
        ends(&rig, 0, Outcome::Never);
        ends(&rig, 30, Outcome::Error);
        ends(&rig, 35, Outcome::Error);
        let mut run = rig.watch(FOUR);
        run.wait_for(4, "in_progress");
        let said: Vec<_> = said.split(' ').collect();
        rig.call(&said).exit(0);
        wait_until_heard(&mut run, said[0]);
        let ended = run.wait_until(|| in_flight(&rig) == 1);
        assert_eq!(ended, None, "{}", run.said());
        assert_eq!(run.kill(), -9, "it was at work");
        let left = rig.states()["queued"].len();
        assert!(left > 20, "{left}");
        is_back(&rig, 0);

        let (killed_ms, calls) = (now_ms(), rig.simulator.calls().len());
        rig.run(FOUR).exit(1);
        let states = rig.states();
        assert_eq!(
            (states["done"].len(), states["failed"].len()),
            (38, 2),
            "{states:?}"
        );
        assert_eq!(rig.wiped(), [1; 40]);
        let most = most_at_once(&spans(&rig), killed_ms..i64::MAX);
        assert!((2..=4).contains(&most), "{most} at once");
        assert!(quickest_five_us(&rig.simulator.calls()[calls..]) < 400_000);
        let shown = rig.call(&["status", "--json"]).exit(0).json();
        assert_eq!(shown["limits_set"], serde_json::json!({}));
    }
}

#[test]
fn never_more_are_rebuilt_at_once_than_the_workers_that_are_set_at_that_moment() {
    let rig = rig();
    let mut run = rig.watch(FOUR);
    run.wait_for(3, "done");
    rig.call(&["set", "--workers", "1"]).exit(0);
    wait_until_heard(&mut run, "set");
    // What had begun before is seen through.
    let ended = run.wait_until(|| in_flight(&rig) <= 1);
    assert_eq!(ended, None, "{}", run.said());
    let one_ms = now_ms();
    let begun = || {
        let spans = spans(&rig);
        spans.iter().filter(|span| span.0 > one_ms).count()
    };
    let ended = run.wait_until(|| begun() >= 3);
    assert_eq!(ended, None, "{}", run.said());
    let six_ms = now_ms();
    rig.call(&["set", "--workers", "6"]).exit(0);
    run.end().exit(0);
    let spans = spans(&rig);
    let most = [i64::MIN..one_ms, one_ms..six_ms, six_ms..i64::MAX];
    let most = most.map(|when| most_at_once(&spans, when));
    assert!(most[0] <= 4 && most[1] == 1, "{most:?}: {spans:?}");
    assert!((5..=6).contains(&most[2]), "{most:?}: {spans:?}");
    is_all_done(&rig);
}

/// Who lifts a pause has not looked at those that go first, and nor has a second one who has read of the same
/// pause.
#[test]
fn two_who_lift_the_same_pause_start_nothing_but_those_that_go_first() {
    let rig = Rig::new(5);
    let first = ["--canary", "1"];
    let go_twice = || {
        rig.call(GO).exit(0).says_out("is no longer paused");
        // The second one has read of the pause before the first word was written, and writes his after it.
        rig.sql(
            "INSERT INTO control (batch_id, run_id, kind, at_ms, operator, reason, body)
             SELECT batch_id, run_id, kind, at_ms, 'bert', reason, body FROM control
             WHERE seq = (SELECT max(seq) FROM control)",
        );
    };
    // While the first one is rebuilt, which takes as long as it is told to.
    ends(&rig, 0, Outcome::Never);
    let mut run = rig.watch(&first);
    run.wait_for(1, "in_progress");
    pause(&rig).exit(0);
    go_twice();
    run.wait(1, |event| {
        event["type"] == "control" && event["operator"] == "bert"
    });
    // Whatever it starts for that would have arrived before it has read the list so often.
    let readings = || rig.record().calls[&Call::Instances];
    let heard = readings();
    let ended = run.wait_until(|| readings() >= heard + 10);
    assert_eq!(ended, None, "{}", run.said());
    assert_eq!(rig.wiped(), [1, 0, 0, 0, 0]);
    run.kill();
    // And once it has failed, where no run is at work.
    let failed = InstanceChange {
        status: Some("error".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(0, &failed);
    rig.run(&first).exit(6).says("was to go first, and failed");
    pause(&rig).exit(0);
    go_twice();
    rig.run(&first).exit(6).says("was to go first, and failed");
    assert_eq!(rig.wiped(), [1, 0, 0, 0, 0]);
    rig.assert_truth(1);
}

#[test]
fn a_batch_that_has_ended_is_not_paused() {
    let rig = Rig::new(1);
    rig.run(&[]).exit(0);
    rig.call(&["pause", "--reason", "too late"])
        .exit(2)
        .says("batch 1 has ended");
    rig.call(GO).exit(2).says("is not paused");
}

/// Who has paused and drained a run has two things to take back.
#[test]
fn a_run_that_is_paused_and_drained_is_told_so_in_each_hint() {
    let rig = Rig::new(3);
    ends(&rig, 0, Outcome::Never);
    let mut command = rig.order("fleet.csv", &["--events", "-"]);
    command.args(["--workers", "1"]);
    let mut run = Running::start(command);
    run.wait_for(1, "in_progress");
    pause(&rig).exit(0);
    rig.call(&["drain"]).exit(0);
    rig.call(GO).exit(0).says_out("the run at work is drained");
    pause(&rig).exit(0);
    is_back(&rig, 0);
    run.end()
        .exit(4)
        .says("the batch is paused, too: `")
        .says(" go --reason TEXT` lifts that");
}
