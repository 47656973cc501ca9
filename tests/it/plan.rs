//! A plan that somebody approved: what it says, and that a run does exactly that or nothing.

use refleet::simulator::{AccountChange, Call, FaultKind, InstanceChange, Script};
use serde_json::Value;
use sqlx::Row as _;

use crate::rig::{
    Ended, FIRST, IMAGE, OTHER_IMAGE, PASSWORD, QUICK, Rig, Running, finish, manifest, quick,
};

impl Rig {
    /// Writes the plan of the manifest to plan.json.
    fn plan(&self, more: &[&str]) -> Value {
        self.call(&[&["plan", "fleet.csv", "--out", "plan.json"], more].concat())
            .exit(0);
        let text = std::fs::read_to_string(self.path("plan.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// A run by the plan, without `--yes`.
    fn follow(&self, more: &[&str]) -> Ended {
        self.call(
            &[
                &["run", "fleet.csv", "--plan", "plan.json"],
                &pace()[..],
                more,
            ]
            .concat(),
        )
    }

    /// The run is refused with these words, nothing is queued and nothing is sent.
    fn refuses(&self, more: &[&str], words: &str) {
        self.follow(more)
            .exit(2)
            .says(words)
            .says("nothing was queued, nothing was sent");
        assert_eq!(self.submissions(), 0);
    }
}

/// The quick pace, without the options that a plan holds.
fn pace() -> Vec<&'static str> {
    let bounds = ["--workers", "--max-failures", "--rebuild-timeout"];
    let pairs = QUICK.chunks(2).filter(|pair| !bounds.contains(&pair[0]));
    pairs.flatten().copied().collect()
}

#[test]
fn a_plan_shows_what_will_be_lost_and_a_run_does_exactly_that() {
    let rig = Rig::new(3);
    rig.call(&["plan", "fleet.csv", "--out", "plan.json"])
        .exit(0)
        .says_out("CentOS-7")
        .says_out("AlmaLinux-8")
        .says_out("ALL DATA on 3 instances will be DESTROYED.")
        .says_out("It will take about")
        .says("run fleet.csv --plan plan.json");
    assert_eq!(rig.submissions(), 0);
    assert!(!rig.database().exists(), "a plan changes nothing");
    rig.follow(&[]).exit(0).says("done 3");
    assert_eq!(rig.wiped(), [1, 1, 1]);
    rig.assert_truth(1);
    // The same plan again orders nothing.
    rig.follow(&[]).exit(0).says("nothing to do");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

#[test]
fn a_plan_holds_what_stands_there_and_no_password() {
    let rig = Rig::new(2);
    let plan = rig.plan(&[]);
    assert_eq!(plan["rows"][0]["now"]["image"], "CentOS-7");
    assert_eq!(plan["rows"][0]["image_name"], "AlmaLinux-8");
    assert_eq!(plan["rows"][0]["sent"], "yes");
    assert_eq!(plan["options"]["workers"], 8);
    let text = std::fs::read_to_string(rig.path("plan.json")).unwrap();
    assert!(!text.contains(PASSWORD));
    let printed = rig
        .call(&["plan", "fleet.csv", "--format", "json"])
        .exit(0)
        .json();
    // When it starts counts from when it was looked at.
    let without = |plan: &Value| -> Vec<Value> {
        let mut rows = plan["rows"].as_array().unwrap().clone();
        for row in &mut rows {
            assert!(row["starts"]["about"].is_string(), "{row}");
            row["starts"] = Value::Null;
        }
        rows
    };
    assert_eq!(without(&printed), without(&plan));
}

#[test]
fn a_row_that_differs_refuses_the_plan() {
    let whole = manifest(3);
    let second = (FIRST + 1).to_string();
    let other_image = whole.replacen(IMAGE, OTHER_IMAGE, 1);
    let without: Vec<&str> = (whole.lines())
        .filter(|line| !line.starts_with(&second))
        .collect();
    let without = without.join("\n") + "\n";
    let more = manifest(4);
    for (sheet, words) in [
        (other_image, "line 2: service 5113119 is ordered otherwise"),
        (
            without,
            "service 5113120 is in the plan, and not in the sheet",
        ),
        (more, "line 5: service 5113122 is not in the plan"),
    ] {
        let rig = Rig::new(4);
        rig.fleet(3);
        rig.plan(&[]);
        rig.write("fleet.csv", sheet);
        rig.refuses(&[], words);
        assert!(!rig.database().exists() || rig.sql("SELECT id FROM batch").is_empty());
    }
}

#[test]
fn a_plan_that_is_old_cut_off_or_changed_is_refused() {
    let rig = Rig::new(2);
    rig.plan(&[]);
    rig.refuses(&["--plan-age", "0s"], "--plan-age allows 0s");
    let text = std::fs::read_to_string(rig.path("plan.json")).unwrap();
    for (content, words) in [
        (
            text.replace("CentOS-7", "CentOS-8"),
            "it was changed, or cut off",
        ),
        (
            text.replace("\"workers\": 8", "\"workers\": 80"),
            "it was changed, or cut off",
        ),
        (
            text[..text.len() / 2].to_owned(),
            "it is no plan of refleet",
        ),
        (String::new(), "it is no plan of refleet"),
        ("{}".to_owned(), "it is no plan of refleet"),
        ("\u{0}\u{1}".to_owned(), "it is no plan of refleet"),
    ] {
        rig.write("plan.json", content);
        rig.refuses(&[], words);
    }
    std::fs::remove_file(rig.path("plan.json")).unwrap();
    rig.refuses(&[], "cannot be read");
    // Another formatting is the same plan.
    let compact: Value = serde_json::from_str(&text).unwrap();
    rig.write("plan.json", compact.to_string());
    rig.follow(&[]).exit(0).says("done 2");
}

#[test]
fn a_plan_is_never_written_over_nor_written_to_a_stream() {
    let rig = Rig::new(1);
    rig.plan(&[]);
    let before = std::fs::read(rig.path("plan.json")).unwrap();
    rig.follow(&["--events", "plan.json"])
        .exit(2)
        .says("a plan")
        .says("name another file");
    assert_eq!(std::fs::read(rig.path("plan.json")).unwrap(), before);
    rig.call(&["run", "fleet.csv", "--plan", "~/plan.json"])
        .exit(2)
        .says("--plan")
        .says("write the whole path");
    rig.call(&["plan", "fleet.csv", "--out", "-"])
        .exit(2)
        .says("`--format json` prints it");
    assert!(!rig.path("-").exists());
    rig.follow(&[]).exit(0);
}

#[test]
fn a_plan_for_another_api_is_refused() {
    let rig = Rig::new(1);
    rig.plan(&[]);
    let plan = [
        "run",
        "fleet.csv",
        "--plan",
        "plan.json",
        "--simulate",
        "--db",
        "other.db",
    ];
    let mut command = rig.refleet(&plan);
    command.env_remove("REFLEET_API_URL");
    finish(command)
        .exit(2)
        .says("it was made for http://127.0.0.1");
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn options_that_bound_the_damage_come_from_the_plan() {
    let rig = Rig::new(2);
    let plan = rig.plan(&["--workers", "3", "--max-failures", "1"]);
    assert_eq!(plan["options"]["workers"], 3);
    assert_eq!(plan["options"]["max_failures"], "1");
    rig.refuses(
        &["--max-failures", "2"],
        "it holds --max-failures 1, and 2 is given",
    );
    rig.refuses(
        &["--rebuild-timeout", "10m"],
        "it holds --rebuild-timeout 1h, and 10m is given",
    );
    rig.follow(&["--rebuild-timeout", "60m"]).exit(0);
    let used = rig.sql("SELECT json_extract(options, '$.workers') FROM run");
    let used: i64 = sqlx::Row::get(&used[0], 0);
    assert_eq!(used, 3);
}

#[test]
fn an_instance_on_which_something_else_stands_by_then_is_left_alone() {
    for change in [
        InstanceChange {
            image: Some("Debian-12".to_owned()),
            ..InstanceChange::default()
        },
        InstanceChange {
            status: Some("stopped".to_owned()),
            ..InstanceChange::default()
        },
        InstanceChange {
            name: Some("another".to_owned()),
            ..InstanceChange::default()
        },
        InstanceChange {
            ip: Some("198.51.100.7".to_owned()),
            ..InstanceChange::default()
        },
    ] {
        let rig = Rig::new(60);
        rig.plan(&[]);
        rig.change(1, &change);
        rig.follow(&[]).exit(1).says("plan_mismatch");
        let wiped = rig.wiped();
        assert_eq!(wiped[1], 0, "{wiped:?}");
        assert_eq!(wiped.iter().sum::<u64>(), 59);
    }
}

#[test]
fn what_another_order_has_done_since_then_refuses_the_plan() {
    let rig = Rig::new(3);
    rig.plan(&[]);
    rig.write("one.csv", manifest(1));
    rig.call(&quick("one.csv", &[])).exit(0);
    rig.follow(&["--skip-done"])
        .exit(2)
        .says("it orders 3, and 2 would be ordered now");
    assert_eq!(rig.wiped(), [1, 0, 0]);
}

#[test]
fn a_plan_says_how_the_order_differs_from_the_last_one() {
    let rig = Rig::new(4);
    rig.fleet(3);
    rig.run(&[]).exit(0);
    let sheet = manifest(4);
    let mut lines: Vec<&str> = sheet.lines().collect();
    let changed = lines[2].replace(IMAGE, OTHER_IMAGE);
    lines[2] = &changed;
    lines.remove(1);
    rig.write("fleet.csv", lines.join("\n") + "\n");
    rig.call(&["plan", "fleet.csv", "--again"])
        .exit(0)
        .says_out("Compared with batch 1")
        .says_out(&format!("NEW in this order: 1 ({})", FIRST + 3))
        .says_out(&format!(
            "ANOTHER IMAGE than the last time: 1 ({})",
            FIRST + 1
        ))
        .says_out(&format!("NOT in this order any more: 1 ({FIRST})"))
        .says_out("as they took before");
}

#[test]
fn a_plan_under_another_account_is_refused_before_anything_is_queued() {
    let ours = Rig::new(2);
    let plan = ours.plan(&[]);
    assert_eq!(plan["account"]["id"], "70001");
    ours.simulator.set(AccountChange {
        account: Some("70002".to_owned()),
        ..AccountChange::default()
    });
    ours.follow(&[]).exit(2).says("70002");
    assert_eq!(ours.submissions(), 0);
    assert!(!ours.database().exists() || ours.sql("SELECT id FROM batch").is_empty());
}

#[test]
fn a_run_by_a_plan_that_was_killed_is_taken_up_by_the_same_command() {
    let rig = Rig::new(6);
    rig.plan(&["--workers", "2", "--max-failures", "100%"]);
    for _ in 0..2 {
        let mut command =
            rig.refleet(&["run", "fleet.csv", "--plan", "plan.json", "--events", "-"]);
        command.args(pace());
        let mut running = Running::start(command);
        running.wait_for(1, "done");
        running.kill();
    }
    // What was on the wire when it was killed may be held in doubt.
    let ended = rig.follow(&[]);
    assert!([0, 3].contains(&ended.code), "{ended}");
    let wiped = rig.wiped();
    assert!(wiped.iter().all(|count| *count <= 1), "{wiped:?}");
    rig.assert_truth(1);
}

#[test]
fn a_plan_is_no_word_on_an_open_batch_that_was_ordered_without_it() {
    let rig = Rig::new(2);
    rig.plan(&[]);
    rig.load();
    rig.follow(&[])
        .exit(2)
        .says("batch 1 of this manifest is open, and was not ordered by it");
    assert_eq!(rig.submissions(), 0);
    // Nor is one of another sheet.
    rig.write("other.csv", manifest(1));
    rig.call(&["plan", "other.csv", "--out", "plan.json", "--skip-done"]);
    rig.follow(&[]).exit(2);
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn a_plan_of_a_named_account_is_not_followed_where_the_api_names_nobody() {
    let ours = Rig::new(2);
    ours.plan(&[]);
    ours.simulator.set(AccountChange {
        account: Some(String::new()),
        ..AccountChange::default()
    });
    ours.follow(&[])
        .exit(2)
        .says("the API does not say whose this session is");
    assert_eq!(ours.submissions(), 0);
}

/// Not even the login is made at another address, be it one of the same machine.
#[test]
fn a_plan_is_for_the_address_that_it_was_made_for() {
    let ours = Rig::new(2);
    ours.plan(&[]);
    let other = Rig::new(2);
    let follow = ["run", "fleet.csv", "--plan", "plan.json", "--api-url"];
    let command = [&follow[..], &[other.simulator.url()], &pace()].concat();
    ours.call(&command)
        .exit(2)
        .says("it was made for http://127.0.0.1");
    assert_eq!(other.calls(), 0);
}

#[test]
fn what_the_list_did_not_show_when_the_plan_was_made_is_left_alone() {
    let rig = Rig::new(60);
    let hidden = InstanceChange {
        listed: Some(false),
        ..InstanceChange::default()
    };
    rig.change(3, &hidden);
    let plan = rig.plan(&[]);
    assert!(
        plan["rows"][3]["sent"]["not_now"].is_string(),
        "{}",
        plan["rows"][3]
    );
    rig.change(
        3,
        &InstanceChange {
            listed: Some(true),
            ..InstanceChange::default()
        },
    );
    rig.follow(&[]).exit(1).says("plan_mismatch");
    let wiped = rig.wiped();
    assert_eq!((wiped[3], wiped.iter().sum::<u64>()), (0, 59));
}

#[test]
fn a_plan_is_for_one_order() {
    let rig = Rig::new(2);
    rig.run(&[]).exit(0);
    // The same image once more: nothing that is compared differs after the order.
    rig.plan(&["--again"]);
    rig.follow(&["--again"]).exit(0).says("done 2");
    rig.follow(&["--again"])
        .exit(2)
        .says("since then batch 2 has submitted what it orders");
    assert_eq!(rig.wiped(), [2, 2]);
}

#[test]
fn an_order_by_a_plan_that_is_taken_up_is_not_followed_by_another_one() {
    let rig = Rig::new(4);
    rig.plan(&["--every", "1h", "--max-failures", "100%", "--workers", "1"]);
    let mut command = rig.refleet(&["run", "fleet.csv", "--plan", "plan.json", "--every", "1h"]);
    command.args(["--events", "-"]).args(pace());
    let mut running = Running::start(command);
    running.wait_for(1, "done");
    running.kill();
    let ended = rig.follow(&["--every", "1h"]);
    assert!([0, 3].contains(&ended.code), "{ended}");
    let wiped = rig.wiped();
    assert!(wiped.iter().all(|count| *count <= 1), "{wiped:?}");
}

#[test]
fn what_could_not_be_read_when_the_plan_was_made_is_not_sent() {
    let rig = Rig::new(20);
    let readable = |readable| InstanceChange {
        readable: Some(readable),
        ..InstanceChange::default()
    };
    rig.change(0, &readable(false));
    rig.call(&["plan", "fleet.csv", "--out", "plan.json", "--rate", "0"])
        .exit(0)
        .says_out("NOT SENT: 1 is not shown by the account's list")
        .says_out("ALL DATA on 19 instances will be DESTROYED.");
    rig.change(0, &readable(true));
    rig.follow(&[]).exit(1).says("plan_mismatch");
    let wiped = rig.wiped();
    assert_eq!((wiped[0], wiped.iter().sum::<u64>()), (0, 19));
}

#[test]
fn a_plan_says_with_which_options_it_is_followed() {
    let rig = Rig::new(1);
    let sheet = manifest(1).replacen('\n', ",my colour\n", 1);
    let row = sheet.trim_end().to_owned() + ",blue\n";
    rig.write("fleet.csv", row);
    rig.run(&[]).exit(0);
    let plan = ["plan", "fleet.csv", "--out", "plan.json", "--rate", "0"];
    for (options, words) in [
        (&["--again"][..], "--plan plan.json --again --rate 0` does"),
        (
            &["--every", "1ms"],
            "--plan plan.json --every 1ms --rate 0` does",
        ),
        (
            &["--again", "--wiped", "--ignore-column", "my colour"],
            "--plan plan.json --again --wiped --ignore-column 'my colour' --rate 0` does",
        ),
    ] {
        rig.call(&[&plan[..], options].concat()).exit(0).says(words);
    }
}

#[test]
fn what_is_no_file_or_of_another_version_is_no_plan() {
    let rig = Rig::new(1);
    let plan = rig.plan(&[]);
    let follow = |path| rig.call(&[&["run", "fleet.csv", "--plan", path], &pace()[..]].concat());
    // Neither is read: the one would be waited for, the other never ends.
    for path in ["/dev/zero", "."] {
        follow(path).exit(2).says("it is no file");
    }
    let mut other = plan;
    other["refleet_plan"] = 2.into();
    other["canary"] = 3.into();
    rig.write("other.json", other.to_string());
    follow("other.json").exit(2).says("it is of version 2");
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn a_plan_is_for_one_queue() {
    let rig = Rig::new(1);
    rig.plan(&[]);
    rig.follow(&["--db", "other.db"])
        .exit(2)
        .says("it was made for the queue in");
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn what_was_shown_as_not_sent_is_not_sent_even_when_it_comes_right() {
    let rig = Rig::new(60);
    let listed = rig.call(&["services", "--format", "csv"]).exit(0).out;
    let sheet: Vec<String> = listed
        .lines()
        .map(|line| line.replace(",,web", ",AlmaLinux-8,web"))
        .collect();
    let sheet = sheet.join("\n").replace(",web-05,", ",other,") + "\n";
    rig.write("fleet.csv", sheet);
    let plan = rig.plan(&[]);
    assert!(
        plan["rows"][4]["sent"]["not_now"].is_string(),
        "{}",
        plan["rows"][4]
    );
    rig.change(
        4,
        &InstanceChange {
            name: Some("other".to_owned()),
            ..InstanceChange::default()
        },
    );
    rig.follow(&[])
        .exit(1)
        .says("it was other than its row expects when that was shown");
    let wiped = rig.wiped();
    assert_eq!((wiped[4], wiped.iter().sum::<u64>()), (0, 59));
}

/// One answer never comes: how long that is waited for is an option of `plan`, too.
#[test]
fn a_plan_waits_no_longer_for_an_answer_than_it_is_told() {
    let rig = Rig::new(2);
    rig.simulator
        .script(Script::next(Call::Instances, FaultKind::TimeoutBefore));
    rig.call(&["plan", "fleet.csv", "--timeout", "200ms"])
        .exit(0)
        .says_out("ALL DATA on 2 instances");
}

#[test]
fn a_run_by_a_plan_takes_no_silence_for_a_proof_where_the_plan_says_so() {
    let rig = Rig::new(1);
    rig.plan(&["--no-requeue"]);
    rig.follow(&[]).exit(0);
    let runs = rig.sql("SELECT options ->> '$.no_requeue' FROM run");
    let kept: Vec<i64> = runs.iter().map(|run| run.get(0)).collect();
    assert_eq!(kept, [1]);
}

/// That more than a tenth is not in the list is known before anybody has waited for it.
#[test]
fn a_plan_says_when_its_run_would_halt_at_once() {
    let too_many = "MORE THAN A TENTH OF THE 6 IS MISSING";
    let rig = Rig::new(5);
    rig.fleet(6);
    let plan = rig.call(&["plan", "fleet.csv"]).exit(0);
    plan.says_out(too_many)
        .says_out("the run will halt before it sends");
    rig.run(&[])
        .exit(6)
        .says("1 of 6 services of the order are not in the account's list");
    assert_eq!(rig.submissions(), 0);

    let rig = Rig::new(10);
    rig.fleet(11);
    let plan = rig.call(&["plan", "fleet.csv", "--rate", "2"]).exit(0);
    assert!(!plan.out.contains("IS MISSING"), "{plan}");
    plan.says_out("NOT SENT: 1 is not in the account's list")
        .says_out("at most 2 calls a second");
    rig.run(&[]).exit(1);
}
