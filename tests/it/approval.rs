//! What whoever approves a plan reads, and how one goes on from it: the plan that was written, the lines
//! that say what will not start, the hints that are typed next.

use std::fs;

use refleet::simulator::{AccountChange, Behaviour, Fault, FaultKind, InstanceChange, Outcome};
use serde_json::Value;

use crate::rig::{Ended, FIRST, IMAGE, QUICK, Rig, bare, finish};
use crate::rollout::{assert_first, assert_two_groups, two_groups};

/// Writes the plan of the manifest to plan.json; what was said.
fn plan(rig: &Rig, more: &[&str]) -> Ended {
    let plan = ["plan", "fleet.csv", "--out", "plan.json", "--rate", "0"];
    rig.call(&[&plan[..], more].concat()).exit(0)
}

/// A run by the plan at the quick pace, but for what the plan holds.
fn follow(rig: &Rig) -> Ended {
    let in_plan = ["--max-failures", "--rebuild-timeout"];
    let pace = QUICK.chunks(2).filter(|pair| !in_plan.contains(&pair[0]));
    let run = ["run", "fleet.csv", "--plan", "plan.json"];
    let words: Vec<&str> = run.into_iter().chain(pace.flatten().copied()).collect();
    rig.call(&words)
}

/// Without credentials, and without the address of the API.
fn alone(rig: &Rig, args: &[&str]) -> Ended {
    let mut command = bare(rig.folder.path());
    command.args(args);
    finish(command)
}

fn written(rig: &Rig) -> Value {
    serde_json::from_str(&fs::read_to_string(rig.path("plan.json")).unwrap()).unwrap()
}

