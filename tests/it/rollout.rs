//! Who goes first, and who never goes down together: real runs, held against what the simulator did.

use std::time::Duration;

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, Rig, Running, finish, quick};
use refleet::simulator::{Behaviour, InstanceChange, Outcome};

/// A sheet of so many services; each gets the image, and is in the group, that `of` says.
fn sheet(count: usize, of: impl Fn(usize) -> (&'static str, String)) -> String {
    let rows = (0..count).map(|nth| {
        let (image, group) = of(nth);
        let service = FIRST + i64::try_from(nth).unwrap();
        format!("{service},{image},Mypassword1-{nth},{group}\n")
    });
    "service_id,image,password,group\n".to_owned() + &rows.collect::<String>()
}

/// Of two groups, one after the other.
pub fn two_groups(count: usize) -> String {
    sheet(count, |nth| (IMAGE, ["web", "db"][nth % 2].to_owned()))
}

/// The spans in which each instance was really out of service, in the order of the services: from the
/// acceptance until it was back, or for ever.
fn spans(rig: &Rig) -> Vec<Vec<(i64, i64)>> {
    let record = rig.record();
    let services = record.services.values();
    let span = |service: &refleet::simulator::ServiceRecord| {
        let wipes = service.wipes.iter();
        let spans = wipes.map(|wipe| (wipe.at_ms, wipe.completed_ms.unwrap_or(i64::MAX)));
        spans.collect()
    };
    services.map(span).collect()
}

/// How many of these were ever down at once.
fn most_at_once(spans: &[&Vec<(i64, i64)>]) -> usize {
    let begins = spans
        .iter()
        .flat_map(|spans| spans.iter().map(|span| span.0));
    let at = |moment: i64| {
        let is_down = |spans: &&&Vec<(i64, i64)>| {
            let mut spans = spans.iter();
            spans.any(|(from, until)| (*from..*until).contains(&moment))
        };
        spans.iter().filter(is_down).count()
    };
    begins.map(at).max().unwrap_or(0)
}

/// At no instant were more than `max` of each of the two groups down.
pub fn assert_two_groups(rig: &Rig, max: usize) {
    let spans = spans(rig);
    for group in 0..2 {
        let members: Vec<_> = spans.iter().skip(group).step_by(2).collect();
        let most = most_at_once(&members);
        assert!(most <= max, "{most} of group {group}: {spans:?}");
    }
}

/// Nothing else began before these, by their places, were back.
pub fn assert_first(rig: &Rig, first: &[usize]) {
    let spans = spans(rig);
    let back = first.iter().map(|nth| spans[*nth][0].1).max().unwrap();
    for (nth, span) in spans.iter().enumerate() {
        if let Some((from, _)) = span.first().filter(|_| !first.contains(&nth)) {
            assert!(
                *from >= back,
                "{nth} began before {first:?} were back: {spans:?}"
            );
        }
    }
}

fn fails(rig: &Rig, nth: usize) {
    rig.next(
        nth,
        Behaviour {
            outcome: Some(Outcome::Error),
            ..Behaviour::default()
        },
    );
}

fn id(nth: i64) -> String {
    (FIRST + nth).to_string()
}

#[test]
fn the_first_of_each_image_are_back_before_anything_else_starts() {
    let rig = Rig::new(9);
    let image = |nth: usize| if nth % 3 == 2 { OTHER_IMAGE } else { IMAGE };
    rig.write("fleet.csv", sheet(9, |nth| (image(nth), String::new())));
    rig.run(&["--canary", "2"]).exit(0).says("done 9");
    assert_first(&rig, &[0, 1, 2, 5]);
    assert_eq!(rig.wiped(), [1; 9]);
    rig.assert_truth(1);
}

#[test]
fn one_of_the_first_that_fails_stops_all_others_until_somebody_says_go() {
    let rig = Rig::new(5);
    fails(&rig, 0);
    let run = rig.run(&["--canary", "1"]).exit(6);
    run.says(&format!("service {FIRST} was to go first, and failed"))
        .says("go --canaries");
    assert_eq!(rig.wiped(), [1, 0, 0, 0, 0]);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["held_back"]["behind_canaries"], 4);
    assert_eq!(status["held_back"]["canaries"][0]["state"], "failed");
    rig.call(&["status"]).says_out(&format!(
        "4 jobs wait for {FIRST} (failed), until somebody gives his word"
    ));
    assert_eq!(status["held_back"]["until"]["needs"], "word");
    let held = format!(
        "held back by those that go first, {FIRST} (failed), until somebody gives his word"
    );
    rig.call(&["show", &id(1)]).exit(0).says_out(&held);
    rig.call(&["show", &id(1)])
        .says_out(&format!("show {FIRST}` tells what to say"));
    rig.call(&["show", &id(0)])
        .says_out("--as done --reason TEXT")
        .says_out("4 jobs wait for it: `")
        .says_out(" go --canaries --reason TEXT` lets them start all the same");
    rig.call(&["list", "--state", "queued"])
        .exit(0)
        .says_out(&held);
    // Run again, it ends again: by the word that lets the others start, and not by a forgotten option.
    rig.run(&[]).exit(6).says("go --canaries");
    rig.run(&["--no-wait"])
        .exit(2)
        .says("or say `go --canaries` first");
    rig.call(&[
        "go",
        "--canaries",
        "--reason",
        "a broken host, not the image",
    ])
    .exit(0)
    .says_out("no longer waits for those that go first");
    rig.call(&["go", "--canaries", "--reason", "again"]).exit(2);
    rig.run(&["--canary", "1"]).exit(1);
    assert_eq!(rig.wiped(), [1; 5]);
}

