//! A monitor that is dead, slow or lying costs ten seconds at most, a line, and never another exit code.

use std::time::{Duration, Instant};

use super::{Monitored, SECRET, prepared};
use crate::rig::{Ended, Manner, Receiver, Running, finish};

/// All monitors together may take so long, and a busy machine is given some more.
const TOGETHER: Duration = Duration::from_secs(10);
const BUSY: Duration = Duration::from_secs(5);

/// The end of a run whose ping and webhook behave like this; its command takes `on_end`.
fn ended(manner: Manner, on_end: &str) -> (Ended, Monitored) {
    let mut monitored = prepared(|_| ());
    monitored.ping = Receiver::new(manner);
    monitored.notify = Receiver::new(manner);
    let mut command = monitored.order(&["-q"]);
    command.env("REFLEET_ON_END", on_end);
    let began = Instant::now();
    let ended = finish(command).exit(0);
    let took = began.elapsed();
    // The run itself takes about a second.
    assert!(took < TOGETHER + BUSY, "{manner:?}: {took:?}: {ended}");
    assert!(!ended.said().contains(SECRET), "{ended}");
    assert_eq!(
        monitored.sample("refleet_last_exit_code"),
        Some(0.0),
        "{ended}"
    );
    (ended, monitored)
}

/// What was said of the monitors.
fn warnings(ended: &Ended) -> Vec<&str> {
    let lines = ended.err.lines();
    lines
        .filter(|line| line.starts_with("warning: --"))
        .collect()
}

#[test]
fn monitors_that_hang_cost_ten_seconds_together_and_a_line_each() {
    // A child of the command's hangs with it, and ends with it.
    let on_end = "sleep 4711 > /dev/null 2>&1 & echo $! > child; wait";
    let (ended, monitored) = ended(Manner::Silent, on_end);
    let lines = warnings(&ended);
    assert_eq!(lines.len(), 3, "{ended}");
    for (line, option) in lines.iter().zip([
        "--ping http://127.0.0.1/…",
        "--notify http://127.0.0.1/…",
        "--on-end",
    ]) {
        assert!(line.starts_with(&format!("warning: {option}: ")), "{ended}");
    }
    let child = std::fs::read_to_string(monitored.rig.path("child")).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
    // Where nobody collects orphans it may stay a zombie.
    let is_gone = stat.map_or(true, |stat| stat.contains(") Z "));
    assert!(is_gone, "the command's child still runs");
}

#[test]
fn ctrl_c_ends_the_waiting_and_changes_no_code() {
    let mut monitored = prepared(|_| ());
    monitored.notify = Receiver::new(Manner::Silent);
    let mut command = monitored.order(&["-q"]);
    // What is empty is nobody. The others may not have been told yet.
    command.env("REFLEET_ON_END", "").env("REFLEET_PING", "");
    command.env_remove("REFLEET_METRICS");
    let mut run = Running::start(command);
    let ended = run.wait_until(|| !monitored.notify.told().is_empty());
    assert_eq!(ended, None, "{}", run.said());
    let began = Instant::now();
    run.signal("INT");
    let ended = run.end().exit(0);
    assert!(began.elapsed() < BUSY, "{ended}");
    let said = "warning: --notify http://127.0.0.1/…: it was not waited for: interrupted";
    assert_eq!(warnings(&ended), [said], "{ended}");
}

#[test]
fn monitors_that_answer_a_byte_a_second_are_not_waited_for() {
    let (ended, _) = ended(Manner::Drips, "true");
    assert_eq!(warnings(&ended).len(), 2, "{ended}");
}

#[test]
fn what_a_monitor_answers_is_not_believed_beyond_its_status() {
    for (manner, said) in [
        (Manner::Answers(500), Some("it answered 500")),
        (Manner::Answers(404), Some("it answered 404")),
        (
            Manner::Redirects,
            Some("it answered 307, which leads elsewhere"),
        ),
        (Manner::HangsUp, Some("connection closed")),
        (Manner::Endless, None),
        (Manner::Answers(204), None),
    ] {
        let (ended, monitored) = ended(manner, "exit 3");
        let lines = warnings(&ended);
        match said {
            Some(said) => {
                assert_eq!(lines.len(), 3, "{manner:?}: {ended}");
                assert!(
                    lines[..2].iter().all(|line| line.contains(said)),
                    "{manner:?}: {ended}"
                );
            }
            None => assert_eq!(lines.len(), 1, "{manner:?}: {ended}"),
        }
        assert_eq!(
            lines.last(),
            Some(&"warning: --on-end: it ended with exit code 3")
        );
        // Nobody was sent where they led to.
        assert_eq!(monitored.notify.told().len(), 1, "{manner:?}");
    }
}

#[test]
fn a_monitor_that_is_not_there_costs_a_line() {
    let monitored = prepared(|_| ());
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = unused.local_addr().unwrap().port();
    drop(unused);
    let mut command = monitored.order(&["-q"]);
    command.env(
        "REFLEET_PING",
        format!("http://me:{SECRET}@127.0.0.1:{port}/{SECRET}"),
    );
    let ended = finish(command).exit(0);
    assert_eq!(warnings(&ended).len(), 1, "{ended}");
    let line = warnings(&ended)[0];
    assert!(
        line.starts_with("warning: --ping http://127.0.0.1/…: "),
        "{ended}"
    );
    assert!(!ended.said().contains(SECRET), "{ended}");
}

#[test]
fn what_the_command_prints_goes_to_stderr_and_it_gets_no_secret() {
    let monitored = prepared(|_| ());
    let mut command = monitored.order(&["-q", "--events", "-"]);
    command.env("REFLEET_ON_END", "echo on-end-was-here; env");
    let ended = finish(command).exit(0).says("on-end-was-here");
    assert!(!ended.out.contains("on-end-was-here"), "{ended}");
    for secret in ["ZOMRO_", "REFLEET_PING", "REFLEET_NOTIFY="] {
        assert!(!ended.err.contains(secret), "{secret}: {ended}");
    }
}

/// From the moment on at which nothing can be written any more, what is there says otherwise.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_written_any_more_is_removed() {
    use crate::rig::wrapped;
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let monitored = prepared(|rig| rig.simulator.hold_submissions(0));
    let ignores = "trap '' XFSZ; exec \"$0\" \"$@\"";
    let command = wrapped(&["/bin/sh", "-c", ignores], &monitored.order(&[]));
    let mut run = Running::start(command);
    let ended = run.wait_until(|| monitored.metrics().exists() && monitored.rig.submissions() > 0);
    assert_eq!(ended, None, "{}", run.said());
    let pid = Pid::from_raw(run.pid().try_into().unwrap());
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    prlimit(pid, Resource::Fsize, none).unwrap();
    monitored.rig.simulator.release_submissions();
    let ended = run.end().exit(74);
    let ended = ended.says("--metrics").says("and the old one is removed");
    assert!(!monitored.metrics().exists(), "{ended}");
    assert_eq!(monitored.pings().last().unwrap().last(), "74");
}
