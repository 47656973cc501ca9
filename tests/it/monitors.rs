//! Whoever watches over runs hears of every end, and hears the truth: Prometheus by a file, healthchecks by a
//! ping, a webhook, a command.

mod slow;
pub mod told;
mod words;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::rig::{Manner, Receiver, Rig, Running, Told, finish, wrapped};
use crate::window::closed;
use refleet::simulator::{Call, Fault, FaultKind, Script};

/// What stands in the addresses of the monitors, and nowhere else.
pub const SECRET: &str = "Xyzzy-Plover-42";

/// All monitors of one rig.
pub struct Monitored {
    pub rig: Rig,
    pub ping: Receiver,
    pub notify: Receiver,
}

impl Monitored {
    pub fn new(rig: Rig) -> Self {
        Self {
            rig,
            ping: Receiver::new(Manner::Answers(200)),
            notify: Receiver::new(Manner::Answers(200)),
        }
    }

    /// The same command, with all monitors in its environment.
    pub fn watched(&self, mut command: Command) -> Command {
        command
            .env("REFLEET_METRICS", self.metrics())
            .env("REFLEET_PING", self.ping.url(SECRET))
            .env("REFLEET_NOTIFY", self.notify.url(SECRET))
            .env("REFLEET_NOTIFY_WHEN", "always")
            .env(
                "REFLEET_ON_END",
                format!("cat > {}", self.rig.path("end.json").display()),
            );
        command
    }

    /// `run fleet.csv --yes` with all monitors.
    pub fn order(&self, more: &[&str]) -> Command {
        self.watched(self.rig.order("fleet.csv", more))
    }

    pub fn metrics(&self) -> PathBuf {
        self.rig.path("nightly.prom")
    }

    /// A sample of the metrics file; `None`: it is not there.
    pub fn sample(&self, series: &str) -> Option<f64> {
        let text = fs::read_to_string(self.metrics()).ok()?;
        told::samples(&text).get(series).copied()
    }

    /// The last pings, that of the end included.
    pub fn pings(&self) -> Vec<Told> {
        self.ping.told()
    }

    /// What the command was given.
    pub fn end(&self) -> Value {
        serde_json::from_slice(&fs::read(self.rig.path("end.json")).unwrap()).unwrap()
    }
}

/// A rig of three in which something happens before its run.
fn prepared(prepare: impl FnOnce(&Rig)) -> Monitored {
    let rig = Rig::new(3);
    prepare(&rig);
    Monitored::new(rig)
}

fn refusal() -> Fault {
    Fault {
        error_type: Some("value".to_owned()),
        message: Some("too simple".to_owned()),
        ..Fault::new(FaultKind::Error)
    }
}

fn forever(call: Call, kind: FaultKind) -> Script {
    Script {
        times: u64::MAX,
        ..Script::next(call, kind)
    }
}

/// One way in which a run ends, and the code of that.
fn check(name: &str, code: i32, monitored: &Monitored, command: Command) {
    let before = monitored.pings().len();
    let ended = finish(command);
    assert_eq!(ended.code, code, "{name}: {ended}");
    told::all_say(name, monitored, before, code);
    assert!(!ended.said().contains(SECRET), "{name}: {ended}");
    assert!(!ended.err.contains("warning: --"), "{name}: {ended}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of endings")]
fn every_exit_code_is_what_all_monitors_are_told() {
    let table: Vec<(i32, &str, Monitored, Vec<&str>)> = vec![
        (0, "all is done", prepared(|_| ()), vec![]),
        (
            1,
            "one was refused",
            prepared(|rig| rig.fault(0, refusal())),
            vec![],
        ),
        (
            2,
            "a bad manifest",
            prepared(|rig| rig.write("fleet.csv", "service_id,image\n5,nonsense\n")),
            vec![],
        ),
        (
            2,
            "what does not go together",
            prepared(|_| ()),
            vec!["--no-wait", "--canary", "1"],
        ),
        (
            2,
            "what clap refuses",
            prepared(|_| ()),
            vec!["--wrokers", "3"],
        ),
        (
            3,
            "a doubt",
            prepared(|rig| rig.doubt(0)),
            vec!["--settle", "100ms"],
        ),
        (
            4,
            "an outage",
            prepared(|rig| {
                rig.simulator
                    .script(forever(Call::Instances, FaultKind::Unavailable));
            }),
            vec!["--outage-timeout", "300ms"],
        ),
        (
            6,
            "the failure budget",
            prepared(|rig| rig.fault(0, refusal())),
            vec!["--max-failures", "1"],
        ),
        (
            8,
            "a blocked address",
            prepared(|rig| {
                rig.simulator
                    .script(forever(Call::Submission, FaultKind::Forbidden));
                rig.simulator
                    .script(forever(Call::Keepalive, FaultKind::Forbidden));
            }),
            vec![],
        ),
    ];
    for (code, name, monitored, more) in table {
        let command = monitored.order(&more);
        check(name, code, &monitored, command);
    }

    let monitored = prepared(|_| ());
    let hours = closed();
    let command = monitored.order(&["--window", &hours, "--timezone", "UTC"]);
    check("a closed window", 5, &monitored, command);

    let monitored = prepared(|_| ());
    let mut command = monitored.order(&[]);
    command.env("ZOMRO_PASSWORD", "Wrong-Password-1");
    check("a wrong password", 7, &monitored, command);

    let monitored = prepared(|_| ());
    let done = monitored.order(&["-q"]);
    check("all is done, quietly", 0, &monitored, done);
    let again = monitored.order(&["-q"]);
    check("nothing is due", 0, &monitored, again);
    let pings = monitored.pings();
    assert_eq!(
        pings.last().unwrap().last(),
        "0",
        "no start of what has not begun: {pings:?}"
    );
    assert_eq!(pings.len(), 3, "{pings:?}");

    // To a process that can write no larger file that is a full disk; the others are small.
    let monitored = Monitored::new(Rig::brisk(8, |_| {}));
    monitored.rig.load();
    let limit = "trap '' XFSZ; ulimit -f 224; exec \"$0\" \"$@\"";
    let command = wrapped(&["/bin/sh", "-c", limit], &monitored.order(&[]));
    check("a full disk", 74, &monitored, command);
}

