//! The main job, from outside: a fleet is rebuilt, and report, database and simulator agree.

use crate::rig::{QUICK, Rig, bare, finish, manifest};
use refleet::simulator::{Call, FaultKind, FaultPlan, Script};
use sqlx::Row as _;
use std::time::Duration;

#[test]
fn the_first_command_of_the_readme_rebuilds_the_example_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare(folder.path());
    command
        .args([
            "run",
            concat!(env!("CARGO_MANIFEST_DIR"), "/examples/fleet.csv"),
        ])
        .args(["--simulate", "--yes", "--workers", "12"])
        .args(QUICK);
    let run = finish(command)
        .exit(0)
        .says("of 12: done 12, failed 0, in doubt 0")
        .says("refleet/simulation.db");
    assert_eq!(run.out, "", "results go to stdout, and a run has none");

    let mut command = bare(folder.path());
    let database = folder.path().join(".local/state/refleet/simulation.db");
    command
        .args(["report", "--format", "csv", "--db"])
        .arg(database);
    let report = finish(command).exit(0).out;
    assert_eq!(
        report.matches(",done,yes,observed,1,20").count(),
        12,
        "{report}"
    );
}

#[test]
fn five_hundred_services_with_a_fifth_of_all_calls_going_wrong_are_never_rebuilt_twice() {
    let count = 500;
    // Sessions end at chosen moments, not by chance: after two in a row the run leaves the API alone
    // for 20 s, and now and then that would happen here.
    let mut random_kinds = FaultKind::USUAL.to_vec();
    random_kinds.retain(|kind| *kind != FaultKind::SessionExpiry);
    let rig = Rig::with(count, |config| {
        config.rebuild_duration = Duration::from_millis(200);
        config.faults = FaultPlan {
            rate: 0.2,
            kinds: random_kinds.clone(),
            seed: 20_260,
        };
    });
    for skip in [20, 150, 300, 450] {
        rig.simulator.script(Script {
            skip,
            ..Script::next(Call::Submission, FaultKind::SessionExpiry)
        });
    }
    rig.fleet(count);
    let run = rig.run(&["--workers", "64", "--timeout", "500ms"]);

    rig.assert_truth(1);
    let states = rig.states();
    let number = |state: &str| states.get(state).map_or(0, Vec::len);
    assert_eq!(
        number("done") + number("failed") + number("in_doubt"),
        count
    );
    assert!(number("done") > count * 3 / 4, "{states:?}");
    let record = rig.record();
    for kind in FaultKind::USUAL {
        assert!(
            record.faults.contains_key(&kind),
            "{kind}: {:?}",
            record.faults
        );
    }
    let expected = match (number("in_doubt"), number("failed")) {
        (0, 0) => 0,
        (0, _) => 1,
        _ => 3,
    };
    let run = run.exit(expected);
    for (state, words) in [
        ("done", "done"),
        ("failed", "failed"),
        ("in_doubt", "in doubt"),
    ] {
        if number(state) > 0 {
            assert!(
                run.err.contains(&format!("{words} {}", number(state))),
                "{}",
                run.err
            );
        }
    }

    // The report says row by row what the database holds, and so does the view for the `sqlite3` shell.
    let told: Vec<(i64, String)> = rig
        .report()
        .iter()
        .map(|row| {
            (
                row["service_id"].as_i64().unwrap(),
                row["state"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    for statement in [
        "SELECT service_id, state FROM job ORDER BY line",
        "SELECT service_id, state FROM results",
    ] {
        let rows = rig.sql(statement);
        let stored: Vec<(i64, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(stored, told, "{statement}");
    }
}

#[test]
fn a_service_that_the_manifest_does_not_name_is_left_alone() {
    let rig = Rig::new(3);
    rig.fleet(2);
    rig.run(&[]).exit(0).says("done 2, failed 0");
    assert_eq!(rig.wiped(), [1, 1, 0]);
    rig.assert_truth(1);
}

#[test]
fn a_manifest_comes_from_stdin_too() {
    let rig = Rig::new(2);
    let mut command = assert_cmd::Command::from_std(rig.order("-", &[]));
    command.write_stdin(manifest(2)).assert().code(0);
    assert_eq!(rig.wiped(), [1, 1]);
}
