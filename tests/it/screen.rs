//! What `status`, `list`, `report` and the running display tell a person.

use std::fs;

use crate::rig::{Rig, Running, bare, finish};
use refleet::simulator::{Behaviour, FaultKind, InstanceChange, Outcome};
use serde_json::Value;

/// A run that was killed in the middle.
fn crashed(rig: &Rig, count: usize) {
    rig.fleet(count);
    let mut run = rig.watch(&["--workers", "2"]);
    run.wait_for(3, "done");
    run.signal("KILL");
    assert_eq!(run.end().code, -9);
}

// Field case E3.
#[test]
fn after_a_crash_status_knows_no_pace_and_says_what_to_do_next() {
    let rig = Rig::new(12);
    crashed(&rig, 12);
    let status = rig.call(&["status"]).exit(0);
    for absent in ["ETA", "\n  rate", "a minute"] {
        assert!(!status.out.contains(absent), "{absent}: {}", status.out);
    }
    let status = status
        .says_out("nothing works on this batch")
        .says_out("and died")
        .says_out("goes on with it");
    let json = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(json["running"], Value::Null);
    let progress = &json["progress"];
    assert!(progress["ended"].as_u64() >= Some(3), "{progress}");
    assert_eq!(progress["total"], 12);
    assert_eq!(progress["per_minute"], Value::Null);
    assert_eq!(progress["eta_s"], Value::Null);
    let next = json["next"].as_str().unwrap();
    assert!(status.out.contains(next), "{next}: {}", status.out);
    assert!(next.contains(" run --workers 2 "), "{next}");
}

// Field case E3.
#[test]
fn each_batch_has_its_own_process_and_the_others_are_named() {
    let rig = Rig::new(12);
    crashed(&rig, 6);
    // Another order, of the other services.
    let rows = crate::rig::manifest(12);
    let (header, rest) = rows.split_once('\n').unwrap();
    let second: Vec<&str> = rest.lines().skip(6).collect();
    rig.write("second.csv", format!("{header}\n{}\n", second.join("\n")));
    let args = crate::rig::quick("second.csv", &["--workers", "1", "--events", "-"]);
    rig.fault(6, FaultKind::TimeoutBefore);
    let mut run = Running::start(rig.refleet(&args));
    run.wait_for(1, "submitting");
    let pid = format!("process {}", run.pid());

    let second = rig.call(&["status"]).exit(0);
    assert!(
        second.out.contains(&format!("running      {pid}")),
        "{}",
        second.out
    );
    second
        .says_out("rate         –/min")
        .says_out("also open    batch 1 (");
    let first = rig.call(&["status", "--batch", "1"]).exit(0);
    let first = first
        .says_out("running      nothing works on this batch")
        .says_out(&format!("elsewhere    {pid}"))
        .says_out("works on batch 2")
        .says_out("also open    batch 2 (");
    // Two are open: the next step names the manifest.
    assert!(
        first.out.contains("/fleet.csv --") && first.out.contains("` goes on with it"),
        "{}",
        first.out
    );
    assert!(!first.out.contains("ETA"), "{}", first.out);
    run.signal("KILL");
    run.end();
}

// Field case E5.
#[test]
fn a_cancel_from_another_terminal_is_noticed_by_the_running_display() {
    let rig = Rig::new(6);
    rig.fault(0, FaultKind::TimeoutBefore);
    let mut run = rig.watch(&["--workers", "1", "--timeout", "20s"]);
    run.wait_for(1, "submitting");
    rig.call(&["cancel", "5113122", "5113123"]).exit(0);
    run.wait(1, |event| {
        event["type"] == "recounted" && event["counts"]["cancelled"] == 2
    });
    // Two signals of different kinds end it at once, and the display is left in order.
    run.signal("INT");
    run.wait(1, |event| event["type"] == "stopping");
    run.signal("TERM");
    let ended = run.end();
    assert!(
        ended.err.contains("another command changed the batch"),
        "{}",
        ended.err
    );
}

