//! The hours of the day in which work is allowed: real runs, with windows around now.

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, QUICK, Rig, finish, manifest};
use jiff::{Span, Timestamp, tz::TimeZone};

/// From and to so many minutes from now, by UTC's clocks.
fn window(from: i64, to: i64) -> String {
    let now = Timestamp::now();
    let at = |minutes: i64| {
        let at = now + Span::new().minutes(minutes);
        let at = at.to_zoned_datetime(TimeZone::UTC);
        at.strftime("%H:%M").to_string()
    };
    format!("{}-{}", at(from), at(to))
}

/// Closed for two hours more.
pub fn closed() -> String {
    window(120, 240)
}

/// Open for half an hour more, of an hour and a half.
fn open() -> String {
    window(-60, 30)
}

/// The options of a run within `window`.
fn within(window: &str) -> [&str; 4] {
    ["--window", window, "--timezone", "UTC"]
}

/// As long as nothing was learned, half an hour is too little.
const AN_HOUR: [&str; 2] = ["--rebuild-timeout", "1h"];

#[test]
fn outside_its_window_a_run_sends_nothing_and_ends_with_code_5() {
    let rig = Rig::new(3);
    let hours = closed();
    let run = rig.run(&within(&hours)).exit(5);
    run.says(&format!(
        "the window {hours} UTC is closed for what is left; it opens next on "
    ))
    .says("3 queued")
    .says(&format!("run --window {hours} --timezone UTC"));
    assert_eq!(rig.submissions(), 0);
    // Without the window the command would go on by day.
    rig.call(&["status"])
        .exit(0)
        .says_out(&format!("window       {hours} UTC: closed, opens "))
        .says_out(&format!("run --window {hours} --timezone UTC --rate 0 "))
        .says_out("` goes on with it from ");
    let json = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(json["window"]["hours"], hours.as_str());
    assert_eq!(json["window"]["closes_at"], serde_json::Value::Null);

    // Inside, the same command goes on.
    let hours = open();
    rig.run(&within(&hours)).exit(0).says("done 3");
    assert_eq!(rig.wiped(), [1, 1, 1]);
    rig.assert_truth(1);
}

#[test]
fn what_may_take_longer_than_the_window_is_open_does_not_start() {
    let rig = Rig::new(3);
    let hours = open();
    let options = [&within(&hours)[..], &AN_HOUR].concat();
    rig.run(&options).exit(5).says("3 queued");
    assert_eq!(rig.submissions(), 0);
    let status = rig.call(&["status"]).exit(0);
    status
        .says_out(&format!("window       {hours} UTC: open, closes "))
        .says_out("; 3 jobs wait for ")
        .says_out("` goes on with it from ");
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["window"]["waiting"], 3);
    let opens: Timestamp = status["window"]["opens_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let closes: Timestamp = status["window"]["closes_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(opens > closes);
    let held = rig.call(&["list"]).exit(0);
    held.says_out(&format!("held back by the window {hours} UTC, until "));
    let service = FIRST.to_string();
    let shown = rig.call(&["show", &service, "--json"]).exit(0).json();
    let held = &shown["jobs"][0]["held_back"][0];
    assert_eq!(held["rule"], "window");
    assert_eq!(held["until"]["at"], status["window"]["opens_at"]);
}

#[test]
fn five_rebuilds_of_an_image_show_how_long_it_takes_and_those_of_another_do_not() {
    let rig = Rig::new(8);
    rig.write("fleet.csv", manifest(5));
    rig.run(&[]).exit(0);
    let other = (FIRST + 7).to_string();
    let rows = manifest(8);
    let rows = rows.lines().map(|line| {
        if line.starts_with(&other) {
            line.replace(IMAGE, OTHER_IMAGE)
        } else {
            line.to_owned()
        }
    });
    // The one that nobody knows stands first, and holds up none of the others.
    let mut rows: Vec<String> = rows.collect();
    let last = rows.pop().unwrap();
    rows.insert(1, last);
    rig.write("fleet.csv", rows.join("\n") + "\n");
    let hours = open();
    let options = [&within(&hours)[..], &AN_HOUR, &["--skip-done"]].concat();
    rig.run(&options).exit(5).says("1 queued");
    assert_eq!(rig.wiped(), [1, 1, 1, 1, 1, 1, 1, 0]);
    rig.run(&within(&hours)).exit(0);
    assert_eq!(rig.wiped(), [1; 8]);
}

