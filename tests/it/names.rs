//! Names of images and keys in the sheet instead of ids.

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, Rig, SIGABRT, finish};
use refleet::simulator::{Call, Fault, FaultKind, Script};

/// A sheet by name for the first `count` services; the rig's account calls its image AlmaLinux-8.
fn by_name(count: i64) -> String {
    let rows = (FIRST..FIRST + count).map(|service| format!("{service},almalinux 8,key-490\n"));
    "service_id,image,ssh_key\n".to_owned() + &rows.collect::<String>()
}

fn by_id(count: i64) -> String {
    by_name(count)
        .replace("almalinux 8", IMAGE)
        .replace("key-490", "490")
}

#[test]
fn an_order_by_name_is_the_same_as_by_id() {
    let rig = Rig::new(3);
    rig.write("fleet.csv", by_name(3));
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1, 1, 1]);
    let images = rig.report().into_iter().map(|row| row["image"].clone());
    assert!(images.into_iter().all(|image| image == IMAGE));
    rig.write("fleet.csv", by_id(3));
    rig.run(&[]).exit(0).says("nothing to do");
    rig.write("fleet.csv", by_name(3));
    rig.run(&[]).exit(0).says("nothing to do");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

#[test]
fn names_that_stand_for_nothing_change_nothing_and_say_what_may_have_been_meant() {
    let rig = Rig::new(2);
    for command in ["run", "load"] {
        rig.write(
            "fleet.csv",
            format!(
                "service_id,image\n{FIRST},AlmaLinx-8\n{},{IMAGE}\n",
                FIRST + 1
            ),
        );
        let refused = match command {
            "run" => rig.run(&[]),
            command => rig.call(&[command, "fleet.csv"]),
        };
        refused
            .exit(2)
            .says("line 2, column `image`: `AlmaLinx-8`: was `AlmaLinux-8` meant?")
            .says("refleet images");
    }
    rig.write(
        "fleet.csv",
        format!("service_id,image\n999,{OTHER_IMAGE}\n998,AlmaLinux-8\n"),
    );
    rig.run(&[])
        .exit(2)
        .says("line 3, column `image`: `AlmaLinux-8`")
        .says("the account's list does not show the instance");
    assert_eq!(rig.submissions(), 0);
    assert!(!rig.database().exists(), "nothing was queued");
}

/// A key decides who gets root: a near one is proposed and not taken.
#[test]
fn a_key_is_meant_letter_by_letter() {
    let rig = Rig::new(1);
    rig.write("fleet.csv", by_name(1).replace("key-490", "key 490"));
    rig.run(&[])
        .exit(2)
        .says("line 2, column `ssh_key`: `key 490`: was `key-490` meant?");
    assert_eq!(rig.submissions(), 0);
    rig.write("fleet.csv", by_name(1).replace("key-490", "Key-490"));
    rig.run(&[]).exit(0);
    rig.assert_truth(1);
}

/// The ids are those of the account that was asked: under another they stand for something else.
#[test]
fn an_order_by_name_is_bound_to_the_account_whose_names_were_looked_up() {
    let rig = Rig::new(2);
    rig.write("ids.csv", by_id(2));
    rig.call(&["load", "ids.csv"]).exit(0);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert!(status["account"].is_null(), "{status}");
    rig.call(&["cancel", "--all"]).exit(0);
    rig.write("fleet.csv", by_name(2));
    rig.call(&["load", "fleet.csv", "--again"]).exit(0);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["account"]["id"], "70001", "{status}");
    // A run that dies before it has read anything else of the account has bound it, too.
    rig.call(&["cancel", "--all"]).exit(0);
    let mut dying = rig.order("fleet.csv", &["--again"]);
    dying.env("REFLEET_FAILPOINT", "load_after_commit");
    assert_eq!(finish(dying).code, -SIGABRT);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["account"]["id"], "70001", "{status}");
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn an_outage_while_names_are_looked_up_is_an_outage() {
    for (fault, exit) in [(FaultKind::Html, 4), (FaultKind::Unavailable, 4)] {
        let rig = Rig::new(1);
        rig.write("fleet.csv", by_name(1));
        rig.simulator.script(Script {
            times: u64::MAX,
            ..Script::next(Call::Preview, fault)
        });
        let refused = rig.call(&["load", "fleet.csv"]);
        assert_eq!(refused.code, exit, "{fault}: {refused}");
        assert!(!rig.database().exists(), "nothing was queued");
    }
}

#[test]
fn a_check_says_what_is_to_be_looked_up_and_asks_nobody() {
    let rig = Rig::new(2);
    rig.write("fleet.csv", by_name(2));
    rig.call(&["check", "fleet.csv"])
        .exit(0)
        .says_out("almalinux 8 (to be looked up)")
        .says_out("key-490 (to be looked up)");
    assert_eq!(rig.calls(), 0);
}

#[test]
fn a_corrected_sheet_by_name_gives_failed_jobs_another_way_in() {
    let rig = Rig::new(2);
    rig.write("fleet.csv", by_name(2));
    rig.fault(
        0,
        Fault {
            error_type: Some("value".to_owned()),
            ..Fault::new(FaultKind::Error)
        },
    );
    rig.run(&[]).exit(1);
    rig.call(&["retry", "--failed", "--from", "fleet.csv"])
        .exit(0);
    rig.run(&[]).exit(0);
    assert_eq!(rig.wiped(), [1, 1]);
}

#[test]
fn a_rehearsal_knows_the_names_of_its_sheet() {
    let rig = Rig::new(0);
    rig.write(
        "fleet.csv",
        "service_id,image,ssh_key\n5,Plan 9,laptop\n6,AlmaLinux-8,\n",
    );
    let mut command = rig.refleet(&[
        "run",
        "fleet.csv",
        "--simulate",
        "--yes",
        "--db",
        "rehearsal.db",
    ]);
    command.env_remove("REFLEET_API_URL");
    finish(command).exit(0).says("done 2");
}

#[test]
fn one_form_is_asked_for_in_each_data_centre() {
    let rig = Rig::new(6);
    rig.write("fleet.csv", by_name(6));
    rig.call(&["load", "fleet.csv"]).exit(0);
    let previews = rig.record().calls.get(&Call::Preview).copied();
    assert_eq!(previews, Some(1));
}
