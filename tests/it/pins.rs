//! Pins: what the manifest expects to stand on an instance is compared with the account's list before
//! anything is sent, and right before each submission.

use std::fmt::Write as _;
use std::time::Duration;

use crate::rig::{FIRST, IMAGE, PASSWORD, Rig, services};
use refleet::simulator::InstanceChange;

const OLD: &str = "CentOS-7";

/// A manifest of the first `count` services, pinned to what stands there; `name` and `ip` say which
/// number the names and the addresses of a row have.
fn pinned(count: usize, name: impl Fn(usize) -> usize, image: &str) -> String {
    let mut text = "service_id,image,password,expect_name,expect_ip,expect_image\n".to_owned();
    for (number, service) in (1..).zip(services(count)) {
        writeln!(
            text,
            "{service},{IMAGE},{PASSWORD},web-{:02},127.66.0.{number},{image}",
            name(number)
        )
        .unwrap();
    }
    text
}

fn right(count: usize) -> String {
    pinned(count, |number| number, "centos 7")
}

fn named(name: &str) -> InstanceChange {
    InstanceChange {
        name: Some(name.to_owned()),
        ..InstanceChange::default()
    }
}

/// The errors that the report gives, by service.
fn errors(rig: &Rig) -> Vec<(i64, String)> {
    let report = rig.report();
    let failed = report.iter().filter(|row| row["state"] == "failed");
    let error = |row: &serde_json::Value| {
        assert_eq!(row["error_kind"], "plan_mismatch", "{row}");
        assert_eq!(
            (&row["executed"], &row["attempts"]),
            (&"no".into(), &0.into())
        );
        let error = row["error"].as_str().unwrap().to_owned();
        (row["service_id"].as_i64().unwrap() - FIRST, error)
    };
    failed.map(error).collect()
}

#[test]
fn an_instance_that_is_not_as_its_pins_say_fails_untouched_and_the_others_are_rebuilt() {
    for (change, error) in [
        (named("db-1"), "its name is `db-1`, not `web-02`"),
        (
            InstanceChange {
                ip: Some("198.51.100.7".to_owned()),
                ..InstanceChange::default()
            },
            "its address is `198.51.100.7`, not `127.66.0.2`",
        ),
        (
            InstanceChange {
                image: Some("Debian-12".to_owned()),
                ..InstanceChange::default()
            },
            "its image is `Debian-12`, not `centos 7`",
        ),
        (named("web-02"), ""),
    ] {
        let rig = Rig::new(3);
        rig.write("fleet.csv", right(3));
        rig.change(1, &change);
        // It is no failure of the run.
        let ended = rig.run(&["--max-failures", "1"]);
        let is_right = error.is_empty();
        let ended = ended.exit(i32::from(!is_right));
        let wiped = if is_right { [1, 1, 1] } else { [1, 0, 1] };
        assert_eq!(rig.wiped(), wiped, "{ended}");
        let expected = (!is_right).then(|| (1, error.to_owned()));
        assert_eq!(errors(&rig), Vec::from_iter(expected));
        rig.assert_truth(1);
    }
}

/// Somebody has sorted one column, or deleted a cell and shifted the rest up.
#[test]
fn a_sheet_whose_ids_have_slipped_by_a_row_wipes_nothing() {
    let rig = Rig::new(6);
    rig.write("fleet.csv", pinned(6, |number| number % 6 + 1, OLD));
    let ended = rig.run(&[]).exit(6);
    let ended = ended
        .says("6 instances are other than the order expects, --max-mismatch allows 1; nothing was sent")
        .says("line 2, service 5113119: its name is `web-01`, not `web-02`")
        .says("retry --failed --from");
    assert_eq!(rig.submissions(), 0, "{ended}");
    assert_eq!(rig.states()["queued"].len(), 6);
    // A copy without pins must not take them away.
    rig.write("old.csv", right(6).replace("expect_", "old "));
    let refused = crate::rig::finish(rig.order("old.csv", &[])).exit(2);
    refused.says("this file gives another password, key or pin for 6 jobs of batch 1");
    // The mended sheet is the same order: what is still queued takes its pins.
    rig.write("fleet.csv", right(6));
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1; 6]);
}

/// A sheet that was saved without its pins: what guarded the instances is gone, and that is said.
#[test]
fn pins_that_are_gone_from_an_open_order_are_told_under_quiet_too() {
    let rig = Rig::new(3);
    rig.write("fleet.csv", right(3));
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("fleet.csv", right(3).replace("expect_", "old "));
    rig.call(&["load", "fleet.csv", "-q"]).exit(0).says(
        "warning: 3 jobs of batch 1 go unchecked by pins that they had and that fleet.csv does not have now",
    );
    // They are gone now.
    let again = rig.call(&["load", "fleet.csv", "-q"]).exit(0);
    assert_eq!(again.err, "");
    rig.write("fleet.csv", right(3));
    let back = rig.run(&["-q"]).exit(0);
    assert!(!back.err.contains("unchecked"), "{back}");
}

