//! What systemd hears of a service that it has started (`Type=notify`).

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::rig::{LOGIN_PASSWORD, Rig, Running, USERNAME, finish};
use crate::storage::{OtherProgram, patient_rig};

/// A socket on which somebody listens as systemd does.
pub struct Listening {
    socket: UnixDatagram,
    path: std::path::PathBuf,
    heard: Vec<String>,
}

impl Listening {
    pub fn new(rig: &Rig) -> Self {
        let path = rig.path("notify");
        // Nobody listens to the one before any more.
        let _ = std::fs::remove_file(&path);
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        Self {
            socket,
            path,
            heard: Vec::new(),
        }
    }

    /// The same command, started as a service whose watchdog bites after so many seconds.
    pub fn started(&self, mut command: Command, watchdog: Duration) -> Command {
        command
            .env("NOTIFY_SOCKET", &self.path)
            .env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        command
    }

    /// Everything that was heard so far.
    pub fn heard(&mut self) -> &[String] {
        let mut message = [0; 4096];
        while let Ok(length) = self.socket.recv(&mut message) {
            let message = String::from_utf8(message[..length].to_vec()).unwrap();
            self.heard.push(message);
        }
        &self.heard
    }

    pub fn has_heard(&mut self, message: &str) -> bool {
        self.heard().iter().any(|heard| heard.contains(message))
    }

    fn count(&mut self, message: &str) -> usize {
        self.heard()
            .iter()
            .filter(|heard| *heard == message)
            .count()
    }
}

const LONG: Duration = Duration::from_mins(5);

#[test]
fn a_run_is_ready_when_it_works_and_says_how_far_it_is_and_that_it_stops() {
    let rig = Rig::new(3);
    let mut systemd = Listening::new(&rig);
    rig.simulator.hold_submissions(0);
    let mut run = Running::start(systemd.started(rig.order("fleet.csv", &[]), LONG));
    let ended = run.wait_until(|| rig.submissions() > 0 && systemd.has_heard("STATUS="));
    assert_eq!(ended, None, "{}", run.said());
    assert_eq!(systemd.heard()[0], "READY=1");
    assert!(
        systemd.has_heard("STATUS=0/3 ended"),
        "{:?}",
        systemd.heard()
    );
    assert!(systemd.has_heard("WATCHDOG=1"));
    run.signal("TERM");
    let ended = run.wait_until(|| systemd.has_heard("STOPPING=1"));
    assert_eq!(ended, None, "it says so before its calls are answered");
    rig.simulator.release_submissions();
    run.end().exit(143);
    assert_eq!(systemd.count("READY=1"), 1);
    assert_eq!(systemd.count("STOPPING=1"), 1);
}

#[test]
fn a_run_with_nothing_to_do_has_started_and_one_that_is_refused_has_not() {
    let rig = Rig::new(1);
    rig.run(&[]).exit(0);
    let mut systemd = Listening::new(&rig);
    let every = rig.order("fleet.csv", &["--every", "20h"]);
    finish(systemd.started(every, LONG)).exit(0);
    // systemd takes an end without this for a start that has failed.
    assert_eq!(systemd.heard(), ["READY=1", "STOPPING=1"]);

    let rig = Rig::new(1);
    let mut systemd = Listening::new(&rig);
    let refused = rig.order("missing.csv", &[]);
    finish(systemd.started(refused, LONG)).exit(2);
    assert!(!systemd.has_heard("READY=1"), "{:?}", systemd.heard());
    // What looks at a queue is no service.
    let looked = rig.refleet(&["check", "fleet.csv"]);
    let before = systemd.heard().len();
    finish(systemd.started(looked, LONG)).exit(0);
    assert_eq!(systemd.heard().len(), before);
}

#[test]
fn a_run_that_waits_goes_on_saying_that_it_is_alive_and_one_that_hangs_does_not() {
    let rig = patient_rig(2);
    let mut systemd = Listening::new(&rig);
    rig.simulator.hold_submissions(0);
    let watchdog = Duration::from_millis(600);
    let mut run = Running::start(systemd.started(rig.order("fleet.csv", &[]), watchdog));
    // Nothing happens meanwhile: the answers to calls are waited for.
    let ended = run.wait_until(|| systemd.count("WATCHDOG=1") > 4);
    assert_eq!(ended, None, "{}", run.said());
    // Another program holds the database, and the run hangs where it would write the answers down.
    let other = OtherProgram::holds(&rig);
    rig.simulator.release_submissions();
    let mut last = (systemd.count("WATCHDOG=1"), Instant::now());
    let ended = run.wait_until(|| {
        let count = systemd.count("WATCHDOG=1");
        if count != last.0 {
            last = (count, Instant::now());
        }
        last.1.elapsed() > watchdog
    });
    assert_eq!(ended, None, "{}", run.said());
    other.lets_go();
    let ended = run.wait_until(|| systemd.count("WATCHDOG=1") > last.0);
    assert_eq!(ended, None, "{}", run.said());
    run.end().exit(0);
}

#[test]
fn what_systemd_gave_to_the_service_no_command_of_its_gets() {
    let rig = Rig::new(1);
    let mut systemd = Listening::new(&rig);
    rig.write(
        "config.toml",
        format!(
            "[account.shop]\nusername = \"{USERNAME}\"\n\
             password_command = \"env > given; echo {LOGIN_PASSWORD}\"\n"
        ),
    );
    let mut command = rig.order("fleet.csv", &[]);
    command
        .env("PATH", "/usr/bin:/bin")
        .env("REFLEET_CONFIG", rig.path("config.toml"))
        .env_remove("ZOMRO_USERNAME")
        .env_remove("ZOMRO_PASSWORD");
    finish(systemd.started(command, LONG)).exit(0);
    assert!(systemd.has_heard("READY=1"));
    let given = std::fs::read_to_string(rig.path("given")).unwrap();
    assert!(given.contains("PATH="), "{given}");
    for name in ["NOTIFY_SOCKET", "WATCHDOG"] {
        assert!(!given.contains(name), "{given}");
    }
}
