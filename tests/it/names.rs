//! Names of images and keys in the sheet instead of ids.

use crate::rig::{FIRST, IMAGE, OTHER_IMAGE, Rig, SIGABRT, finish};
use refleet::simulator::{Call, Config, Fault, FaultKind, Image, Script, SshKey};

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

/// The account's image is one that only the instances' own forms offer: the simulator tells data centres
/// apart by letter case, as no client does.
fn only_in_the_forms(config: &mut Config) {
    for instance in &mut config.instances {
        "SIMULATED".clone_into(&mut instance.datacenter);
    }
    for image in &mut config.images {
        image.datacenter = Some("SIMULATED".to_owned());
    }
    config.images.push(Image {
        id: "e3b81d06-0f4a-4c29-b7d5-94a6c81e2f73".parse().unwrap(),
        name: "Debian-12".to_owned(),
        zone: "pub".to_owned(),
        datacenter: Some("Simulated".to_owned()),
    });
}

#[test]
fn a_name_of_which_the_catalogue_says_something_else_is_refused() {
    let rig = Rig::with(2, |config| {
        only_in_the_forms(config);
        config.images.push(Image {
            id: OTHER_IMAGE.parse().unwrap(),
            name: "almalinux-8".to_owned(),
            zone: "pub".to_owned(),
            datacenter: Some("Simulated".to_owned()),
        });
    });
    rig.write("fleet.csv", by_name(2));
    for command in ["run", "load", "plan"] {
        let refused = match command {
            "run" => rig.run(&[]),
            command => rig.call(&[command, "fleet.csv"]),
        };
        refused
            .exit(2)
            .says("form and catalogue of the API give this name to different ids")
            .says(&format!("`{IMAGE}` there,"))
            .says(&format!("`{OTHER_IMAGE}` in the catalogue"))
            .says("give the id of the one that is meant");
    }
    assert!(!rig.database().exists(), "nothing was queued");
    // Who gives the id has said which one it is.
    rig.write("fleet.csv", by_name(2).replace("almalinux 8", IMAGE));
    rig.run(&[]).exit(0);
    rig.assert_truth(1);
}

/// A key decides who gets in: of two that have one label nobody guesses.
#[test]
fn a_key_of_which_the_catalogue_says_something_else_is_refused() {
    let rig = Rig::with(2, |config| {
        config.ordered_ssh_keys = Some(vec![SshKey {
            id: "700".to_owned(),
            label: "key-490".to_owned(),
        }]);
    });
    rig.write("fleet.csv", by_name(2));
    rig.run(&[])
        .exit(2)
        .says("column `ssh_key`")
        .says("form and catalogue of the API give this name to different ids")
        .says("`490` there,")
        .says("`700` in the catalogue");
    assert!(!rig.database().exists(), "nothing was queued");
    rig.write("fleet.csv", by_name(2).replace("key-490", "490"));
    rig.run(&[]).exit(0);
    rig.assert_truth(1);
}

#[test]
fn what_the_catalogue_does_not_list_is_told_once_unless_it_is_somebodys_own() {
    let rig = Rig::with(2, only_in_the_forms);
    rig.write("fleet.csv", by_name(2));
    let run = rig.run(&[]).exit(0);
    let warning = "the catalogue of the API does not list what this name stands for";
    assert_eq!(run.err.matches(warning).count(), 1, "{}", run.err);
    run.says(&format!("line 2: `almalinux 8`: `{IMAGE}`"));
    rig.assert_truth(1);
    let own = Rig::with(2, |config| {
        only_in_the_forms(config);
        config.images[0].zone = "own".to_owned();
    });
    own.write("fleet.csv", by_name(2));
    let run = own.run(&[]).exit(0);
    assert!(!run.err.contains("catalogue"), "{}", run.err);
}

#[test]
fn a_catalogue_that_tells_nothing_stops_no_order() {
    for (centre, why) in [
        (None, "it lists no tariff"),
        (Some("Elsewhere"), "it has nothing of Elsewhere"),
    ] {
        let rig = Rig::with(2, |config| match centre {
            None => config.datacenters.clear(),
            Some(centre) => {
                for instance in &mut config.instances {
                    centre.clone_into(&mut instance.datacenter);
                }
            }
        });
        rig.write("fleet.csv", by_name(2));
        let run = rig.run(&[]).exit(0);
        let said = "the API's catalogue does not confirm what the names stand for";
        assert_eq!(run.err.matches(said).count(), 1, "{}", run.err);
        run.says(why);
        rig.assert_truth(1);
        let quiet = rig.run(&["-q", "--again"]).exit(0);
        assert!(!quiet.err.contains(said), "{}", quiet.err);
    }
}

#[test]
fn a_plan_says_what_its_names_cost() {
    let rig = Rig::new(2);
    rig.write("fleet.csv", by_name(2));
    let before = rig.calls();
    let load = rig.call(&["load", "fleet.csv"]).exit(0);
    assert!(!load.err.contains("calls"), "{}", load.err);
    let calls = rig.calls() - before;
    rig.call(&["cancel", "--all"]).exit(0);
    let plan = ["plan", "fleet.csv", "--again", "--rate", "0"];
    rig.call(&plan)
        .exit(0)
        .says_out(&format!("Looking up its names took {calls} calls"));
    let plan = [&plan[..], &["--format", "json"]].concat();
    let json = rig.call(&plan).exit(0).json();
    assert_eq!(json["lookup_calls"], calls, "{json}");
    rig.write("fleet.csv", by_id(2));
    let by_id = rig.call(&plan).exit(0).json();
    assert!(by_id["lookup_calls"].is_null(), "{by_id}");
}