#[test]
fn a_doubt_among_the_first_is_settled_by_a_word() {
    let rig = Rig::new(4);
    rig.doubt(0);
    rig.run(&["--canary", "1"]).exit(6).says("is in doubt");
    assert_eq!(rig.wiped(), [0; 4], "it was never executed");
    let first = id(0);
    let resolve = [
        "resolve",
        &first,
        "--as",
        "requeue",
        "--reason",
        "looked at it",
    ];
    rig.call_once_settled(&resolve).exit(0);
    rig.run(&["--canary", "1"]).exit(0);
    assert_eq!(rig.wiped(), [1; 4]);
}

#[test]
fn what_only_the_api_has_said_is_no_proof() {
    let rig = Rig::new(3);
    // The same image stands there already, and the list never shows that anything happens.
    let same = InstanceChange {
        image: Some("AlmaLinux-8".to_owned()),
        ..InstanceChange::default()
    };
    rig.change(0, &same);
    rig.next(
        0,
        Behaviour {
            duration_ms: Some(0),
            ..Behaviour::default()
        },
    );
    rig.run(&["--canary", "1"])
        .exit(6)
        .says("the API has accepted it, but nobody has seen it done");
    assert_eq!(rig.wiped(), [1, 0, 0]);
    rig.call(&["go", "--canaries", "--reason", "it answers"])
        .exit(0);
    rig.run(&["--canary", "1"]).exit(0);
    assert_eq!(rig.wiped(), [1; 3]);
}

#[test]
fn one_of_the_first_that_is_cancelled_leaves_its_place_to_the_next() {
    let rig = Rig::new(4);
    rig.load();
    rig.call(&["cancel", &id(0)]).exit(0);
    rig.run(&["--canary", "1"]).exit(0);
    assert_first(&rig, &[1]);
    assert_eq!(rig.wiped(), [0, 1, 1, 1]);
}

#[test]
fn no_more_of_a_group_than_allowed_are_ever_down() {
    for max in [1, 2] {
        let rig = Rig::new(10);
        rig.write("fleet.csv", two_groups(10));
        let option = max.to_string();
        let options: &[&str] = match max {
            1 => &[],
            _ => &["--max-per-group", &option],
        };
        rig.run(options).exit(0).says("done 10");
        assert_two_groups(&rig, max);
        assert_eq!(rig.wiped(), [1; 10]);
        rig.assert_truth(1);
        // Two groups work side by side.
        let spans = spans(&rig);
        assert!(most_at_once(&spans.iter().collect::<Vec<_>>()) > max);
    }
}

