//! What a report says of a batch as a whole, from the real binary: as JSON, which the page equals.

use serde_json::{Value, json};

use crate::rig::{Ended, FIRST, Rig, finish, manifest};
use crate::rollout::two_groups;
use crate::window::closed;
use refleet::simulator::{Behaviour, FaultKind, Outcome};

fn summary(rig: &Rig) -> Value {
    let mut report = rig.call(&["report", "--format", "json"]).exit(0).json();
    report["summary"].take()
}

/// Carries out a command as it stands in a report.
fn typed(rig: &Rig, command: &Value) -> Ended {
    let words: Vec<&str> = command.as_str().unwrap().split(' ').collect();
    assert_eq!(words[0], "refleet");
    let mut command = rig.refleet(&words[1..]);
    command
        .env_remove("REFLEET_DB")
        .env_remove("REFLEET_API_URL");
    finish(command)
}

#[test]
fn each_row_of_the_sheet_is_a_job_or_left_out() {
    let rig = Rig::new(3);
    rig.run(&[]).exit(0);
    let first = summary(&rig);
    assert_eq!(first["rows"]["all"], 3);
    assert_eq!(
        (&first["total"], &first["earlier"]),
        (&json!(3), &Value::Null)
    );

    rig.write("fleet.csv", manifest(5));
    rig.run(&["--skip-done"]);
    let second = summary(&rig);
    let expected = json!({"all": 5, "already_done": 3, "held_elsewhere": 0, "not_due": 0});
    assert_eq!(second["rows"], expected);
    let accounted =
        ["total", "rows_left_out", "rows_unaccounted"].map(|field| second[field].as_u64());
    assert_eq!(accounted, [2, 3, 0].map(Some));
}

#[test]
fn an_order_is_compared_with_the_one_of_the_same_manifest_before_it() {
    let rig = Rig::new(4);
    rig.fault(0, FaultKind::Error);
    rig.run(&[]).exit(1);
    // Of another file, and no measure.
    rig.write(
        "other.csv",
        format!(
            "service_id,image\n{},{}\n",
            FIRST + 3,
            crate::rig::OTHER_IMAGE
        ),
    );
    finish(rig.order("other.csv", &["--again"])).exit(0);
    rig.fault(1, FaultKind::Error);
    rig.run(&["--again"]).exit(1);
    let now = summary(&rig);
    assert_eq!(now["batch"], 3);
    let then = &now["earlier"];
    assert_eq!((&then["batch"], &then["total"]), (&json!(1), &json!(4)));
    assert_eq!(then["counts"]["failed"], 1);
    let troubled =
        ["troubled_both", "troubled_now_only", "recovered"].map(|field| then[field].as_u64());
    assert_eq!(troubled, [0, 1, 1].map(Some));
    assert!(then["median_ms"].as_u64() > Some(0), "{then}");
    assert_eq!(now["last_run"]["exit_code"], 1);
}

#[test]
fn the_commands_of_a_report_can_be_typed_as_they_stand() {
    let rig = Rig::new(5);
    rig.doubt(0);
    rig.fault(1, FaultKind::InstanceError);
    rig.fault(2, FaultKind::Error);
    rig.doubt(3);
    rig.run(&[]).exit(3);
    let needs = summary(&rig)["needs"].as_array().unwrap().clone();
    let kinds: Vec<&Value> = needs.iter().map(|need| &need["kind"]).collect();
    assert_eq!(kinds, ["doubt", "failed_touched", "failed_untouched"]);

    let doubts = &needs[0]["instances"];
    let show = typed(&rig, &doubts[0]["commands"][0]).exit(0);
    assert!(
        show.out.contains(&format!("service {FIRST}\n")),
        "{}",
        show.out
    );
    typed(&rig, &doubts[0]["commands"][1]).exit(0);
    typed(&rig, &doubts[1]["commands"][2]).exit(0);
    let wiped = &needs[1]["instances"][0];
    assert_eq!(wiped["service_id"], FIRST + 1);
    typed(&rig, &wiped["commands"][1]).exit(0);
    typed(&rig, &needs[2]["commands"][0]).exit(0);
    // The last one goes on with all that; here nobody can be asked.
    let resume = typed(&rig, &needs[2]["commands"][1]).exit(2);
    assert!(
        resume
            .err
            .contains("there is no terminal to ask on: batch 1 would go on\n"),
        "{}",
        resume.err
    );
    let left = summary(&rig);
    assert_eq!(
        (&left["needs_you"], &left["counts"]["queued"]),
        (&json!(0), &json!(3))
    );
}

/// What the report proposes for what has not ended, and whether it says that somebody has to look first.
/// That is what `status` proposes, and the page says the same.
fn proposed(rig: &Rig) -> (String, bool) {
    let needs = summary(rig)["needs"].as_array().unwrap().clone();
    let open = needs.iter().find(|need| need["kind"] == "unfinished");
    let next = open.unwrap()["commands"][0].as_str().unwrap().to_owned();
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["next"], next.as_str());
    rig.call(&["report", "-q", "-o", "report.html"]).exit(0);
    let page = std::fs::read_to_string(rig.path("report.html")).unwrap();
    (next, page.contains("held back until somebody has looked"))
}