// Field cases E6 and E10.
#[test]
fn a_report_takes_its_format_from_the_files_name_and_confirms_it() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    let read = |name: &str| fs::read_to_string(rig.path(name)).unwrap();
    rig.call(&["report", "-o", "results.csv"])
        .exit(0)
        .says("3 jobs of batch 1 written to results.csv as CSV");
    assert!(read("results.csv").starts_with("line,service_id,image,"));
    rig.call(&["report", "-o", "RESULTS.JSON", "-q"])
        .exit(0)
        .said_nothing();
    assert!(read("RESULTS.JSON").starts_with('{'));
    rig.call(&["report", "-o", "report.html"])
        .exit(0)
        .says("3 jobs of batch 1 written to report.html as HTML");
    assert!(read("report.html").contains("<h1>All 3 rebuilt</h1>"));
    let page = rig.call(&["report", "--format", "html"]).exit(0).out;
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    for name in ["results.txt", "results", "results.xlsm"] {
        rig.call(&["report", "-o", name]).exit(2).says("--format");
        assert!(!rig.path(name).exists(), "{name}");
    }
    // An explicit `--format` counts more than the file's name.
    rig.call(&["report", "-o", "table.csv", "--format", "table"])
        .exit(0)
        .says("as a table");
    assert!(read("table.csv").contains("3 instances: 3 done"));
    let json = rig.call(&["report", "--json"]).exit(0).json();
    assert_eq!(json["results"].as_array().unwrap().len(), 3);
    rig.call(&["report", "-o", "-"])
        .exit(0)
        .says_out("3 instances: 3 done");
    assert!(!rig.path("-").exists());
}

// Field case E7.
#[test]
fn after_a_rehearsal_whoever_asks_for_results_is_told_where_they_are() {
    let rig = Rig::new(3);
    let refleet = |args: &[&str]| {
        let mut command = bare(rig.folder.path());
        command.args(args);
        finish(command)
    };
    refleet(&["run", "fleet.csv", "--simulate", "--yes"]).exit(0);
    for command in ["report", "status", "list"] {
        let said = refleet(&[command]).exit(2).says("simulation");
        let (_, hint) = said.err.split_once("--db ").expect(&said.err);
        let database = hint.lines().next().unwrap();
        assert!(database.ends_with("simulation.db"), "{hint}");
        refleet(&["--db", database, command]).exit(0);
    }
}

// Field case E9.
#[test]
fn instances_are_shown_by_name_and_address_and_with_what_they_took() {
    let rig = Rig::new(4);
    rig.fault(1, FaultKind::Error);
    let run = rig.run(&[]).exit(1);
    assert!(
        run.err
            .contains("service 5113120 (web-02, 127.66.0.2) line 3"),
        "{}",
        run.err
    );
    let list = rig.call(&["list"]).exit(0);
    let lines: Vec<&str> = list.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", list.out);
    for word in ["service", "name", "ip", "state", "executed", "took", "when"] {
        assert!(lines[0].contains(word), "{}", lines[0]);
    }
    assert!(
        lines[1].starts_with("5113119    web-01               127.66.0.1 "),
        "{}",
        lines[1]
    );
    rig.call(&["list", "--state", "queued"])
        .exit(0)
        .said_nothing();
    let took: Value = serde_json::from_str(
        rig.call(&["list", "--json"])
            .exit(0)
            .out
            .lines()
            .next()
            .unwrap(),
    )
    .unwrap();
    assert_eq!(
        (&took["name"], &took["ip"]),
        (&"web-01".into(), &"127.66.0.1".into())
    );
    assert!(took["took_ms"].as_u64().unwrap() >= 100, "{took}");
    let report = rig.call(&["report"]).exit(0);
    for word in ["name", "ip", "took", "web-04", "127.66.0.4"] {
        assert!(report.out.contains(word), "{word}: {}", report.out);
    }
    rig.call(&["show", "5113121"])
        .exit(0)
        .says_out("instance  web-03, 127.66.0.3")
        .says_out(", took ");
}

