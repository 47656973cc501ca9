//! What the monitors of a service are told.

use std::fs;
use std::time::Duration;

use super::{Hosts, end};
use crate::logs::lines;
use crate::monitors::{SECRET, told};
use crate::rig::{Manner, Receiver, Running, finish};
use crate::systemd::Listening;

#[test]
fn a_service_tells_that_it_is_alive_and_how_it_has_ended() {
    let Some(hosts) = Hosts::new(3) else {
        return;
    };
    hosts.begin(&["--workers", "1"]);
    let ping = Receiver::new(Manner::Answers(200));
    let metrics = hosts.rig.path("nightly.prom");
    let samples = || told::samples(&fs::read_to_string(&metrics).unwrap());
    let (url, path) = (ping.url(SECRET), metrics.to_str().unwrap());
    let mut service = hosts.work("web1", &["--ping", &url, "--metrics", path]);
    service.wait_for_word("nothing to do for account ");
    let ended = service.wait_until(|| !ping.told().is_empty() && metrics.exists());
    assert_eq!(ended, None, "{}", service.said());
    assert_eq!(samples().get("refleet_running"), Some(&1.0));
    // A check that was told of a start would wait for an end.
    assert_eq!(ping.told()[0].last(), "log");

    end(service);
    let pings = ping.told();
    assert_eq!(pings.len(), 2, "{pings:?}");
    assert_eq!(pings[1].last(), "143");
    assert_eq!(told::rid(&pings[0]), told::rid(&pings[1]));
    let samples = samples();
    for (series, value) in [
        ("refleet_last_exit_code", 143.0),
        ("refleet_running", 0.0),
        ("refleet_runs_total{exit_code=\"0\"}", 1.0),
        ("refleet_jobs{state=\"done\"}", 3.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{samples:?}");
    }
    assert!(samples["refleet_api_calls_total"] > 0.0, "{samples:?}");
}

#[test]
fn systemd_hears_of_a_service_when_it_serves_and_what_it_does() {
    let Some(hosts) = Hosts::new(3) else {
        return;
    };
    hosts.begin(&["--workers", "1"]);
    let mut systemd = Listening::new(&hosts.rig);
    let command = hosts.work_command("web1", &[]);
    let mut service = Running::start(systemd.started(command, Duration::from_mins(5)));
    let is_done = |systemd: &mut Listening| systemd.has_heard("STATUS=nothing to do for account ");
    let ended = service.wait_until(|| is_done(&mut systemd));
    assert_eq!(ended, None, "{}", service.said());
    assert!(systemd.has_heard("READY=1") && systemd.has_heard("WATCHDOG=1"));
    end(service);
    assert_eq!(systemd.heard().last().unwrap(), "STOPPING=1");

    // Whose login is refused never served anybody.
    let mut systemd = Listening::new(&hosts.rig);
    let mut command = hosts.work_command("web1", &[]);
    command.env("ZOMRO_PASSWORD", "Wrong-Password-1");
    finish(systemd.started(command, Duration::from_mins(5))).exit(7);
    assert!(!systemd.has_heard("READY=1"), "{:?}", systemd.heard());
}

#[test]
fn a_service_writes_json_and_each_line_of_a_run_says_of_which_batch() {
    let Some(hosts) = Hosts::new(3) else {
        return;
    };
    hosts.begin(&["--workers", "1"]);
    let mut command = hosts.work_command("web1", &["--log-format", "json"]);
    command.env("REFLEET_LOG_FORMAT", "text");
    let mut service = Running::start(command);
    service.wait_for_word("nothing to do for account ");
    let log = lines("a service", &end(service).err);
    let of_run =
        |line: &&serde_json::Value| !["note", "warning"].contains(&line["event"].as_str().unwrap());
    let of_run: Vec<_> = log.iter().filter(of_run).collect();
    assert!(
        of_run.iter().any(|line| line["event"] == "summary"),
        "{log:#?}"
    );
    for line in of_run {
        assert_eq!(
            (&line["batch"], &line["run"]),
            (&1.into(), &2.into()),
            "{line}"
        );
    }
}