#[test]
fn letter_case_and_blanks_make_no_other_group() {
    let rig = Rig::new(3);
    rig.write(
        "fleet.csv",
        sheet(3, |nth| (IMAGE, ["Web", "web", " WEB "][nth].to_owned())),
    );
    rig.run(&[]).exit(0);
    let spans = spans(&rig);
    assert_eq!(most_at_once(&spans.iter().collect::<Vec<_>>()), 1);
}

#[test]
fn a_run_that_is_killed_again_and_again_never_takes_two_of_a_group_down() {
    let rig = Rig::with(8, |config| {
        config.rebuild_duration = Duration::from_millis(150);
    });
    rig.write("fleet.csv", two_groups(8));
    for sent in [1, 3, 4, 6] {
        let mut run = rig.start(&[]);
        run.wait_until(|| rig.submissions() >= sent);
        run.kill();
    }
    // What it was submitting when it died may be a doubt that only a person can settle.
    for _ in 0..8 {
        let ended = rig.run(&[]);
        match ended.code {
            0 => break,
            3 | 6 => resolve_by_truth(&rig),
            code => panic!("{code}: {ended}"),
        }
    }
    assert_two_groups(&rig, 1);
    assert_eq!(rig.wiped(), [1; 8]);
    rig.assert_truth(1);
}

/// The operator looks at each doubt once the instance is back, and says what happened to it.
fn resolve_by_truth(rig: &Rig) {
    for service in rig.states().remove("in_doubt").unwrap_or_default() {
        let id = crate::rig::id(service);
        while rig.truth(id).wiped > 0 && rig.truth(id).completed == 0 {
            std::thread::yield_now();
        }
        let verdict = if rig.truth(id).wiped > 0 {
            "done"
        } else {
            "requeue"
        };
        let service = service.to_string();
        rig.call_once_settled(&["resolve", &service, "--as", verdict, "--reason", "looked"])
            .exit(0);
    }
}

#[test]
fn a_member_that_failed_holds_its_group_until_somebody_has_spoken() {
    for (word, wiped) in [
        (&["retry", "--wiped"][..], 2),
        (
            &["resolve", "--as", "done", "--reason", "mended by hand"],
            1,
        ),
        (
            &["resolve", "--as", "failed", "--reason", "out of service"],
            1,
        ),
    ] {
        let rig = Rig::new(6);
        rig.write("fleet.csv", two_groups(6));
        fails(&rig, 0);
        let ended = rig.run(&[]).exit(6);
        ended
            .says(&format!("service {FIRST} of group `web` is failed"))
            .says(&format!("retry --wiped {FIRST}"));
        // The other group was finished.
        assert_eq!(rig.wiped(), [1, 1, 0, 1, 0, 1]);
        let status = rig.call(&["status", "--json"]).exit(0).json();
        let group = &status["held_back"]["groups"][0];
        assert_eq!(
            (&group["group"], &group["waiting"]),
            (&"web".into(), &2.into())
        );
        assert_eq!(group["down"][0]["service_id"], FIRST);
        rig.call(&["status"])
            .says_out(&format!("web: 2 jobs wait for {FIRST} (failed)"));
        let shown = rig.call(&["show", &id(2), "--json"]).exit(0).json();
        let held_back = &shown["jobs"][0]["held_back"][0];
        assert_eq!(
            held_back["what"],
            format!("by its group `web`, {FIRST} (failed), until somebody gives his word")
        );
        assert_eq!(held_back["rule"], "group");
        assert_eq!(held_back["until"]["needs"], "word");
        assert_eq!(shown["jobs"][0]["group"], "web");
        let first = id(0);
        rig.call(&[word, &[first.as_str()]].concat()).exit(0);
        let ended = rig.run(&[]);
        let is_failed = word.contains(&"failed");
        assert_eq!(ended.code, i32::from(is_failed), "{ended}");
        assert_eq!(rig.wiped(), [wiped, 1, 1, 1, 1, 1]);
    }
}