// Field case E10.
#[test]
fn small_words_are_right_too() {
    let rig = Rig::new(3);
    rig.doubt(0);
    rig.fault(1, FaultKind::Error);
    rig.run(&["--settle", "100ms"]).exit(3);
    for state in ["in-doubt", "In_Doubt", "IN DOUBT"] {
        rig.call(&["list", "--state", state])
            .exit(0)
            .says_out("5113119");
    }
    rig.call(&["list", "--state", "doubtful"])
        .exit(2)
        .says("in_doubt");
    let one = rig
        .call(&["retry", "--failed"])
        .exit(0)
        .says_out("1 job of batch 1 put back");
    assert!(one.out.contains("` works on it\n"), "{}", one.out);
    rig.call(&["cancel", "5113120"]).exit(0);
    let none = rig.call(&["retry", "--failed"]).exit(0);
    let nothing = "nothing was changed: no job of batch 1 has failed\n";
    assert_eq!(none.out, nothing);
    // An optional argument is shown as optional.
    let wrong = rig.call(&["run", "--again", "--skip-done"]).exit(2);
    assert!(
        wrong
            .err
            .contains("Usage: refleet run [OPTIONS] [MANIFEST]"),
        "{}",
        wrong.err
    );
}

/// The events, which say what the display does, and `status` tell the same of one moment: two rebuilds that do
/// not end let nothing move meanwhile.
#[test]
fn status_can_be_watched_and_tells_what_the_events_tell() {
    let rig = Rig::new(10);
    for nth in [2, 3] {
        let never = Behaviour {
            outcome: Some(Outcome::Never),
            ..Behaviour::default()
        };
        rig.next(nth, never);
    }
    let mut run = rig.watch(&["--workers", "2", "--rebuild-timeout", "1m"]);
    run.wait_for(1, "in_progress");
    let mut watch = Running::start(rig.refleet(&["status", "--watch", "--json"]));
    let is_told = |event: &Value| event["type"] == "progress" && event["ended"] == 2;
    run.wait(1, |event| is_told(event) && event["eta_s"].is_u64());
    let seen = rig.call(&["status", "--json"]).exit(0).json()["progress"].clone();
    let before: Value = serde_json::from_str(run.lines.last().unwrap()).unwrap();
    run.wait(1, is_told);
    let after: Value = serde_json::from_str(run.lines.last().unwrap()).unwrap();
    assert_eq!((&seen["ended"], &seen["total"]), (&2.into(), &10.into()));
    // What is told counts on, and the moment of `status` lies between the two.
    for (name, off_max) in [("per_minute", 1.0), ("eta_s", 2.0)] {
        let [before, seen, after] =
            [&before, &seen, &after].map(|told| told[name].as_f64().unwrap());
        let least = before.min(after) - off_max;
        let most = before.max(after) + off_max;
        assert!(
            (least..=most).contains(&seen),
            "{name}: {before} {seen} {after}"
        );
    }
    watch.wait(1, |status| status["progress"]["ended"] == 2);
    for nth in [2, 3] {
        let back = InstanceChange {
            status: Some("active".to_owned()),
            image: Some("AlmaLinux-8".to_owned()),
            ..InstanceChange::default()
        };
        rig.change(nth, &back);
    }
    run.end().exit(0);
    let watch = watch.end().exit(0);
    let seen: Vec<Value> = watch
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let ended: Vec<_> = seen
        .iter()
        .map(|status| &status["progress"]["ended"])
        .collect();
    assert!(ended.is_sorted_by_key(|ended| ended.as_u64()), "{ended:?}");
    let last = seen.last().unwrap();
    assert_eq!(last["running"], Value::Null);
    assert_eq!(last["progress"]["percent"], 100);
    // Of a batch on which nothing works it is said once.
    let once = rig.call(&["status", "--watch"]).exit(0);
    assert_eq!(once.out.matches("batch 1 ·").count(), 1, "{once}");
    once.says_out("  ended        10 (100%)");
}

/// Whoever follows the events reads there how far it is.
#[test]
fn the_last_word_on_how_far_a_run_is_is_said_when_it_ends() {
    let rig = Rig::new(3);
    let run = rig.run(&["--events", "-"]).exit(0);
    let events: Vec<Value> = run
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [.., progress, end] = &events[..] else {
        panic!("{run}");
    };
    assert_eq!(
        (&progress["type"], &end["type"]),
        (&"progress".into(), &"run_ended".into())
    );
    assert_eq!(
        (&progress["ended"], &progress["percent"]),
        (&3.into(), &100.into())
    );
}
