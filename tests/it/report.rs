//! What a report says of a batch as a whole, from the real binary: as JSON, which the page equals.

use serde_json::{Value, json};

use crate::rig::{Ended, FIRST, Rig, finish, manifest};
use refleet::simulator::FaultKind;

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
        resume.err.contains("there is no terminal to ask on"),
        "{}",
        resume.err
    );
    let left = summary(&rig);
    assert_eq!(
        (&left["needs_you"], &left["counts"]["queued"]),
        (&json!(0), &json!(3))
    );
}

/// What holds a batch back stands in its report as in `status`: a `run` would only be refused.
#[test]
fn a_report_offers_what_lets_a_paused_batch_go_on() {
    let rig = Rig::new(2);
    rig.load();
    rig.call(&["pause", "--reason", "wait"]).exit(0);
    let next = |rig: &Rig| {
        let json = rig.call(&["report", "--format", "json"]).exit(0).out;
        let json: Value = serde_json::from_str(&json).unwrap();
        let needs = json["summary"]["needs"].as_array().unwrap().clone();
        let open = needs.iter().find(|need| need["kind"] == "unfinished");
        open.unwrap()["commands"][0].as_str().unwrap().to_owned()
    };
    let said = |rig: &Rig| {
        let json = rig.call(&["status", "--json"]).exit(0).out;
        let json: Value = serde_json::from_str(&json).unwrap();
        json["next"].as_str().unwrap().to_owned()
    };
    assert!(next(&rig).ends_with(" go --reason TEXT"), "{}", next(&rig));
    assert_eq!(next(&rig), said(&rig));
    rig.call(&["report", "-q", "-o", "report.html"]).exit(0);
    let page = std::fs::read_to_string(rig.path("report.html")).unwrap();
    assert!(page.contains("held back until somebody has looked"));
    assert!(page.contains("The command below lifts the pause."));
    rig.call(&["go", "--reason", "now"]).exit(0);
    assert!(next(&rig).ends_with(" run"), "{}", next(&rig));
    assert_eq!(next(&rig), said(&rig));
}
