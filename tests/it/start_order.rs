//! In which order instances start, as whoever works with the binary sees it.

use crate::rig::{FIRST, Rig, manifest};
use serde_json::Value;

/// Eight instances on pages of two, in a sheet that begins at the list's end.
fn turned() -> Rig {
    let rig = Rig::with(8, |config| config.page_size = 2);
    let sheet = manifest(8);
    let mut lines: Vec<&str> = sheet.lines().collect();
    lines[1..].reverse();
    rig.write("fleet.csv", lines.join("\n") + "\n");
    rig
}

/// The services that were submitted, in that order.
fn submitted(events: &str) -> Vec<i64> {
    let events = events
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let submitted = events.filter(|event: &Value| event["to"] == "submitting");
    submitted
        .map(|event| event["service"].as_i64().unwrap())
        .collect()
}

#[test]
fn the_plan_and_the_run_say_the_order_in_which_instances_start() {
    let rig = turned();
    let one = ["--workers", "1", "--order", "list"];
    rig.call(&[&["plan", "fleet.csv"][..], &one].concat())
        .exit(0)
        .says_out("Start order: that of the account's list");
    let run = rig.run(&[&one[..], &["--events", "events"]].concat());
    run.exit(0).says("start order: that of the account's list");
    let events = std::fs::read_to_string(rig.path("events")).unwrap();
    assert!(
        events.contains(r#""type":"start_order","list_after":0"#),
        "{events}"
    );
    let order = submitted(&events);
    let pages: Vec<i64> = order.iter().map(|service| (service - FIRST) / 2).collect();
    assert_eq!(pages, [0, 0, 1, 1, 2, 2, 3, 3], "{order:?}");
    rig.assert_truth(1);
}

#[test]
fn whoever_says_nothing_gets_the_sheets_order_where_that_costs_little() {
    let rig = turned();
    let run = rig.run(&["--workers", "1", "--events", "events"]).exit(0);
    assert!(!run.err.contains("start order"), "{run}");
    let events = std::fs::read_to_string(rig.path("events")).unwrap();
    let turned: Vec<i64> = (FIRST..FIRST + 8).rev().collect();
    // The first wave takes whoever of its one has been read first.
    assert_eq!(submitted(&events), turned);
}

#[test]
fn an_order_that_nobody_knows_is_a_wrong_option() {
    let rig = Rig::new(1);
    rig.run(&["--order", "lists"])
        .exit(2)
        .says("expected `auto`, `manifest` or `list`");
}