/// What holds a batch back stands in its report as in `status`: a `run` would only be refused.
#[test]
fn a_report_offers_what_lets_a_paused_batch_go_on() {
    let rig = Rig::new(2);
    rig.load();
    rig.call(&["pause", "--reason", "wait"]).exit(0);
    let (next, is_held) = proposed(&rig);
    assert!(is_held && next.ends_with(" go --reason TEXT"), "{next}");
    let page = std::fs::read_to_string(rig.path("report.html")).unwrap();
    assert!(page.contains("The command below lifts the pause."));
    typed(&rig, &json!(next)).exit(0);
    let (next, is_held) = proposed(&rig);
    assert!(!is_held && next.ends_with(" run"), "{next}");
}

/// The first of an image ended in an error.
fn breaks(rig: &Rig) {
    let next = Behaviour {
        outcome: Some(Outcome::Error),
        ..Behaviour::default()
    };
    rig.next(0, next);
}

#[test]
fn a_report_offers_to_look_at_the_first_one_for_which_all_others_wait() {
    let rig = Rig::new(3);
    breaks(&rig);
    rig.run(&["--canary", "1"]).exit(6);
    let (next, is_held) = proposed(&rig);
    assert!(
        is_held && next.ends_with(&format!(" show {FIRST}")),
        "{next}"
    );
    typed(&rig, &json!(next))
        .exit(0)
        .says_out("go --canaries --reason TEXT");
    rig.call(&["go", "--canaries", "--reason", "a broken host"])
        .exit(0);
    let (next, is_held) = proposed(&rig);
    assert!(!is_held && next.contains(" run"), "{next}");
}

#[test]
fn a_report_offers_to_look_at_the_one_for_which_its_group_waits() {
    let rig = Rig::new(4);
    rig.write("fleet.csv", two_groups(4));
    breaks(&rig);
    rig.run(&[]).exit(6);
    let (next, is_held) = proposed(&rig);
    assert!(
        is_held && next.ends_with(&format!(" show {FIRST}")),
        "{next}"
    );
    typed(&rig, &json!(next))
        .exit(0)
        .says_out("--as done --reason TEXT");
    let first = FIRST.to_string();
    rig.call(&[
        "resolve",
        &first,
        "--as",
        "done",
        "--reason",
        "mended by hand",
    ])
    .exit(0);
    let (next, is_held) = proposed(&rig);
    assert!(!is_held && next.contains(" run"), "{next}");
}

/// A window opens by itself, and a run forgets the failures of the one before it: neither waits for a word.
#[test]
fn a_report_offers_a_run_where_only_the_window_or_the_budget_ended_one() {
    let rig = Rig::new(3);
    let hours = closed();
    rig.run(&["--window", &hours, "--timezone", "UTC"]).exit(5);
    let (next, is_held) = proposed(&rig);
    let with_window = format!(" --window {hours} --timezone UTC");
    assert!(!is_held && next.contains(&with_window), "{next}");

    let rig = Rig::new(3);
    rig.fault(0, FaultKind::Error);
    rig.run(&["--workers", "1", "--max-failures", "1"]).exit(6);
    let (next, is_held) = proposed(&rig);
    assert!(!is_held && next.contains(" --max-failures 1"), "{next}");
}

/// What somebody says on Monday takes nothing away from what happened on Friday night.
#[test]
fn the_timeline_tells_of_the_night_whatever_is_said_afterwards() {
    let rig = Rig::new(6);
    rig.fault(0, FaultKind::Error);
    rig.fault(1, FaultKind::InstanceError);
    rig.fault(2, FaultKind::InstanceError);
    rig.fault(3, FaultKind::InstanceError);
    rig.doubt(4);
    rig.run(&["--max-failures", "100%"]).exit(3);
    let night = |rig: &Rig| {
        let summary = summary(rig);
        ["timeline", "first_submitted_at", "last_completed_at"].map(|field| summary[field].clone())
    };
    let before = night(&rig);
    let sum = |of: &str| -> u64 {
        let of = before[0][of].as_array().unwrap().iter();
        of.map(|count| count.as_u64().unwrap()).sum()
    };
    assert_eq!((sum("submitted"), sum("done"), sum("failed")), (5, 1, 4));
    let id = |nth: i64| (FIRST + nth).to_string();
    rig.call(&["cancel", &id(0), &id(1)]).exit(0);
    rig.call(&["retry", "--wiped", &id(2)]).exit(0);
    for (nth, word) in [(3, "done"), (4, "failed")] {
        rig.call(&["resolve", &id(nth), "--as", word, "--reason", "looked"])
            .exit(0);
    }
    assert_eq!(night(&rig), before);
    // What is sent once more adds to it.
    rig.run(&[]).exit(1);
    let after = night(&rig);
    let done = after[0]["done"].as_array().unwrap().iter();
    assert_eq!(done.map(|count| count.as_u64().unwrap()).sum::<u64>(), 2);
    let failed = after[0]["failed"].as_array().unwrap().iter();
    assert_eq!(failed.map(|count| count.as_u64().unwrap()).sum::<u64>(), 4);
}
