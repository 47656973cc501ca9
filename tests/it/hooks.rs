//! What follows each success: a command of the operator's, once, with what it needs and nothing more.

use std::fs;
use std::time::{Duration, Instant};

use refleet::failpoint;
use serde_json::Value;

use crate::rig::{Cluster, FIRST, PASSWORD, Rig, SIGABRT, finish};

/// Writes down that it was carried out, and for which service.
const COUNT: &str =
    "python3 -c 'import json,sys; print(json.load(sys.stdin)[\"service_id\"])' >> count";

/// For which services a command was carried out, in which order ever.
fn carried_out(rig: &Rig) -> Vec<i64> {
    let text = fs::read_to_string(rig.path("count")).unwrap_or_default();
    let mut services: Vec<i64> = text.lines().map(|line| line.parse().unwrap()).collect();
    services.sort_unstable();
    services
}

/// The hooks that have not ended well, with the state of each.
fn left(rig: &Rig) -> Vec<(i64, String)> {
    let listed = rig.call(&["hooks", "--format", "json"]).exit(0).json();
    let row = |row: &Value| {
        let state = row["hook"].as_str().unwrap().to_owned();
        (row["service_id"].as_i64().unwrap(), state)
    };
    listed["hooks"]
        .as_array()
        .unwrap()
        .iter()
        .map(row)
        .collect()
}

fn ids(count: i64) -> Vec<i64> {
    (FIRST..FIRST + count).collect()
}

/// Waits for what a command does after its refleet has died.
fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "it never comes");
        std::thread::yield_now();
    }
}

/// Passwords that the database still holds.
fn passwords(rig: &Rig) -> usize {
    rig.sql("SELECT job_id FROM secret").len()
}