#[test]
fn a_plan_that_was_written_is_shown_from_its_file_alone() {
    let rig = Rig::new(4);
    rig.run(&[]).exit(0);
    let suspended = InstanceChange {
        status: Some("suspended".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(1, &suspended);
    let said = plan(&rig, &["--again", "--canary", "1"]);
    let digest = written(&rig)["digest"].as_str().unwrap()[..12].to_owned();
    said.says(&format!("plan {digest} is written to plan.json"));
    let calls = rig.calls();
    let shown = alone(&rig, &["plan", "plan.json"]).exit(0);
    assert_eq!((rig.calls(), shown.err.as_str()), (calls, ""));
    for words in [
        format!("plan {digest} in plan.json, made "),
        " ago) of fleet.csv".to_owned(),
        "4 instances of account 70001 (operator@example.com) at http://127.0.0.1".to_owned(),
        format!(
            "{}  web-03  127.66.0.3  AlmaLinux-8  AlmaLinux-8",
            FIRST + 2
        ),
        format!("{}  web-02  127.66.0.2  AlmaLinux-8  NOT SENT", FIRST + 1),
        format!(
            "NOT SENT unless that ends within 1h 0m: 1 is suspended: {}.",
            FIRST + 1
        ),
        "     3 x AlmaLinux-8 (".to_owned(),
        "--max-failures 20% --max-mismatch 2% --max-per-group 1 --rebuild-timeout 1h --canary 1."
            .to_owned(),
        "Way in afterwards: 3 by the manifest's password.".to_owned(),
        "ALL DATA on 3 instances will be DESTROYED.".to_owned(),
        "Same image again: 3 of them, wiped all the same.".to_owned(),
        "The same 4 services and images as in batch 1, the last order of this manifest.".to_owned(),
        "It will take about ".to_owned(),
    ] {
        assert!(
            shown.out.contains(&words),
            "{words:?} is not in:\n{}",
            shown.out
        );
    }
    let json = alone(&rig, &["plan", "plan.json", "--format", "json"]).exit(0);
    assert_eq!(json.json(), written(&rig));
}

#[test]
fn a_plan_that_was_changed_is_not_shown_and_no_option_changes_one() {
    let rig = Rig::new(2);
    plan(&rig, &[]);
    for (option, words) in [
        ("--out=x.json", "--out is for"),
        ("--workers=3", "--workers is for"),
    ] {
        alone(&rig, &["plan", "plan.json", option])
            .exit(2)
            .says("plan.json is a plan already")
            .says(words);
    }
    assert!(!rig.path("x.json").exists());
    let text = fs::read_to_string(rig.path("plan.json")).unwrap();
    rig.write("plan.json", text.replace("127.66.0.1", "127.66.0.9"));
    alone(&rig, &["plan", "plan.json"])
        .exit(2)
        .says("it was changed, or cut off");
    rig.write("plan.json", &text[..text.len() / 2]);
    alone(&rig, &["plan", "plan.json"])
        .exit(2)
        .says("it is no plan of refleet");
}

#[test]
fn a_run_and_the_status_name_the_plan_that_was_followed() {
    let rig = Rig::new(2);
    plan(&rig, &["--workers", "2"]);
    let digest = written(&rig)["digest"].as_str().unwrap().to_owned();
    follow(&rig)
        .exit(0)
        .says(&format!("by plan {}, which was made 20", &digest[..12]));
    rig.call(&["status"])
        .exit(0)
        .says_out(&format!("plan         {}\n", &digest[..12]));
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["plan"], digest);
}

/// What the status proposes to type.
fn next(rig: &Rig) -> String {
    let status = rig.call(&["status", "--json"]).exit(0).json();
    status["next"].as_str().unwrap().to_owned()
}

#[test]
fn a_hint_repeats_what_was_typed_and_neither_defaults_nor_what_is_configured() {
    let rig = Rig::new(3);
    let config = "[account.only]\nretries = 7\nmax-mismatch = \"3%\"\n";
    rig.write("config.toml", config);
    let mut command = rig.order("fleet.csv", &[]);
    command.env("REFLEET_CONFIG", "config.toml");
    command.args(["--workers", "1", "--max-failures", "1", "--no-requeue"]);
    rig.fault(0, Fault::from(FaultKind::SecretEcho));
    let run = finish(command).exit(6);
    rig.call(&["retry", "--failed"]).exit(0);
    let next = next(&rig);
    // All of it, and nothing else: what is configured counts in the next run by itself.
    let typed = "run --workers 1 --rate 0 --max-failures 1 --no-requeue --rebuild-timeout 1m \
        --poll-interval 50ms --settle 400ms --unseen-after 2s --backoff-initial 20ms \
        --backoff-max 200ms --timeout 1s --outage-timeout 20s";
    assert!(next.ends_with(&format!(" {typed}")), "{next}");
    let mut lines = run.err.lines();
    assert!(lines.any(|line| line.ends_with(typed)), "{run}");
    // Which is enough to go on with it.
    let words: Vec<&str> = next.split(' ').skip(1).collect();
    let run = rig.call(&[&words[..], &["--yes"]].concat()).exit(0);
    run.says("done 3");
}

#[test]
fn a_run_that_goes_on_without_its_plan_is_told_to_keep_within_its_bounds() {
    let rig = Rig::new(4);
    plan(&rig, &["--workers", "1", "--max-failures", "1"]);
    rig.fault(0, Fault::from(FaultKind::SecretEcho));
    follow(&rig).exit(6);
    rig.call(&["retry", "--failed"]).exit(0);
    let next = next(&rig);
    assert!(next.ends_with(" --workers 1 --max-failures 1"), "{next}");
}

#[test]
fn the_plan_says_that_nobody_waits_for_those_that_go_first_or_that_they_will_not_go() {
    let rig = Rig::new(3);
    let plan = ["plan", "fleet.csv", "--rate", "0", "--canary"];
    rig.call(&[&plan[..], &["3"]].concat())
        .exit(0)
        .says_out("--canary 3 holds nobody back: of no image are there more instances than that.");
    let hidden = InstanceChange {
        listed: Some(false),
        ..InstanceChange::default()
    };
    rig.change(0, &hidden);
    let said = rig.call(&[&plan[..], &["1"]].concat()).exit(0);
    said.says_out(&format!("OF THOSE THAT GO FIRST, 1 is NOT SENT: {FIRST}."))
        .says_out("THE OTHERS WILL NOT START");
    // One that may be ready in time is sent then.
    let suspended = InstanceChange {
        listed: Some(true),
        status: Some("suspended".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(0, &suspended);
    let said = rig.call(&[&plan[..], &["1"]].concat()).exit(0);
    assert!(!said.out.contains("WILL NOT START"), "{said}");
    said.says_out(&format!(
        "OF THOSE THAT GO FIRST, 1 is not ready yet: {FIRST}."
    ));
}

#[test]
fn an_account_that_is_not_the_plans_is_told_without_a_word_on_a_batch() {
    let rig = Rig::new(2);
    plan(&rig, &[]);
    rig.simulator.set(AccountChange {
        account: Some("70002".to_owned()),
        ..AccountChange::default()
    });
    let refused = follow(&rig).exit(2);
    assert!(!refused.err.contains("batch"), "{refused}");
    refused
        .says("the plan is of account 70001 (operator@example.com), and the credentials are those of account 70002")
        .says("nothing was queued, nothing was sent");
}

#[test]
fn the_status_says_why_the_last_run_ended() {
    let rig = Rig::new(3);
    let reason = |rig: &Rig| {
        let status = rig.call(&["status", "--json"]).exit(0).json();
        status["last_run"]["reason"].as_str().unwrap().to_owned()
    };
    let pins: Vec<String> = (0..3)
        .map(|nth| format!("{},{IMAGE},other-{nth}\n", FIRST + nth))
        .collect();
    let sheet = format!("service_id,image,expect_name\n{}", pins.concat());
    rig.write("fleet.csv", sheet);
    rig.run(&[]).exit(6);
    let why =
        "3 instances are other than the order expects, --max-mismatch allows 1; nothing was sent";
    assert_eq!(reason(&rig), why);
    rig.call(&["status"])
        .says_out(&format!("with exit 6: {why}\n"));
    let rig = Rig::new(2);
    rig.fault(0, Fault::from(FaultKind::SecretEcho));
    rig.run(&[]).exit(1);
    assert_eq!(reason(&rig), "it came to the end, and some jobs failed");
}

fn typed(rig: &Rig, said: &Ended, words: &str, more: &[&str]) -> Ended {
    let proposed = said.proposed(words);
    let proposed = proposed.iter().map(String::as_str);
    rig.call(&proposed.chain(more.iter().copied()).collect::<Vec<_>>())
}

/// One is wiped and comes back in error, one is refused untouched; the sheet is mended, and every step
/// is one that the step before has proposed.
#[test]
fn after_an_order_by_a_plan_each_hint_leads_on() {
    let rig = Rig::new(4);
    plan(&rig, &["--max-failures", "100%"]);
    let fails = Behaviour {
        outcome: Some(Outcome::Error),
        ..Behaviour::default()
    };
    rig.next(0, fails);
    rig.fault(1, Fault::from(FaultKind::SecretEcho));
    follow(&rig).exit(1);
    let again = ["plan", "fleet.csv", "--rate", "0"];
    let ended = rig.call(&again).exit(1);
    let retried = typed(&rig, &ended, " retry --failed --batch 1 --from ", &[]).exit(0);
    assert!(
        retried.out.starts_with("1 job of batch 1 put back"),
        "{retried}"
    );
    // A plan is for a new order.
    let open = rig.call(&again).exit(2);
    let run = typed(&rig, &open, " run ", &["--yes"]).exit(1);
    assert_eq!(rig.wiped(), [1, 1, 1, 1], "{run}");
    let ended = rig.call(&again).exit(1);
    assert!(!ended.err.contains("untouched"), "{ended}");
    typed(
        &rig,
        &ended,
        " retry --failed --wiped --batch 1 --from ",
        &[],
    )
    .exit(0);
    let open = rig.call(&again).exit(2);
    typed(&rig, &open, " run ", &["--yes"])
        .exit(0)
        .says("done 4");
    assert_eq!(rig.wiped(), [2, 1, 1, 1]);
    rig.call(&again).exit(0).says("nothing to do");
}

/// The pins of the sheet were wrong, and were mended after the order was made.
#[test]
fn a_plan_of_a_sheet_that_was_mended_says_how_its_open_order_goes_on() {
    let rig = Rig::new(30);
    let sheet = |name: &str| {
        let rows = (0..30).map(|nth| {
            let name = if nth == 2 { name } else { "" };
            format!("{},{IMAGE},{name}\n", FIRST + nth)
        });
        format!("service_id,image,expect_name\n{}", rows.collect::<String>())
    };
    rig.write("fleet.csv", sheet("other"));
    plan(&rig, &["--max-failures", "90%", "--workers", "20"]);
    let ended = follow(&rig).exit(1);
    ended.says("its name is `web-03`, not `other`");
    rig.write("fleet.csv", sheet("web-03"));
    let ended = rig.call(&["plan", "fleet.csv", "--rate", "0"]).exit(1);
    typed(&rig, &ended, " retry --failed --batch 1 --from ", &[]).exit(0);
    let refused = follow(&rig).exit(2);
    // Within the bounds that were approved, and at the pace that was typed.
    let proposed = refused.proposed(" run ").join(" ");
    assert!(
        proposed.ends_with(" --workers 20 --max-failures 90%"),
        "{proposed}"
    );
    let run = typed(&rig, &refused, " run ", &["--yes"]).exit(0);
    run.says("done 30");
    assert_eq!(rig.wiped(), [1; 30]);
}

/// What was approved is not dropped because somebody went on without the plan.
#[test]
fn a_bare_run_of_an_approved_order_keeps_to_what_was_approved_or_says_what_it_drops() {
    let rig = Rig::new(6);
    rig.fault(0, Fault::from(FaultKind::SecretEcho));
    plan(&rig, &["--workers", "1", "--max-failures", "1"]);
    follow(&rig).exit(6);
    rig.call(&["retry", "--failed"]).exit(0);
    let bare = rig.call(&[
        "run",
        "fleet.csv",
        "--yes",
        "--rate",
        "0",
        "--max-failures",
        "100%",
    ]);
    let bare = bare
        .exit(2)
        .says(", which holds --workers 1; this run would go on without that");
    assert_eq!(rig.wiped(), [0; 6]);
    // What is typed is somebody's word.
    let hint = bare.err.split_once("hint: `").unwrap().1;
    let hint = hint.split_once('`').unwrap().0;
    assert!(
        hint.contains(" --workers 1") && hint.contains(" --max-failures 1"),
        "{hint}"
    );
    let run = hint.split_once(" run").unwrap().1;
    let quick = ["run", "--yes", "--poll-interval", "50ms"];
    let run: Vec<&str> = quick.into_iter().chain(run.split_whitespace()).collect();
    rig.call(&run).exit(0);
    assert_eq!(rig.wiped(), [1; 6]);
}

#[test]
fn a_plan_that_is_not_the_open_orders_says_how_that_goes_on() {
    let rig = Rig::new(3);
    plan(&rig, &[]);
    rig.fault(0, Fault::from(FaultKind::SecretEcho));
    rig.run(&["--workers", "1", "--max-failures", "1"]).exit(6);
    rig.call(&["retry", "--failed"]).exit(0);
    let refused = follow(&rig).exit(2);
    let proposed = refused.proposed(" run ").join(" ");
    assert!(
        proposed.contains(" --workers 1 --rate 0 --max-failures 1 "),
        "{proposed}"
    );
    let run = typed(&rig, &refused, " run ", &["--yes"]).exit(0);
    run.says("done 3");
    assert_eq!(rig.wiped(), [1; 3]);
}

/// How the sheet is read belongs to its name.
#[test]
fn a_retry_is_proposed_with_the_words_that_read_the_sheet() {
    let rig = Rig::new(2);
    let rows = (0..2).map(|nth| format!("{},{IMAGE},secret\n", FIRST + nth));
    let sheet = format!(
        "our fleet\nservice_id,image,root_pw\n{}",
        rows.collect::<String>()
    );
    rig.write("fleet.csv", sheet);
    rig.fault(0, Fault::from(FaultKind::SecretEcho));
    let reading = ["--ignore-column", "root_pw", "--header-row", "2"];
    let words = " --from fleet.csv --ignore-column root_pw --header-row 2";
    rig.run(&reading).exit(1).says(words);
    let plan = ["plan", "fleet.csv", "--rate", "0"];
    let ended = rig.call(&[&plan[..], &reading].concat()).exit(1);
    ended.says(&format!(" retry --failed --batch 1{words}`"));
    let ended = rig.call(&[&plan[..], &reading].concat()).exit(1);
    typed(&rig, &ended, " retry --failed --batch 1 --from ", &[]).exit(0);
}

#[test]
fn a_plan_says_who_goes_first_and_is_kept_to_that() {
    let rig = Rig::new(6);
    rig.write("fleet.csv", two_groups(6));
    let rules = ["--canary", "1", "--max-per-group", "2"];
    let plan = [
        "plan",
        "fleet.csv",
        "--out",
        "plan.json",
        "--max-failures",
        "100%",
        "--rebuild-timeout=1m",
    ];
    rig.call(&[&plan[..], &rules].concat())
        .exit(0)
        .says_out(&format!("First 1 of each image: {FIRST}."))
        .says_out("In 2 groups: 6 instances. At most 2 of a group are down at once.")
        .says_out(", behind the first")
        .says_out(", behind its group");
    finish(rig.refleet(&["plan", "plan.json"]))
        .exit(0)
        .says_out("starts (UTC)")
        .says_out(", behind its group\n");
    let plan: Value = serde_json::from_slice(&fs::read(rig.path("plan.json")).unwrap()).unwrap();
    let rows = plan["rows"].as_array().unwrap();
    let held: Vec<_> = rows.iter().map(|row| &row["starts"]["held_by"]).collect();
    let [first, canary, group] = [Value::Null, "canary".into(), "group".into()];
    assert_eq!(held, [&first, &canary, &canary, &canary, &canary, &group]);
    let moment = |row: usize, name: &str| -> jiff::Timestamp {
        rows[row]["starts"][name].as_str().unwrap().parse().unwrap()
    };
    // Five minutes are assumed of each: the first alone, then two of each group, then the last.
    for (row, minutes) in [(1, 5), (4, 5), (5, 10)] {
        let waits = moment(row, "held_until").duration_since(moment(0, "about"));
        assert_eq!(waits.as_mins(), minutes, "{row}");
    }
    let by_plan = |more: &[&str]| rig.run(&[&["--plan", "plan.json"], more].concat());
    by_plan(&["--canary", "2"])
        .exit(2)
        .says("it holds --canary 1, and 2 is given beside it");
    by_plan(&["--max-per-group", "1"]).exit(2);
    // Another group is another row.
    rig.write("fleet.csv", two_groups(6).replacen("db", "cache", 1));
    by_plan(&[]).exit(2).says("differs from it in 1 row");
    assert_eq!(rig.submissions(), 0);
    rig.write("fleet.csv", two_groups(6));
    by_plan(&[]).exit(0);
    assert_first(&rig, &[0]);
    assert_two_groups(&rig, 2);
    assert_eq!(rig.wiped(), [1; 6]);
}
