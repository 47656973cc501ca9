//! `--log-format json`: whatever happens, stderr gets one JSON object a line, and nothing else.

use std::process::Command;

use serde_json::Value;

use crate::rig::{Ended, Rig, Running, finish, quick, wrapped};
#[cfg(target_os = "linux")]
use crate::rig::{Size, on_a_terminal};
use crate::window::closed;
use refleet::simulator::{Call, Fault, FaultKind, Script};

/// The lines of a log, each with what every line has.
#[track_caller]
pub fn lines(name: &str, log: &str) -> Vec<Value> {
    let levels = ["trace", "debug", "info", "warn", "error"];
    let line = |line: &str| -> Value {
        let value: Value = serde_json::from_str(line)
            .unwrap_or_else(|error| panic!("{name}: {error}: {line:?} in\n{log}"));
        let ts = value["ts"]
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {line}"));
        assert!(ts.len() == 24 && ts.ends_with('Z'), "{name}: {line}");
        let level = value["level"].as_str().unwrap_or_default();
        assert!(levels.contains(&level), "{name}: {line}");
        assert!(
            value["event"]
                .as_str()
                .is_some_and(|event| !event.is_empty()),
            "{name}: {line}"
        );
        let message = value["message"].as_str();
        assert!(
            message.is_some_and(|message| !message.is_empty()),
            "{name}: {line}"
        );
        value
    };
    log.lines().map(line).collect()
}

/// The log of a command that ended with `code`.
#[track_caller]
fn log_of(name: &str, code: i32, command: Command) -> Vec<Value> {
    let ended = in_json(command);
    assert_eq!(ended.code, code, "{name}: {ended}");
    lines(name, &ended.err)
}

fn in_json(mut command: Command) -> Ended {
    command.env("REFLEET_LOG_FORMAT", "json");
    finish(command)
}

fn all<'a>(log: &'a [Value], event: &str) -> Vec<&'a Value> {
    log.iter().filter(|line| line["event"] == event).collect()
}

#[track_caller]
fn only<'a>(log: &'a [Value], event: &str) -> &'a Value {
    let found = all(log, event);
    assert_eq!(found.len(), 1, "{event}: {log:#?}");
    found[0]
}

fn refusal() -> Fault {
    Fault {
        error_type: Some("value".to_owned()),
        message: Some("too simple: \u{202e}\u{1b}[2J".to_owned()),
        ..Fault::new(FaultKind::Error)
    }
}

fn forever(call: Call, kind: FaultKind) -> Script {
    Script {
        times: u64::MAX,
        ..Script::next(call, kind)
    }
}

/// What happens before the run.
type Prepare = fn(&Rig);

#[test]
fn every_end_of_a_run_is_one_line_with_its_exit_code() {
    let hours = closed();
    let table: Vec<(i32, &str, Prepare, Vec<&str>)> = vec![
        (0, "all is done", |_| (), vec!["-v"]),
        (1, "one was refused", |rig| rig.fault(0, refusal()), vec![]),
        (3, "a doubt", |rig| rig.doubt(0), vec!["--settle", "100ms"]),
        (
            4,
            "an outage",
            |rig| {
                let outage = forever(Call::Instances, FaultKind::Unavailable);
                rig.simulator.script(outage);
            },
            vec!["--outage-timeout", "300ms"],
        ),
        (
            5,
            "a window",
            |_| (),
            vec!["--window", &hours, "--timezone", "UTC"],
        ),
        (
            6,
            "the failure budget",
            |rig| rig.fault(0, refusal()),
            vec!["--max-failures", "1"],
        ),
        (
            8,
            "a blocked address",
            |rig| {
                for call in [Call::Submission, Call::Keepalive] {
                    rig.simulator.script(forever(call, FaultKind::Forbidden));
                }
            },
            vec![],
        ),
    ];
    for (code, name, prepare, more) in table {
        let rig = Rig::new(3);
        prepare(&rig);
        let log = log_of(name, code, rig.order("fleet.csv", &more));
        let summary = only(&log, "summary");
        assert_eq!(summary["exit_code"], code, "{name}: {summary}");
        assert_eq!((&summary["batch"], &summary["run"]), (&1.into(), &1.into()));
        assert_eq!(log.last(), Some(summary), "{name}");
        let needs_nobody = summary["level"] == "info";
        assert_eq!(needs_nobody, code == 0, "{name}: {summary}");
    }
}