#[cfg(any(debug_assertions, feature = "failpoints"))] // no other build has failpoints
#[test]
fn a_bug_is_told_wherever_it_happens() {
    // In a worker, and in the dispatcher.
    for place in ["before_send", "before_commit"] {
        let monitored = prepared(|_| ());
        let mut command = monitored.order(&[]);
        command.env("REFLEET_FAILPOINT", format!("panic@{place}"));
        check(place, 70, &monitored, command);
    }
}

#[test]
fn a_signal_is_told_and_who_finds_another_one_at_work_says_so() {
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 143)] {
        let monitored = prepared(|rig| rig.simulator.hold_submissions(0));
        let mut run = Running::start(monitored.order(&[]));
        let is_told = || monitored.metrics().exists() && !monitored.pings().is_empty();
        let ended = run.wait_until(|| monitored.rig.submissions() > 0 && is_told());
        assert_eq!(ended, None, "{}", run.said());
        assert_eq!(monitored.sample("refleet_running"), Some(1.0));
        assert_eq!(monitored.sample("refleet_last_exit_code"), None);
        let start = monitored.pings().pop().unwrap();
        assert_eq!(start.last(), "start");

        let before = monitored.pings().len();
        let second = finish(monitored.order(&[])).exit(75);
        told::all_say("another one works", &monitored, before, 75);
        assert_eq!(monitored.sample("refleet_running"), Some(1.0), "{second}");

        let before = monitored.pings().len();
        run.signal(signal);
        monitored.rig.simulator.release_submissions();
        let ended = run.end().exit(code);
        told::all_say(signal, &monitored, before, code);
        let end = monitored.pings().pop().unwrap();
        assert_eq!(told::rid(&start), told::rid(&end), "{ended}");
    }
}

#[test]
fn a_run_that_was_killed_is_told_by_the_next_one() {
    let monitored = prepared(|rig| rig.simulator.hold_submissions(0));
    let mut run = Running::start(monitored.order(&["--workers", "1"]));
    let is_told = || monitored.metrics().exists() && !monitored.pings().is_empty();
    let ended = run.wait_until(|| monitored.rig.submissions() > 0 && is_told());
    assert_eq!(ended, None, "{}", run.said());
    run.kill();
    monitored.rig.simulator.release_submissions();
    // What is there says no more than that it works; its age tells.
    assert_eq!(monitored.sample("refleet_running"), Some(1.0));
    assert!(!monitored.rig.path("end.json").exists());

    let before = monitored.pings().len();
    let next = finish(monitored.order(&[]));
    assert!(matches!(next.code, 0 | 3), "{next}");
    told::all_say("the next one", &monitored, before, next.code);
    assert_eq!(monitored.sample("refleet_previous_died"), Some(1.0));
    let end = monitored.end();
    assert_eq!(end["previous_died"], true, "{end}");
    assert_eq!(end["previous_exit_code"], Value::Null, "{end}");
    for ping in &monitored.pings()[before..] {
        assert!(ping.body.contains("never said how it ended"), "{ping:?}");
    }

    // The one after that has nothing to tell of it.
    let after = finish(monitored.order(&["--again"]));
    assert_eq!(
        monitored.sample("refleet_previous_died"),
        Some(0.0),
        "{after}"
    );
}