#[test]
fn a_run_that_was_killed_inside_is_only_seen_through_outside() {
    let rig = Rig::with(6, |config| {
        config.rebuild_duration = std::time::Duration::from_millis(300);
    });
    let inside = open();
    let mut run = rig.watch(&[&within(&inside)[..], &["--workers", "2"]].concat());
    run.wait_for(1, "done");
    run.signal("KILL");
    run.end();
    // What it had sent may still be on its way.
    while rig.simulator.connections() > 0 {
        std::thread::yield_now();
    }
    let sent = rig.submissions();
    let outside = closed();
    // What it was submitting when it died may be a doubt that only a person can settle.
    let run = rig
        .run(&[&within(&outside)[..], &["--workers", "2"]].concat())
        .exit(5);
    assert_eq!(rig.submissions(), sent, "{run}");
    let states = rig.states();
    assert!(!states.contains_key("submitting") && !states.contains_key("in_progress"));
    assert!(
        states.contains_key("queued") && states.contains_key("done"),
        "{states:?}"
    );

    let run = rig.run(&within(&inside));
    let held = rig.states().get("in_doubt").map_or(0, Vec::len);
    run.exit(if held == 0 { 0 } else { 3 });
    assert!(held <= 2, "{held}");
    assert!(rig.wiped().iter().all(|&wiped| wiped <= 1));
    rig.assert_truth(1);
}

#[test]
fn without_waiting_starts_are_within_the_window_all_the_same() {
    let rig = Rig::new(2);
    let hours = closed();
    rig.run(&[&within(&hours)[..], &["--no-wait"]].concat())
        .exit(5);
    assert_eq!(rig.submissions(), 0);
    let hours = open();
    rig.run(&[&within(&hours)[..], &["--no-wait"]].concat())
        .exit(0);
    assert_eq!(rig.submissions(), 2);
}