#[test]
fn what_is_refused_before_a_run_is_an_error_with_its_exit_code_and_hints() {
    let rig = Rig::new(3);
    rig.write("bad.csv", "service_id,image\n5.1E+06,nonsense\n7,null\n");
    rig.write("taken", "");
    let mut no_login = rig.order("fleet.csv", &[]);
    no_login
        .env_remove("ZOMRO_USERNAME")
        .env_remove("ZOMRO_PASSWORD");
    let mut wrong_config = rig.refleet(&["status"]);
    wrong_config.env("REFLEET_CONFIG", "taken/config.toml");
    let cases: Vec<(&str, i32, Command)> = vec![
        ("a typo", 2, rig.order("fleet.csv", &["--wrokers", "3"])),
        (
            "no such value",
            2,
            rig.order("fleet.csv", &["--workers", "many"]),
        ),
        ("no command", 2, rig.refleet(&[])),
        ("a bad manifest", 2, rig.order("bad.csv", &[])),
        ("no manifest", 2, rig.order("missing.csv", &[])),
        ("nobody to ask", 2, rig.refleet(&["run", "fleet.csv"])),
        ("no database", 2, rig.refleet(&["show", "5113119"])),
        ("no credentials", 2, no_login),
        ("no configuration", 2, wrong_config),
        ("a file as a folder", 74, rig.refleet(&["man", "taken/man"])),
    ];
    for (name, code, command) in cases {
        let log = log_of(name, code, command);
        let errors = all(&log, "error");
        assert!(!errors.is_empty(), "{name}: {log:#?}");
        for error in errors {
            assert_eq!(
                (&error["level"], &error["exit_code"]),
                (&"error".into(), &code.into())
            );
        }
    }
    let log = log_of("nobody to ask", 2, rig.refleet(&["run", "fleet.csv"]));
    let error = only(&log, "error")["message"].as_str().unwrap();
    assert!(
        error.contains("with --log-format json nobody is asked"),
        "{error}"
    );
    let hint = only(&log, "hint")["message"].as_str().unwrap();
    assert!(hint.contains("--yes") && hint.contains("--plan"), "{hint}");
    // Each fault of a manifest is a line of its own, with its place.
    let log = log_of("a bad manifest", 2, rig.order("bad.csv", &[]));
    let places = all(&log, "error");
    assert!(places.len() > 1, "{log:#?}");
    assert!(
        places
            .iter()
            .all(|fault| fault["message"].as_str().unwrap().contains("bad.csv"))
    );
}

#[cfg(any(debug_assertions, feature = "failpoints"))] // no other build has failpoints
#[test]
fn a_bug_a_full_disk_a_signal_and_another_process_are_told_in_json_too() {
    let rig = Rig::new(3);
    let mut command = rig.order("fleet.csv", &[]);
    command.env("REFLEET_FAILPOINT", "panic@before_send");
    let log = log_of("a bug", 70, command);
    let bugs = all(&log, "error");
    let bug = bugs.iter().find(|line| {
        line["message"]
            .as_str()
            .unwrap()
            .contains("a bug in refleet")
    });
    assert_eq!(bug.unwrap()["exit_code"], 70);

    // To a process that can write no larger file that is a full disk.
    let rig = Rig::brisk(8, |_| {});
    rig.load();
    let limit = "trap '' XFSZ; ulimit -f 224; exec \"$0\" \"$@\"";
    let mut order = rig.order("fleet.csv", &[]);
    order.env("REFLEET_LOG_FORMAT", "json");
    let ended = finish(wrapped(&["/bin/sh", "-c", limit], &order)).exit(74);
    lines("a full disk", &ended.err);

    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let rig = Rig::new(3);
        rig.simulator.hold_submissions(0);
        let mut order = rig.order("fleet.csv", &[]);
        order.env("REFLEET_LOG_FORMAT", "json");
        let mut run = Running::start(order);
        assert_eq!(
            run.wait_until(|| rig.submissions() > 0),
            None,
            "{}",
            run.said()
        );
        let second = log_of("another one", 75, rig.order("fleet.csv", &[]));
        assert_eq!(only(&second, "error")["exit_code"], 75);
        run.signal(signal);
        rig.simulator.release_submissions();
        let ended = run.end().exit(code);
        let log = lines(signal, &ended.err);
        assert_eq!(only(&log, "summary")["exit_code"], code);
    }
}