/// Where no run begins, no ledger tells of the one before: what that one has left behind does.
#[test]
fn metrics_that_were_left_behind_tell_of_a_run_that_was_killed() {
    let monitored = prepared(|_| ());
    let left = |written_ms: i64| {
        let seconds = written_ms / 1000;
        let sample = |name: &str, value: i64| {
            format!("# HELP {name} X.\n# TYPE {name} gauge\n{name}{{name=\"nightly\"}} {value}\n")
        };
        let running = sample("refleet_running", 1);
        let written = sample("refleet_written_timestamp_seconds", seconds);
        monitored.rig.write("nightly.prom", running + &written);
    };
    let now_ms = refleet::time::now_ms();
    for (written_ms, died) in [(now_ms - 3_600_000, true), (now_ms, false)] {
        left(written_ms);
        check(
            "refused",
            2,
            &monitored,
            monitored.order(&["--wrokers", "3"]),
        );
        let flag = f64::from(u8::from(died));
        assert_eq!(monitored.sample("refleet_previous_died"), Some(flag));
        assert_eq!(monitored.end()["previous_died"], died);
    }
}

#[test]
fn a_configuration_that_is_refused_is_told_to_whom_it_names() {
    let monitored = prepared(|_| ());
    let rig = &monitored.rig;
    let url = |receiver: &Receiver| receiver.url(SECRET);
    let account = format!(
        "[account.shop]\nmetrics = \"nightly.prom\"\nping = \"{}\"\nnotify = \"{}\"\n\
         notify_when = \"always\"\non-end = \"cat > {}\"\n",
        url(&monitored.ping),
        url(&monitored.notify),
        rig.path("end.json").display(),
    );
    let private = |content: &str| {
        use std::os::unix::fs::PermissionsExt as _;
        rig.write("config.toml", content);
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(rig.path("config.toml"), mode).unwrap();
    };
    let order = |more: &[&str]| {
        let mut command = rig.order("fleet.csv", more);
        command.env("REFLEET_CONFIG", rig.path("config.toml"));
        command
    };
    private(&account);
    check("a sound file", 0, &monitored, order(&[]));
    check(
        "what clap refuses",
        2,
        &monitored,
        order(&["--wrokers", "3"]),
    );
    for (name, fault) in [
        ("an unknown key", "wrokers = 3\n"),
        ("a value that is none", "workers = \"many\"\n"),
        ("no TOML", "workers = = 3\n"),
    ] {
        private(&format!("{account}{fault}"));
        check(name, 2, &monitored, order(&[]));
    }
    // A file that others may write could name any command, and any file to be written over.
    private(&format!("{account}wrokers = 3\n"));
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o622);
    fs::set_permissions(rig.path("config.toml"), open).unwrap();
    let before = monitored.pings().len();
    fs::remove_file(rig.path("end.json")).unwrap();
    finish(order(&[])).exit(2);
    assert_eq!(monitored.pings().len(), before);
    assert!(!rig.path("end.json").exists());
}

#[test]
fn a_rehearsal_tells_only_whom_it_was_told_to_tell() {
    let monitored = prepared(|_| ());
    let rehearse = |more: &[&str]| {
        let mut command = crate::rig::bare(monitored.rig.folder.path());
        command
            .args(["run", "fleet.csv", "--simulate", "--yes", "-q"])
            .args(more);
        monitored.watched(command)
    };
    finish(rehearse(&[])).exit(0);
    assert_eq!(monitored.pings().len() + monitored.notify.told().len(), 0);
    assert!(!monitored.metrics().exists() && !monitored.rig.path("end.json").exists());
    let url = monitored.ping.url(SECRET);
    finish(rehearse(&["--ping", &url])).exit(0);
    assert_eq!(
        monitored.pings().len(),
        1,
        "it has been rehearsed already: nothing begins"
    );
    assert!(!monitored.metrics().exists());
}

#[test]
fn an_address_that_is_none_is_refused_without_being_repeated_and_the_others_are_told() {
    let monitored = prepared(|_| ());
    let before = monitored.pings().len();
    let mut command = monitored.order(&["--notify", &format!("hooks.example/{SECRET}")]);
    command.env("REFLEET_NOTIFY_FORMAT", "slack");
    let ended = finish(command).exit(2).says("--notify");
    assert!(!ended.said().contains(SECRET), "{ended}");
    assert_eq!(monitored.pings()[before].last(), "2");
    assert_eq!(monitored.rig.calls(), 0);
    // Nor is a file written over that holds something else.
    let ended = finish(monitored.order(&["--metrics", "fleet.csv"])).exit(2);
    ended.says("--metrics: fleet.csv is a manifest");
    let sheet = fs::read_to_string(monitored.rig.path("fleet.csv")).unwrap();
    assert!(sheet.starts_with("service_id"), "{sheet}");
}