#[test]
fn a_doubt_holds_its_group_too() {
    let rig = Rig::new(4);
    rig.write("fleet.csv", two_groups(4));
    rig.doubt(1);
    rig.run(&[])
        .exit(6)
        .says("of group `db` is in_doubt")
        .says(&format!("resolve {} --as WORD", id(1)));
    assert_eq!(rig.wiped(), [1, 0, 1, 0], "it was never executed");
    let second = id(1);
    rig.call_once_settled(&["resolve", &second, "--as", "requeue", "--reason", "looked"])
        .exit(0);
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1; 4]);
}

#[test]
fn a_run_hears_the_word_that_frees_a_group_while_it_works() {
    let rig = Rig::with(7, |config| {
        config.rebuild_duration = Duration::from_millis(400);
    });
    // Two of `web`, of which the first fails; the others keep the run at work meanwhile.
    rig.write(
        "fleet.csv",
        sheet(7, |nth| {
            let group = if nth < 2 { "web" } else { "db" };
            (IMAGE, group.to_owned())
        }),
    );
    fails(&rig, 0);
    let mut run = rig.watch(&[]);
    run.wait_for(1, "failed");
    let first = id(0);
    rig.call(&["resolve", &first, "--as", "done", "--reason", "mended"])
        .exit(0);
    run.end().exit(0);
    assert_eq!(rig.wiped(), [1; 7]);
}

#[test]
fn other_groups_in_the_sheet_of_an_open_order_count_from_then_on() {
    let rig = Rig::new(4);
    rig.write("fleet.csv", sheet(4, |_| (IMAGE, "web".to_owned())));
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("fleet.csv", two_groups(4));
    rig.run(&[])
        .exit(0)
        .says("2 jobs are in the group that fleet.csv gives now");
    let all = spans(&rig);
    assert!(most_at_once(&all.iter().collect::<Vec<_>>()) <= 2);
    assert_two_groups(&rig, 1);

    rig.write("fleet.csv", two_groups(4));
    rig.call(&["load", "fleet.csv", "--again"]).exit(0);
    rig.write("fleet.csv", sheet(4, |_| (IMAGE, String::new())));
    rig.run(&["-q"])
        .exit(0)
        .says("warning: 4 jobs of batch 2 are in no group any more");
}

#[test]
fn what_waits_for_nothing_can_keep_no_such_rule() {
    let rig = Rig::new(4);
    rig.write("fleet.csv", two_groups(4));
    rig.run(&["--no-wait"]).exit(2).says("has groups");
    rig.run(&["--no-wait", "--canary", "1"])
        .exit(2)
        .says("--canary");
    rig.call(&["load", "fleet.csv"]).exit(0);
    let mut without = rig.refleet(&["run", "--no-wait", "--yes"]);
    without.args(rig.pace.words());
    finish(without).exit(2).says("batch 1 has groups");
    assert_eq!(rig.submissions(), 0);
    for wrong in [
        ["--canary", "0"],
        ["--max-per-group", "0"],
        ["--canary", "x"],
    ] {
        rig.run(&wrong).exit(2);
    }
}