#[test]
fn as_many_instances_as_max_mismatch_allows_are_left_out_and_one_more_halts() {
    for (allowed, code) in [("1", 6), ("33%", 6), ("34%", 1), ("2", 1), ("100%", 1)] {
        let rig = Rig::new(6);
        rig.write("fleet.csv", right(6));
        rig.change(0, &named("db-1"));
        rig.change(5, &named("db-2"));
        let ended = rig.run(&["--max-mismatch", allowed]).exit(code);
        let wiped = if code == 6 {
            [0; 6]
        } else {
            [0, 1, 1, 1, 1, 0]
        };
        assert_eq!(rig.wiped(), wiped, "{ended}");
    }
    let rig = Rig::new(1);
    for nonsense in ["0", "0%", "101%", "few"] {
        let refused = rig.run(&["--max-mismatch", nonsense]).exit(2);
        refused.says("neither a number from 1 up nor a share from 1% to 100%");
    }
}

#[test]
fn instances_that_change_during_the_run_halt_it_until_somebody_deals_with_them() {
    let rig = Rig::with(8, |config| config.rebuild_duration = Duration::from_secs(2));
    rig.write("fleet.csv", right(8));
    let more = ["--workers", "1", "--max-mismatch", "2"];
    let mut running = rig.watch(&more);
    running.wait_for(1, "in_progress");
    for nth in 1..8 {
        rig.change(nth, &named("sold"));
    }
    let ended = running.end().exit(6);
    ended.says("3 instances are other than the order expects, --max-mismatch allows 2\n");
    assert_eq!(rig.wiped(), [1, 0, 0, 0, 0, 0, 0, 0]);
    let found = errors(&rig);
    let first = (1, "its name is `sold`, not `web-02`".to_owned());
    assert_eq!((found.len(), &found[0]), (3, &first));
    // It is not forgotten.
    rig.run(&more).exit(6).says("; nothing was sent");
    for nth in 1..8 {
        rig.change(nth, &named(&format!("web-{:02}", nth + 1)));
    }
    rig.run(&more).exit(6);
    rig.call(&["retry", "--failed"]).exit(0);
    rig.run(&["--workers", "8"]).exit(0);
    assert_eq!(rig.wiped(), [1; 8]);
}

#[test]
fn what_failed_by_its_pins_keeps_them_and_takes_those_of_the_mended_sheet() {
    let rig = Rig::new(2);
    rig.write("fleet.csv", right(2));
    rig.change(1, &named("shop"));
    rig.run(&[]).exit(1);
    rig.call(&["retry", "--failed"]).exit(0);
    rig.run(&[]).exit(1);
    let error = (1, "its name is `shop`, not `web-02`".to_owned());
    assert_eq!(errors(&rig), [error]);
    rig.write("fleet.csv", right(2).replace("web-02", "shop"));
    rig.call(&["retry", "--failed", "--from", "fleet.csv"])
        .exit(0);
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1, 1]);
}

#[test]
fn without_a_list_to_compare_them_with_pins_are_refused() {
    let rig = Rig::new(2);
    rig.write("fleet.csv", right(2));
    let refused = rig.run(&["--no-wait"]).exit(2);
    refused.says(
        "fleet.csv pins what must stand on its instances (expect_...), and --no-wait reads no list",
    );
    rig.load();
    let mut resumed = rig.refleet(&["run", "--yes", "--no-wait"]);
    resumed.args(rig.pace.words());
    let refused = crate::rig::finish(resumed).exit(2);
    refused.says("batch 1 expects something of its instances, and --no-wait reads no list");
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn a_rehearsal_finds_what_the_manifest_expects() {
    let rig = Rig::new(1);
    let manifest = right(3)
        .replace("web-02", "'=shop")
        .replace("127.66.0.3", "2001:db8::3");
    rig.write("fleet.csv", manifest);
    let run = ["run", "fleet.csv", "--simulate", "--yes", "-q"];
    let mut rehearsal = crate::rig::bare(rig.folder.path());
    rehearsal.args(run);
    crate::rig::finish(rehearsal).exit(0);
}

#[cfg(target_os = "linux")]
#[test]
fn the_question_says_which_instances_are_not_sent_because_they_are_not_as_expected() {
    use crate::rig::{Size, on_a_terminal, quick};

    let rig = Rig::new(8);
    rig.write("fleet.csv", right(8));
    for nth in [1, 3, 4, 6] {
        rig.change(nth, &named("sold"));
    }
    let mut args = quick("fleet.csv", &["--max-mismatch", "50%"]);
    args.retain(|arg| *arg != "--yes");
    let typed = [("instances: ", &b"4\n"[..])];
    let (code, said) = on_a_terminal(rig.refleet(&args), Size::USUAL, &typed);
    assert_eq!(code, 1, "{said}");
    for line in [
        "NOT SENT: 5113120: its name is `sold`, not `web-02`.",
        "NOT SENT: 5113123: its name is `sold`, not `web-05`.",
        "NOT SENT: 1 is not as expected either",
        "ALL DATA on 4 instances will be DESTROYED.",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }
    assert_eq!(rig.wiped(), [1, 0, 1, 0, 0, 1, 0, 1]);
}