#[test]
fn a_window_that_fits_nothing_or_says_nothing_is_refused() {
    let rig = Rig::new(3);
    for (options, words) in [
        (
            &[
                "--window",
                "01:00-01:30",
                "--timezone",
                "UTC",
                "--rebuild-timeout",
                "40m",
            ][..],
            &[
                &format!("image {IMAGE} could never start"),
                "within --window 01:00-01:30 UTC, which is open for 30m 0s: it",
                "may take 40m 0s, as --rebuild-timeout says",
            ][..],
        ),
        (
            &["--window", "01:00-01:00", "--timezone", "UTC"],
            &["it ends when it begins"],
        ),
        (
            &["--window", "1am-5am", "--timezone", "UTC"],
            &["`1am-5am` is no window", "01:00-05:00"],
        ),
        (
            &["--window", "01:00-05:00", "--timezone", "Berlin"],
            &["there is no time zone `Berlin`", "Europe/Berlin"],
        ),
    ] {
        let run = rig.run(options).exit(2);
        words.iter().fold(run, |run, word| run.says(word));
        assert_eq!(rig.calls(), 0);
    }
    let mut run = rig.order("fleet.csv", &["--window", "01:00-05:00"]);
    run.env("TZ", "Nowhere/At-all");
    finish(run).exit(2).says("say with --timezone");
    // Nothing was queued: a run without a window asks for a new order.
    rig.run(&[]).exit(0).says("done 3");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

#[test]
fn a_plan_holds_its_window() {
    let rig = Rig::new(2);
    let hours = closed();
    let plan = [
        "plan",
        "fleet.csv",
        "--out",
        "plan.json",
        "--max-failures",
        "100%",
        "--rebuild-timeout",
        "1m",
        "--window",
        &hours,
        "--timezone",
        "UTC",
    ];
    rig.call(&plan).exit(0);
    let follow = ["--plan", "plan.json"];
    rig.run(&[&follow[..], &within(&open())].concat())
        .exit(2)
        .says(&format!("it holds --window {hours}"));
    rig.run(&follow)
        .exit(5)
        .says(&format!("the window {hours} UTC is closed"));
    assert_eq!(rig.submissions(), 0);
}

/// Before it was learned how long a rebuild takes, the time-out decides what fits.
#[test]
fn a_plan_for_a_window_is_followed_by_the_command_that_it_proposes() {
    let rig = Rig::new(2);
    let hours = window(-5, 35);
    let pace = QUICK
        .chunks(2)
        .filter(|pair| pair[0] != "--rebuild-timeout");
    let pace: Vec<&str> = pace.flatten().copied().collect();
    let plan = ["plan", "fleet.csv", "--out", "plan.json"];
    let plan = [&plan[..], &within(&hours), &pace].concat();
    rig.call(&plan).exit(2).says("could never start");
    let planned = rig.call(&[&plan[..], &["--rebuild-timeout", "10m"]].concat());
    let proposed = planned.exit(0).proposed(" --plan plan.json");
    let by_plan: Vec<&str> = proposed.iter().map(String::as_str).collect();
    rig.call(&by_plan).exit(0).says("done 2");
    assert_eq!(rig.wiped(), [1, 1]);
}

#[test]
fn the_expected_end_counts_groups_and_windows() {
    let rig = Rig::new(6);
    let grouped = manifest(6).replace("password,note\n", "password,group\n");
    let grouped: Vec<String> = grouped
        .lines()
        .map(|line| match line.rsplit_once(',') {
            Some((row, note)) if note.starts_with("row of") => format!("{row},all"),
            _ => line.to_owned(),
        })
        .collect();
    rig.write("fleet.csv", grouped.join("\n") + "\n");
    rig.call(&["plan", "fleet.csv", "--max-failures", "100%"])
        .exit(0)
        .says_out("It will take about 30m 0s, until ")
        .says_out("What it waits for is --max-per-group: without that it would take 5m 0s.");
    // Five fit into one night, and the last is left for the next one.
    let hours = window(120, 150);
    let options = [&within(&hours)[..], &["--rebuild-timeout", "8m"]].concat();
    rig.call(&[&["plan", "fleet.csv"], &options[..]].concat())
        .exit(0)
        .says_out("It will take about 1d 2h, until ")
        .says_out("That is 2 nights: the window is open for 30m 0s, and the order needs 30m 0s.");
}

/// What an image takes may grow beyond the window: what is in flight is to be seen through all the same.
#[test]
fn a_window_that_fits_nothing_any_more_is_refused_when_nothing_is_in_flight() {
    let rig = Rig::with(3, |config| {
        config.rebuild_duration = std::time::Duration::from_secs(2);
    });
    let inside = open();
    let mut run = rig.watch(&[&within(&inside)[..], &["--workers", "1"]].concat());
    run.wait_for(1, "in_progress");
    run.signal("KILL");
    run.end();
    let short = window(-10, 10);
    let too_long = [&within(&short)[..], &AN_HOUR].concat();
    rig.run(&too_long).exit(5).says("2 queued");
    assert_eq!(rig.states()["done"].len(), 1);
    rig.run(&too_long).exit(2).says("could never start");
    rig.assert_truth(1);
}

/// A word that was typed for nothing is a misunderstanding; a default waits for its use.
#[test]
fn what_was_typed_for_no_window_and_no_group_is_refused_and_what_is_configured_is_not() {
    let rig = Rig::new(1);
    for (options, words) in [
        (
            ["--timezone", "UTC"],
            "--timezone says whose clocks --window means",
        ),
        (
            ["--max-per-group", "2"],
            "--max-per-group limits the groups",
        ),
        (["--timezone", "Factory"], "Factory"),
        (["--timezone", "localtime"], "localtime"),
    ] {
        rig.run(&options).exit(2).says(words);
        rig.call(&["plan", "fleet.csv", options[0], options[1]])
            .exit(2)
            .says(words);
    }
    assert!(rig.sql("SELECT id FROM batch").is_empty());
    let config = "[account.only]\ntimezone = \"UTC\"\nmax-per-group = 2\n";
    rig.write("config.toml", config);
    let mut command = rig.order("fleet.csv", &[]);
    command.env("REFLEET_CONFIG", "config.toml");
    finish(command).exit(0);
}