/// Of one image, in two groups: five rebuilds before have taken a minute each, as far as the records tell.
#[test]
fn every_job_that_waits_says_for_what_and_until_when() {
    // Before half of it has passed, nobody looks whether an instance is back.
    const TAKES: Duration = Duration::from_secs(12);
    let rig = Rig::new(11);
    rig.fleet(5);
    rig.run(&[]).exit(0);
    rig.sql("UPDATE job SET submitted_ms = completed_ms - 12000");
    // Those that are waited for are back when the test has seen enough.
    for nth in [5, 6] {
        let never = Behaviour {
            outcome: Some(Outcome::Never),
            ..Behaviour::default()
        };
        rig.next(nth, never);
    }
    let back = InstanceChange {
        status: Some("active".to_owned()),
        image: Some("AlmaLinux-8".to_owned()),
        ..InstanceChange::default()
    };
    let grouped = |nth: usize| if nth == 6 || nth == 7 { "web" } else { "" };
    rig.write(
        "fleet.csv",
        sheet(11, |nth| (IMAGE, grouped(nth).to_owned())),
    );
    let mut run = rig.watch(&["--skip-done", "--canary", "1"]);
    run.wait_for(1, "in_progress");
    let held = |nth: i64| {
        let listed = rig.call(&["show", &id(nth), "--json"]).exit(0).json();
        listed["jobs"][0]["held_back"].clone()
    };
    assert_eq!(held(5), serde_json::json!([]), "it goes first");
    let behind = &held(8)[0];
    assert_eq!(behind["rule"], "canary");
    let until: jiff::Timestamp = behind["until"]["at"].as_str().unwrap().parse().unwrap();
    let sent = rig.call(&["show", &id(5), "--json"]).exit(0).json();
    let sent = sent["jobs"][0]["submitted_at"].as_str().unwrap();
    let sent: jiff::Timestamp = sent.parse().unwrap();
    let takes = until.duration_since(sent).unsigned_abs();
    assert_eq!(takes, TAKES);
    rig.call(&["pause", "--reason", "look at it"]).exit(0);
    let paused = held(8);
    assert_eq!(
        (&paused[0]["rule"], &paused[1]["rule"]),
        (&"pause".into(), &"canary".into())
    );
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["held_back"]["until"]["at"], behind["until"]["at"]);
    rig.call(&["go", "--reason", "looked"]).exit(0);
    rig.change(5, &back);
    run.wait(1, |event| {
        event["service"] == FIRST + 6 && event["to"] == "in_progress"
    });
    let web = &held(7)[0];
    assert_eq!(web["rule"], "group");
    assert!(web["until"]["at"].is_string(), "{web}");
    rig.change(6, &back);
    run.end().exit(0);
}

/// Budget, groups, the first of each image, a window and a pause, with a kill in the middle of each.
#[test]
fn all_rules_hold_at_once_and_after_each_death() {
    let rig = Rig::with(12, |config| {
        config.rebuild_duration = Duration::from_millis(120);
    });
    let image = |nth: usize| if nth % 4 == 3 { OTHER_IMAGE } else { IMAGE };
    let group = |nth: usize| ["web", "db"][nth % 2].to_owned();
    rig.write("fleet.csv", sheet(12, |nth| (image(nth), group(nth))));
    let rules = [
        "--canary",
        "1",
        "--max-failures",
        "3",
        "--window",
        "00:00-23:59",
        "--timezone",
        "UTC",
    ];
    let end = |running: &mut Running, sent: u64| {
        running.wait_until(|| rig.submissions() >= sent);
        running.kill();
    };
    end(&mut rig.start(&rules), 1);
    end(&mut rig.start(&rules), 3);
    let mut run = rig.start(&rules);
    run.wait_until(|| rig.submissions() >= 4);
    rig.call(&["pause", "--reason", "lunch"]).exit(0);
    let sent = rig.submissions();
    run.kill();
    rig.run(&rules).exit(6).says("lunch");
    assert_eq!(rig.submissions(), sent, "a crash keeps a pause");
    rig.call(&["go", "--reason", "back"]).exit(0);
    for _ in 0..12 {
        let ended = rig.run(&rules);
        match ended.code {
            0 => break,
            3 | 6 => resolve_by_truth(&rig),
            code => panic!("{code}: {ended}"),
        }
    }
    assert_first(&rig, &[0, 3]);
    assert_two_groups(&rig, 1);
    assert_eq!(rig.wiped(), [1; 12]);
    rig.assert_truth(1);
}