#[test]
fn a_job_is_logged_with_the_numbers_of_the_ledger() {
    let rig = Rig::new(3);
    rig.fault(1, refusal());
    let log = log_of("a run", 1, rig.order("fleet.csv", &["-v"]));
    let begun = only(&log, "run_started");
    assert_eq!((&begun["batch"], &begun["run"]), (&1.into(), &1.into()));
    let jobs = all(&log, "job");
    for line in &jobs {
        assert_eq!(
            (&line["batch"], &line["run"]),
            (&1.into(), &1.into()),
            "{line}"
        );
    }
    let failed = jobs.iter().find(|line| line["to"] == "failed").unwrap();
    assert_eq!(failed["level"], "error");
    // The numbers are those of the tables, and what the API says arrives whole and harmless.
    let row = rig.sql("SELECT id, service_id, attempt FROM job WHERE state = 'failed'");
    let of_row = |name: &str| sqlx::Row::get::<i64, _>(&row[0], name);
    assert_eq!(failed["job"], of_row("id"));
    assert_eq!(failed["service"], of_row("service_id"));
    assert_eq!(failed["attempt"], of_row("attempt"));
    assert!(
        failed["error"].as_str().unwrap().contains("too simple"),
        "{failed}"
    );
    let summary = only(&log, "summary");
    assert_eq!(summary["counts"]["done"], 2, "{summary}");
    assert_eq!(summary["causes"][0]["kind"], "value", "{summary}");
    let commands = summary["next"][0]["commands"].as_array().unwrap();
    assert!(
        commands
            .iter()
            .all(|command| command.as_str().unwrap().starts_with("refleet"))
    );
}

#[test]
fn every_other_command_and_the_log_of_the_wire_keep_to_it() {
    let rig = Rig::new(3);
    rig.load();
    let wire = log_of("the wire", 0, rig.order("fleet.csv", &["-vvv"]));
    let traces = all(&wire, "trace");
    assert!(!traces.is_empty());
    assert!(
        traces.iter().all(|line| line["target"].is_string()),
        "{traces:#?}"
    );
    for (args, code) in [
        (&["status"][..], 0),
        (&["list", "--state", "done"], 0),
        (&["report"], 0),
        (&["report", "--output", "results.csv"], 0),
        (&["check", "fleet.csv"], 0),
        (&["plan", "fleet.csv", "--again", "--out", "plan.json"], 0),
        (&["services", "--rate", "0", "--output", "new.csv"], 0),
        (&["verify"], 0),
        (&["retry", "--failed"], 0),
        (&["resolve", "--all", "--as", "done", "--reason", "x"], 0),
        (&["pause", "--reason", "x"], 2),
        (&["adopt", "--reason", "x"], 2),
        (&["config", "show"], 0),
    ] {
        let ended = in_json(rig.refleet(args));
        let name = args.join(" ");
        assert_eq!(ended.code, code, "{name}: {ended}");
        lines(&name, &ended.err);
    }
    // What was asked for goes to stdout, as it is.
    let help = in_json(rig.refleet(&["status", "--help"])).exit(0);
    assert!(
        help.out.starts_with("Show how far") && help.err.is_empty(),
        "{help}"
    );
}

#[test]
fn what_a_command_that_prints_a_secret_says_is_a_line_of_ours() {
    let rig = Rig::new(1);
    let password = crate::rig::LOGIN_PASSWORD;
    rig.write(
        "config.toml",
        format!(
            "[account.shop]\nusername = \"{}\"\npassword_command = \"echo unlocking >&2; echo {password}\"\n",
            crate::rig::USERNAME
        ),
    );
    let mut command = rig.refleet(&quick("fleet.csv", &["--log-format", "json"]));
    command
        .env("PATH", "/usr/bin:/bin")
        .env("REFLEET_CONFIG", rig.path("config.toml"))
        .env_remove("ZOMRO_USERNAME")
        .env_remove("ZOMRO_PASSWORD");
    let ended = finish(command).exit(0);
    let log = lines("a command", &ended.err);
    assert_eq!(only(&log, "command")["message"], "unlocking");
    assert!(!ended.err.contains(password), "{ended}");
}

#[test]
fn what_a_monitor_has_to_say_is_a_line_too() {
    let rig = Rig::new(1);
    let mut command = rig.order("fleet.csv", &["--ping", "http://127.0.0.1:9/check"]);
    command.env("PATH", "/usr/bin:/bin").env(
        "REFLEET_ON_END",
        "echo to stdout; echo to stderr >&2; printf unended; exit 3",
    );
    let log = log_of("monitors", 0, command);
    let said = all(&log, "command");
    let mut said: Vec<&str> = said
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    said.sort_unstable();
    assert_eq!(said, ["to stderr", "to stdout", "unended"]);
    // One that is not there, and one that failed.
    assert_eq!(all(&log, "warning").len(), 2, "{log:#?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_neither_a_bar_nor_a_question() {
    let rig = Rig::new(3);
    let mut ask = rig.refleet(&["run", "fleet.csv"]);
    ask.env("REFLEET_LOG_FORMAT", "json");
    let (code, said) = on_a_terminal(ask, Size::WIDE, &[]);
    assert_eq!(code, 2, "{said}");
    lines("a question", &said);
    let mut run = rig.order("fleet.csv", &[]);
    run.env("REFLEET_LOG_FORMAT", "json");
    let (code, said) = on_a_terminal(run, Size::USUAL, &[]);
    assert_eq!(code, 0, "{said}");
    only(&lines("a run", &said), "summary");
}
