//! What the account holds and offers: `services`.

use std::fs;
use std::process::Stdio;

use refleet::simulator::{Call, Config, FaultKind, InstanceChange, Script};

use crate::rig::{FIRST, IMAGE, Rig, finish};

/// Two data centres, and names that would do something to a spreadsheet or a terminal.
fn odd_names(config: &mut Config) {
    let names = [
        "web \"one\", first",
        "=HYPERLINK(\"http://x\",1)",
        "'=1+1",
        " two\nlines\t",
        "база;+1",
        "\u{1b}[2J-5",
    ];
    for (instance, name) in config.instances.iter_mut().zip(names) {
        name.clone_into(&mut instance.name);
    }
    "NL-1".clone_into(&mut config.instances[1].datacenter);
    "stopped".clone_into(&mut config.instances[1].status);
    config.instances[2].datacenter.clear();
    "@old;=x".clone_into(&mut config.instances[5].image);
}

#[test]
fn services_lists_the_account_for_people_and_for_scripts() {
    let rig = Rig::with(6, odd_names);
    let table = rig.call(&["services"]).exit(0);
    insta::assert_snapshot!(table.out, @r#"
    service id  name                      ip         image     status   datacenter
    5113119     web "one", first          192.0.2.1  CentOS-7  active   Simulated
    5113120     =HYPERLINK("http://x",1)  192.0.2.2  CentOS-7  stopped  NL-1
    5113121     '=1+1                     192.0.2.3  CentOS-7  active
    5113122     two lines                 192.0.2.4  CentOS-7  active   Simulated
    5113123     база;+1                   192.0.2.5  CentOS-7  active   Simulated
    5113124     \u{1b}[2J-5               192.0.2.6  @old;=x   active   Simulated
    "#);
    assert_eq!(table.err, "");
    let json = rig.call(&["services", "--json", "-q"]).exit(0).json();
    assert_eq!(json["version"], 1);
    assert_eq!(json["services"][1]["service_id"], FIRST + 1);
    assert_eq!(json["services"][1]["name"], "=HYPERLINK(\"http://x\",1)");
    assert_eq!(json["services"][1]["status"], "stopped");
    assert_eq!(json["services"][2]["datacenter"], serde_json::Value::Null);
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn services_reads_every_page_at_the_given_rate() {
    let rig = Rig::with(23, |config| config.page_size = 5);
    let listed = rig.call(&["services", "--json", "--rate", "0"]).exit(0);
    assert_eq!(listed.json()["services"].as_array().unwrap().len(), 23);
    assert_eq!(rig.simulator.record().calls[&Call::Instances], 5);
}

#[test]
fn services_writes_a_manifest_that_lacks_only_its_image() {
    let rig = Rig::with(6, odd_names);
    rig.call(&["services", "--output", "new.csv"])
        .exit(0)
        .says("6 instances written to new.csv as CSV");
    let csv = fs::read_to_string(rig.path("new.csv")).unwrap();
    insta::assert_snapshot!(csv, @r#"
    service_id,image,expect_name,expect_ip,expect_image,note
    5113119,,"web ""one"", first",192.0.2.1,CentOS-7,Simulated
    5113120,,"'=HYPERLINK(""http://x"",1)",192.0.2.2,CentOS-7,NL-1
    5113121,,''=1+1,192.0.2.3,CentOS-7,
    5113122,,two lines,192.0.2.4,CentOS-7,Simulated
    5113123,,база;'+1,192.0.2.5,CentOS-7,Simulated
    5113124,,\u{1b}[2J-5,192.0.2.6,'@old;'=x,Simulated
    "#);
    // Only the image is missing, in every row; nothing else is wrong.
    let check = rig.call(&["check", "new.csv"]).exit(2);
    assert_eq!(check.err.matches("error: ").count(), 1, "{}", check.err);
    check
        .says("the cell is empty")
        .says("column `image`, lines 2-7");
    // An image that somebody filled in is not lost to the next list.
    let filled = csv.replace(",,", &format!(",{IMAGE},"));
    rig.write("new.csv", &filled);
    rig.call(&["services", "--output", "new.csv"])
        .exit(2)
        .says("new.csv is a manifest, and is not written over");
    assert_eq!(fs::read_to_string(rig.path("new.csv")).unwrap(), filled);
    rig.call(&["check", "new.csv"]).exit(0);
}

#[test]
fn services_says_that_a_list_could_not_be_read_whole() {
    let rig = Rig::new(3);
    let change = InstanceChange {
        readable: Some(false),
        ..InstanceChange::default()
    };
    rig.change(1, &change);
    let listed = rig.call(&["services", "--json", "-q", "--rate", "0"]);
    let listed = listed
        .exit(1)
        .says("the list says that it has 3 instances, and 2 of them");
    assert_eq!(listed.json()["services"].as_array().unwrap().len(), 2);
    // The same list, and a file.
    rig.call(&["services", "--output", "new.csv", "--rate", "0"])
        .exit(1);
    assert!(rig.path("new.csv").exists());
}

#[test]
fn services_renews_a_session_and_says_why_it_cannot_go_on() {
    let rig = Rig::new(3);
    rig.simulator
        .script(Script::next(Call::Instances, FaultKind::SessionExpiry));
    rig.call(&["services", "--rate", "0"]).exit(0);
    assert_eq!(rig.simulator.record().calls[&Call::Auth], 2);

    let forever = |kind| Script {
        times: u64::MAX,
        ..Script::next(Call::Instances, kind)
    };
    rig.simulator.script(forever(FaultKind::ResetBefore));
    let lost = rig.call(&["services", "--rate", "0", "--output", "new.csv"]);
    lost.exit(4).says("hint: ");
    assert!(!rig.path("new.csv").exists());

    let mut command = rig.refleet(&["services"]);
    command.env("ZOMRO_PASSWORD", "Wrong-Password-1");
    let refused = finish(command).exit(7);
    assert_eq!(refused.out, "");
    assert!(!refused.err.contains("Wrong-Password-1"), "{}", refused.err);

    let mut command = rig.refleet(&["services"]);
    command
        .env_remove("ZOMRO_USERNAME")
        .env_remove("ZOMRO_PASSWORD");
    finish(command).exit(2).says("no credentials");
}

#[test]
fn an_account_without_instances_is_said() {
    let rig = Rig::new(0);
    let empty = rig.call(&["services"]).exit(0).says("shows no instance");
    assert_eq!(empty.out.lines().count(), 1);
    rig.call(&["services", "--json"])
        .exit(0)
        .says_out("\"services\":[]");
    rig.call(&["services", "--format", "csv", "-q"]).exit(0);
}

#[test]
fn a_list_goes_where_it_was_asked_for_or_nowhere() {
    let rig = Rig::new(1);
    rig.load();
    for (path, says) in [
        ("new.txt", "ends in neither .csv nor .json"),
        ("state/refleet.db", "is not written over"),
        ("~/new.csv", "--output"),
    ] {
        rig.call(&["services", "--output", path, "--rate", "0"])
            .exit(2)
            .says(says);
    }
    rig.call(&["services", "--output", "no/new.csv"])
        .exit(74)
        .says("cannot write no/new.csv");
    // A reader that has gone away has seen what it wanted.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = rig.refleet(&["services"]);
    command.stdout(Stdio::from(writer));
    assert_eq!(command.status().unwrap().code(), Some(0));
}