/// Two members failed, somebody has mended both by hand, and has both rebuilt once more.
#[test]
fn members_that_are_sent_again_go_down_one_after_the_other() {
    let rig = Rig::new(3);
    rig.write("fleet.csv", sheet(3, |_| (IMAGE, "web".to_owned())));
    for nth in [0, 1] {
        fails(&rig, nth);
        rig.run(&[]).exit(6);
        let service = id(i64::try_from(nth).unwrap());
        rig.call(&["resolve", &service, "--as", "failed", "--reason", "mended"])
            .exit(0);
    }
    rig.call(&["retry", "--failed", "--wiped"]).exit(0);
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [2, 2, 1]);
    // By the last wipe of each: that of the first ones never ended.
    let spans = spans(&rig);
    let last: Vec<Vec<(i64, i64)>> = spans
        .iter()
        .map(|all| all[all.len() - 1..].to_vec())
        .collect();
    assert_eq!(
        most_at_once(&last.iter().collect::<Vec<_>>()),
        1,
        "{spans:?}"
    );
}

#[test]
fn what_an_earlier_order_has_left_down_holds_its_group_in_the_next_one() {
    let rig = Rig::new(2);
    // The second one of the sheet is wiped, and never comes back.
    fails(&rig, 1);
    let grouped = sheet(2, |_| (IMAGE, "web".to_owned()));
    rig.write("fleet.csv", &grouped);
    rig.run(&["--max-failures", "100%"]).exit(1);
    assert_eq!(rig.wiped(), [1, 1]);
    rig.run(&["--every", "1ms"]).exit(0);
    // It goes first now, and the other one after it is back.
    assert_eq!(rig.wiped(), [2, 2]);
    let spans = spans(&rig);
    assert!(spans[0][1].0 >= spans[1][1].1, "{spans:?}");
}

#[test]
fn a_plan_and_a_loaded_batch_know_of_members_that_an_earlier_order_has_left_down() {
    let rig = Rig::new(3);
    let web = |rows: &[usize]| {
        let all = sheet(3, |_| (IMAGE, "web".to_owned()));
        let row = |(nth, _): &(usize, &str)| *nth == 0 || rows.contains(&(nth - 1));
        let rows = all.lines().enumerate().filter(row);
        let rows: Vec<&str> = rows.map(|(_, line)| line).collect();
        rows.join("\n") + "\n"
    };
    fails(&rig, 0);
    rig.write("first.csv", web(&[0]));
    rig.call(&quick("first.csv", &["--max-failures", "100%"]))
        .exit(1);
    rig.write("fleet.csv", web(&[1, 2]));
    rig.call(&["plan", "fleet.csv"]).exit(0).says_out(&format!(
        "GROUP `web` IS DOWN ALREADY: {FIRST} (failed in batch 1)."
    ));
    rig.load();
    let listed = rig.call(&["show", &id(1), "--json"]).exit(0).json();
    let held = &listed["jobs"][0]["held_back"][0];
    assert_eq!(
        (&held["rule"], &held["until"]["needs"]),
        (&"group".into(), &"word".into())
    );
    rig.run(&[]).exit(6).says("of group `web` is failed");
    assert_eq!(rig.wiped(), [1, 0, 0]);
}

#[test]
fn a_doubt_of_an_earlier_order_holds_its_group_in_the_next_one() {
    let rig = Rig::new(3);
    rig.write("fleet.csv", sheet(3, |_| (IMAGE, "web".to_owned())));
    rig.doubt(2);
    rig.run(&[]).exit(3);
    assert_eq!(rig.wiped(), [1, 1, 0], "it was never executed");
    let third = id(2);
    let ended = rig.run(&["--every", "1ms"]).exit(6);
    ended.says(&format!(
        "resolve {third} --as WORD --reason TEXT --batch 1"
    ));
    assert_eq!(rig.wiped(), [1, 1, 0]);
    let word = ["--as", "failed", "--reason", "looked", "--batch", "1"];
    rig.call(&[&["resolve", &third], &word[..]].concat())
        .exit(0);
    // The same order, as it is left.
    let mut on = rig.refleet(&["run", "--yes"]);
    on.args(rig.pace.words());
    finish(on).exit(0);
    assert_eq!(rig.wiped()[..2], [2, 2]);
}