#[test]
fn each_success_is_followed_by_its_command_and_its_password_stays_inside() {
    let rig = Rig::new(3);
    rig.fault(2, refleet::simulator::FaultKind::InstanceError);
    let command = "cat >> documents; cat <&$REFLEET_PASSWORD_FD >> passwords; env >> environment; \
        tr '\\0' ' ' < /proc/$$/cmdline >> arguments";
    rig.run(&["--on-done", command]).exit(1);
    let documents = fs::read_to_string(rig.path("documents")).unwrap();
    let mut documents: Vec<Value> = (documents.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    documents.sort_by_key(|document| document["line"].as_u64());
    assert_eq!(documents.len(), 2, "one that has failed has no success");
    let first = &documents[0];
    for (field, value) in [
        ("batch", Value::from(1)),
        ("service_id", FIRST.into()),
        ("line", 2.into()),
        ("ssh_port", 22.into()),
        ("image_name", "AlmaLinux-8".into()),
        ("evidence", "observed".into()),
        ("access", "password".into()),
        ("note", format!("row of {FIRST}").into()),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    assert!(first["ip"].is_string() && first["completed_at"].is_string());
    let given = fs::read_to_string(rig.path("passwords")).unwrap();
    let mut given: Vec<&str> = given.lines().collect();
    given.sort_unstable();
    let expected = ids(2).into_iter().map(|id| format!("{PASSWORD}-{id}"));
    assert_eq!(given, expected.collect::<Vec<_>>());
    let environment = fs::read_to_string(rig.path("environment")).unwrap();
    assert!(!environment.contains("ZOMRO_"), "{environment}");
    for file in ["documents", "environment", "arguments"] {
        assert!(
            !fs::read_to_string(rig.path(file))
                .unwrap()
                .contains(PASSWORD),
            "{file}"
        );
    }
    assert_eq!(passwords(&rig), 1, "that of the failed one");
    let csv = rig.call(&["report", "--format", "csv"]).exit(0).out;
    let last: Vec<&str> = csv
        .lines()
        .map(|line| line.rsplit(',').next().unwrap())
        .collect();
    assert_eq!(last, ["hook", "done", "done", ""]);
    assert_eq!(left(&rig), []);
    rig.call(&["verify"]).exit(0);
}

#[test]
fn a_hook_that_fails_changes_no_exit_code_and_keeps_its_password_until_it_is_given_up() {
    let rig = Rig::new(2);
    let command = format!("{COUNT}; echo \"it says $(cat <&3)\" >&2; exit 4");
    let ended = rig
        .run(&["--on-done", &command, "--hook-retries", "1"])
        .exit(0);
    let ended = ended.says("hooks: 2 failed").says("hooks retry --all");
    assert!(!ended.said().contains(PASSWORD));
    assert_eq!(carried_out(&rig), [FIRST, FIRST, FIRST + 1, FIRST + 1]);
    let failed = "failed".to_owned();
    assert_eq!(left(&rig), [(FIRST, failed.clone()), (FIRST + 1, failed)]);
    let listed = rig
        .call(&["hooks"])
        .exit(0)
        .says_out("exit code 4: it says ***");
    assert!(!listed.out.contains(PASSWORD));
    let shown = rig.call(&["show", &FIRST.to_string()]).exit(0);
    shown
        .says_out("hook ended: exit code 4")
        .says_out("hook      failed");
    assert_eq!(passwords(&rig), 2);
    rig.call(&["verify"]).exit(0);

    let (first, second) = (FIRST.to_string(), (FIRST + 1).to_string());
    rig.call(&["hooks", "retry", &first])
        .exit(1)
        .says("has failed");
    let repaired = ["hooks", "retry", &first, "--on-done", "cat > /dev/null"];
    rig.call(&repaired).exit(0).says_out("1 ended well");
    assert_eq!(passwords(&rig), 1);
    rig.call(&repaired)
        .exit(2)
        .says("is left alone: it has ended well");
    rig.call(&["hooks", "forget", &second])
        .exit(0)
        .says_out("1 hook of batch 1 given up");
    rig.call(&["hooks", "forget", &second])
        .exit(2)
        .says("is forgotten");
    rig.call(&["hooks", "retry", &second])
        .exit(2)
        .says("is left alone: it was given up");
    assert_eq!(passwords(&rig), 0);
    assert_eq!(left(&rig), [(FIRST + 1, "forgotten".to_owned())]);
    rig.call(&["verify"]).exit(0);
}

/// What was started before the death is never started again by itself; everything else is, once.
#[test]
fn a_hook_killed_at_any_step_is_carried_out_once_or_listed_for_a_retry() {
    for name in failpoint::OF_HOOKS {
        let rig = Rig::brisk(3, |_| {});
        let options = ["--on-done", COUNT, "--hook-workers", "1"];
        let mut first = rig.order("fleet.csv", &options);
        first.env("REFLEET_FAILPOINT", name);
        let ended = finish(first);
        assert_eq!(ended.code, -SIGABRT, "{name}: {}", ended.said());
        // The command goes on without the one that has started it.
        let is_started = ["hook_spawned", "hook_ended", "hook_recorded"].contains(&name);
        until(|| !is_started || !carried_out(&rig).is_empty());
        // The order remembers its command.
        rig.run(&[]).exit(0);
        let started = match name {
            "hook_before_claim" | "hook_recorded" => None,
            _ => Some(left(&rig).remove(0)),
        };
        let before = carried_out(&rig);
        match &started {
            None => assert_eq!(before, ids(3), "{name}"),
            Some((service, state)) => {
                assert_eq!(state, "started", "{name}");
                let others = before.iter().filter(|id| *id != service);
                assert_eq!(others.count(), 2, "{name}: {before:?}");
                rig.run(&[]).exit(0);
                assert_eq!(carried_out(&rig), before, "{name}: started by itself");
                rig.call(&["hooks", "retry", "--all"]).exit(0);
                let mut after = before.clone();
                after.push(*service);
                after.sort_unstable();
                assert_eq!(carried_out(&rig), after, "{name}");
            }
        }
        assert_eq!(left(&rig), [], "{name}");
        assert_eq!(passwords(&rig), 0, "{name}");
        rig.call(&["verify"]).exit(0);
        rig.assert_truth(1);
    }
}

#[test]
fn a_queue_on_a_server_has_hooks_like_one_in_a_file() {
    let Some(cluster) = Cluster::shared() else {
        return;
    };
    let rig = Rig::new(3).on_server(cluster);
    let failing = format!("{COUNT}; exit 1");
    let ended = rig.run(&["--on-done", &failing, "--hook-retries", "0"]);
    ended.exit(0).says("hooks: 3 failed");
    assert_eq!(carried_out(&rig), ids(3));
    let secrets = || rig.ask(cluster, "SELECT count(*) FROM refleet.secret");
    assert_eq!(secrets().trim(), "3");
    rig.call(&["verify"]).exit(0);
    let retry = ["hooks", "retry", "--failed", "--on-done", "cat > /dev/null"];
    rig.call(&retry).exit(0).says_out("3 ended well");
    assert_eq!(left(&rig), []);
    assert_eq!(secrets().trim(), "0");
    rig.call(&["verify"]).exit(0);
}

#[test]
fn no_hook_delays_a_rebuild_and_signals_leave_what_was_not_started() {
    let rig = Rig::new(4);
    let slow = format!("{COUNT}; sleep 600");
    let mut run = rig.watch(&["--on-done", &slow, "--hook-workers", "1", "--workers", "2"]);
    run.wait_for(4, "done");
    run.wait_until(|| carried_out(&rig).len() == 1);
    let slow = carried_out(&rig)[0];
    run.signal("INT");
    run.signal("TERM");
    run.end().says("1 cut off").says("3 not carried out yet");
    assert_eq!(carried_out(&rig), [slow]);
    let left: Vec<i64> = left(&rig).into_iter().map(|(service, _)| service).collect();
    assert_eq!(left, ids(4));
    rig.call(&["hooks"]).says_out("has died since");
    // What was never started, the next run carries out.
    rig.run(&["--on-done", COUNT]).exit(0).says("3 ended well");
    let mut expected = ids(4);
    assert_eq!(carried_out(&rig), expected);
    rig.call(&["hooks", "retry", "--all", "--on-done", COUNT])
        .exit(0);
    expected.push(slow);
    expected.sort_unstable();
    assert_eq!(carried_out(&rig), expected);
}

#[test]
fn the_next_order_of_a_run_waits_for_no_hook_and_the_run_for_all() {
    let rig = Rig::new(1);
    rig.load();
    let slow = format!("{COUNT}; while [ ! -e go ]; do sleep 0.01; done");
    let mut run = rig.watch(&["--on-done", &slow, "--every", "1ms"]);
    assert_eq!(run.wait_until(|| rig.wiped() == [2]), None);
    run.wait_until(|| carried_out(&rig).len() == 2);
    rig.write("go", "");
    let ended = run.end().exit(0).says("hooks: 1 go on");
    ended.says("hooks of batch 1: all have ended well");
    assert_eq!(carried_out(&rig), [FIRST, FIRST]);
    assert_eq!(left(&rig), []);
    assert_eq!(passwords(&rig), 0);
    rig.call(&["verify"]).exit(0);
}

#[test]
fn a_hook_that_takes_too_long_is_killed_and_fails() {
    let rig = Rig::new(1);
    let options = [
        "--on-done",
        "sleep 600",
        "--hook-timeout",
        "300ms",
        "--hook-retries",
        "0",
    ];
    rig.run(&options).exit(0).says("hooks: 1 failed");
    rig.call(&["hooks"]).exit(0).says_out("took too long");
}

#[test]
fn a_success_by_somebodys_word_is_one() {
    let rig = Rig::new(2);
    rig.doubt(0);
    rig.run(&["--on-done", COUNT]).exit(3);
    assert_eq!(carried_out(&rig), [FIRST + 1]);
    let word = [
        "resolve",
        "--all",
        "--as",
        "done",
        "--reason",
        "looked at it",
    ];
    rig.call(&word).exit(0);
    assert_eq!(left(&rig), [(FIRST, "pending".to_owned())]);
    assert_eq!(passwords(&rig), 1);
    rig.run(&[]).exit(0).says("1 ended well");
    assert_eq!(carried_out(&rig), ids(2));
    assert_eq!(passwords(&rig), 0);
}

#[test]
fn two_that_ask_for_a_hook_at_once_carry_it_out_once() {
    let rig = Rig::new(3);
    rig.run(&["--on-done", "exit 1", "--hook-retries", "0"])
        .exit(0);
    let both = rig.call(&[
        "hooks",
        "retry",
        "--all",
        "--on-done",
        "exit 1",
        "--hook-retries",
        "0",
    ]);
    both.exit(1);
    // Each waits until the other has begun, so that both ask for all of them.
    let slow = format!("{COUNT}; while [ ! -e go ]; do sleep 0.01; done");
    let retry = ["hooks", "retry", "--all", "--on-done", &slow];
    let mut first = crate::rig::Running::start(rig.refleet(&retry));
    first.wait_until(|| carried_out(&rig).len() == 3);
    rig.call(&retry)
        .exit(0)
        .says("is left alone: it is being carried out");
    rig.write("go", "");
    first.end().exit(0);
    assert_eq!(carried_out(&rig), ids(3));
}