#[test]
fn one_that_is_sent_again_does_not_wait_for_those_that_go_first() {
    let rig = Rig::new(4);
    rig.write("fleet.csv", sheet(4, |_| (IMAGE, "web".to_owned())));
    // Not one of the first: those are not asked for yet.
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.call(&["cancel", &id(0)]).exit(0);
    fails(&rig, 1);
    rig.run(&[]).exit(6);
    assert_eq!(rig.wiped(), [0, 1, 0, 0]);
    rig.call(&["retry", "--wiped", &id(1)]).exit(0);
    rig.write("fleet.csv", sheet(4, |_| (IMAGE, "web".to_owned())));
    rig.run(&["--canary", "2"]).exit(0);
    assert_eq!(rig.wiped(), [0, 2, 1, 1]);
}

#[test]
fn the_group_that_is_named_is_one_for_which_others_wait() {
    let rig = Rig::new(3);
    // Nobody waits for the one of `a`.
    let groups = ["a", "b", "b"];
    rig.write("fleet.csv", sheet(3, |nth| (IMAGE, groups[nth].to_owned())));
    fails(&rig, 0);
    fails(&rig, 1);
    rig.run(&[]).exit(6).says("of group `b` is failed");
    let show = format!(
        "show {}` tells what became of one that others wait for",
        id(1)
    );
    rig.call(&["status"]).says_out(&show);
}

#[test]
fn a_second_go_lifts_the_pause_and_nothing_else() {
    let rig = Rig::new(3);
    fails(&rig, 0);
    rig.run(&["--canary", "1"]).exit(6);
    rig.call(&["pause", "--reason", "lunch"]).exit(0);
    rig.call(&["go", "--reason", "back"])
        .exit(0)
        .says("wait for those that go first, still");
    rig.call(&["go", "--reason", "back"])
        .exit(2)
        .says("is not paused; 2 jobs wait for those that go first");
    rig.run(&[]).exit(6).says("was to go first, and failed");
    assert_eq!(rig.wiped(), [1, 0, 0]);
}

/// Between the commit of an order and the first record of its run nothing else says by which rules it was
/// ordered; what `status` proposes then is typed as it stands.
#[test]
fn an_order_whose_run_never_began_keeps_the_rules_it_was_ordered_by() {
    let rig = Rig::new(4);
    let rules = ["--canary", "1", "--workers", "2", "--window", "00:00-23:59"];
    let rules = [&rules[..], &["--timezone", "UTC", "--max-failures", "3"]].concat();
    // Where its events cannot be written nothing is ordered at all.
    rig.run(&[&rules[..], &["--events", "nowhere/events"]].concat())
        .exit(2)
        .says("cannot open the event file");
    rig.call(&["status"]).exit(2);
    fails(&rig, 0);
    let mut dying = rig.order("fleet.csv", &rules);
    dying.env("REFLEET_FAILPOINT", "load_after_commit");
    assert_ne!(finish(dying).code, 0);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["held_back"]["behind_canaries"], 3);
    assert_eq!(status["window"]["hours"], "00:00-23:59");
    let next = status["next"].as_str().unwrap().to_owned();
    for rule in [
        "--canary 1",
        "--workers 2",
        "--window 00:00-23:59",
        "--max-failures",
    ] {
        assert!(next.contains(rule), "{rule}: {next}");
    }
    let (_, run) = next.split_once(" run").unwrap();
    let run: Vec<&str> = ["run", "--yes"]
        .into_iter()
        .chain(run.split_whitespace())
        .collect();
    rig.call(&run).exit(6).says("was to go first, and failed");
    assert_eq!(rig.wiped(), [1, 0, 0, 0]);
}
