//! What the account holds and offers: `services`, `images`, `keys`.

use std::fs;
use std::process::Stdio;

use refleet::simulator::{Call, Config, FaultKind, Image, InstanceChange, Names, Script, SshKey};
use serde_json::Value;

use crate::rig::{FIRST, IMAGE, Rig, finish, id};

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
    service id  name                      ip          image     status   datacenter
    5113119     web "one", first          127.66.0.1  CentOS-7  active   Simulated
    5113120     =HYPERLINK("http://x",1)  127.66.0.2  CentOS-7  stopped  NL-1
    5113121     '=1+1                     127.66.0.3  CentOS-7  active
    5113122     two lines                 127.66.0.4  CentOS-7  active   Simulated
    5113123     база;+1                   127.66.0.5  CentOS-7  active   Simulated
    5113124     \u{1b}[2J-5               127.66.0.6  @old;=x   active   Simulated
    "#);
    assert_eq!(table.err, "");
    let json = rig.call(&["services", "--json", "-q"]).exit(0).json();
    assert_eq!(json["version"], 1);
    assert_eq!(json["services"][1]["service_id"], FIRST + 1);
    assert_eq!(json["services"][1]["name"], "=HYPERLINK(\"http://x\",1)");
    assert_eq!(json["services"][1]["status"], "stopped");
    assert_eq!(json["services"][2]["datacenter"], Value::Null);
    assert_eq!(rig.submissions(), 0);
}

#[test]
fn services_reads_every_page_at_the_given_rate() {
    let rig = Rig::with(23, |config| config.page_size = 5);
    let listed = rig.call(&["services", "--json"]).exit(0);
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
    5113119,,"web ""one"", first",127.66.0.1,CentOS-7,Simulated
    5113120,,"'=HYPERLINK(""http://x"",1)",127.66.0.2,CentOS-7,NL-1
    5113121,,''=1+1,127.66.0.3,CentOS-7,
    5113122,,two lines,127.66.0.4,CentOS-7,Simulated
    5113123,,база;'+1,127.66.0.5,CentOS-7,Simulated
    5113124,,\u{1b}[2J-5,127.66.0.6,'@old;'=x,Simulated
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
    let listed = rig.call(&["services", "--json", "-q"]);
    let listed = listed
        .exit(1)
        .says("the list says that it has 3 instances, and 2 of them");
    assert_eq!(listed.json()["services"].as_array().unwrap().len(), 2);
    // The same list, and a file.
    rig.call(&["services", "--output", "new.csv"]).exit(1);
    assert!(rig.path("new.csv").exists());
}

#[test]
fn services_renews_a_session_and_says_why_it_cannot_go_on() {
    let rig = Rig::new(3);
    rig.simulator
        .script(Script::next(Call::Instances, FaultKind::SessionExpiry));
    rig.call(&["services"]).exit(0);
    assert_eq!(rig.simulator.record().calls[&Call::Auth], 2);

    let forever = |kind| Script {
        times: u64::MAX,
        ..Script::next(Call::Instances, kind)
    };
    rig.simulator.script(forever(FaultKind::ResetBefore));
    let lost = rig.call(&["services", "--output", "new.csv"]);
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
        ("new.txt", "ends in none of .csv, .json"),
        ("state/refleet.db", "is not written over"),
        ("~/new.csv", "--output"),
    ] {
        rig.call(&["services", "--output", path]).exit(2).says(says);
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

#[test]
fn what_services_pins_is_what_a_run_finds() {
    let rig = Rig::with(9, |config| {
        odd_names(config);
        config.instances[6].name = "é".repeat(400);
        config.instances[7].name = " '; '@x ;\"=1\"".to_owned();
        config.instances[7].image = "'+image, \"odd\"; -1".to_owned();
        config.instances[8].name.clear();
    });
    rig.call(&["services", "--output", "fleet.csv", "-q"])
        .exit(2);
    fs::remove_file(rig.path("fleet.csv")).unwrap();
    rig.call(&["services", "--output", "fleet.csv", "-q"])
        .exit(0)
        .said_nothing();
    let listed = fs::read_to_string(rig.path("fleet.csv")).unwrap();
    let filled = listed.replace(",,", &format!(",{IMAGE},"));
    // One pin is another one: that instance, and no other, is left alone.
    let shifted = filled.replace("two lines", "three lines");
    assert_ne!(filled, shifted);
    rig.write("fleet.csv", &shifted);
    rig.run(&["--max-mismatch", "100%"])
        .exit(1)
        .says("plan_mismatch");
    assert_eq!(rig.wiped(), [1, 1, 1, 0, 1, 1, 1, 1, 1]);
}

#[test]
fn a_name_that_could_not_be_read_is_no_pin() {
    let rig = Rig::with(1, |config| config.odd.names = Names::Broken);
    rig.call(&["services", "--output", "new.csv", "-q"]).exit(0);
    let csv = fs::read_to_string(rig.path("new.csv")).unwrap();
    assert!(
        csv.ends_with(&format!("{FIRST},,web-01,127.66.0.1,,Simulated\n")),
        "{csv}"
    );
    let filled = csv.replacen(",,", &format!(",{IMAGE},"), 1);
    rig.write("new.csv", filled);
    rig.call(&["check", "new.csv"]).exit(0);
}

/// Two data centres, an image and two keys of the account's own.
fn two_centres(config: &mut Config) {
    let own = Image {
        id: "28d0ee2e-4d57-4f40-9b56-03c1773b5831".parse().unwrap(),
        name: "golden".to_owned(),
        zone: "own".to_owned(),
        ..config.images[0].clone()
    };
    config.spread_over(&["NL-1", "US-1"]);
    config.images.push(own);
    config.ssh_keys.push(SshKey {
        id: "491".to_owned(),
        label: "=cmd".to_owned(),
    });
}

/// The ids under `name` in a list.
fn ids(list: &Value, name: &str, id: &str) -> Vec<String> {
    let rows = list[name].as_array().unwrap().iter();
    rows.map(|row| row[id].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn images_and_keys_of_an_instance_are_those_that_its_rebuild_takes() {
    let rig = Rig::with(2, two_centres);
    let (first, second) = (FIRST.to_string(), (FIRST + 1).to_string());
    let images = rig.call(&["images", &first]).exit(0);
    insta::assert_snapshot!(images.out, @r"
    image                                 name          zone
    18d0ee2e-4d57-4f40-9b56-03c1773b5831  AlmaLinux-8   pub
    7c1f0a52-93d4-4b7e-8a06-5e2d94c1b370  CentOS-7      pub
    a95d4c18-72be-4d61-8f30-6b1e07d924ca  Ubuntu-24.04  pub
    28d0ee2e-4d57-4f40-9b56-03c1773b5831  golden        own
    ");
    let here = rig.call(&["images", &first, "--json"]).exit(0).json();
    let there = rig.call(&["images", &second, "--json"]).exit(0).json();
    assert_eq!(here["images"][0]["name"], there["images"][0]["name"]);
    assert_eq!(here["images"][0]["image"], IMAGE);
    assert_ne!(here["images"][0]["image"], there["images"][0]["image"]);
    let keys = rig.call(&["keys", &second, "--format", "csv"]).exit(0);
    assert_eq!(keys.out, "key,label\n490,key-490\n491,'=cmd\n");
    // What they show is what the API takes, and what the other data centre has is not.
    let other = there["images"][0]["image"].as_str().unwrap();
    let row =
        |service: &str, image: &str| format!("service_id,image,ssh_key\n{service},{image},490\n");
    rig.write("fleet.csv", row(&second, IMAGE));
    rig.run(&[]).exit(1);
    rig.write("fleet.csv", row(&second, other));
    rig.run(&["--again"]).exit(0);
    assert_eq!(rig.wiped(), [0, 1]);
}

#[test]
fn the_catalogue_is_read_in_every_data_centre_or_in_one() {
    let rig = Rig::with(2, two_centres);
    let images = rig.call(&["images", "--catalogue", "--json"]);
    let images = images.exit(0).json();
    let centres = ids(&images, "images", "datacenter");
    assert!(centres.contains(&"NL-1".to_owned()) && centres.contains(&"US-1".to_owned()));
    for name in ["us-1", "2", " US-1 "] {
        let one = rig.call(&["images", "--catalogue", "--datacenter", name, "--json"]);
        let one = one.exit(0).json();
        assert!(
            ids(&one, "images", "datacenter")
                .iter()
                .all(|centre| centre == "US-1")
        );
        assert!(!ids(&one, "images", "image").is_empty());
    }
    let keys = rig.call(&["keys", "--catalogue", "--datacenter", "NL-1"]);
    insta::assert_snapshot!(keys.exit(0).out, @r"
    key  label    datacenter
    490  key-490  NL-1
    491  =cmd     NL-1
    ");
    let unknown = rig.call(&["keys", "--catalogue", "--datacenter", "Mars"]);
    unknown.exit(2).says("it knows NL-1 (id 1), US-1 (id 2)");
    assert_eq!(rig.simulator.record().orders, 0);
}

#[test]
fn own_images_and_keys_are_read_page_by_page() {
    let rig = Rig::with(1, |config| {
        config.page_size = 2;
        let image = config.images[0].clone();
        config.images.extend((0..5).map(|nth| Image {
            name: format!("golden-{nth}"),
            zone: "own".to_owned(),
            ..image.clone()
        }));
        config.ssh_keys = (0..3)
            .map(|nth| SshKey {
                id: (490 + nth).to_string(),
                label: format!("key {nth}"),
            })
            .collect();
    });
    let own = rig.call(&["images", "--own", "--json"]);
    let own = own.exit(0).json();
    assert_eq!(ids(&own, "images", "name").len(), 5);
    assert_eq!(own["images"][0]["status"], "active");
    assert_eq!(own["images"][0]["min_disk"], "20");
    assert_eq!(own["images"][0]["min_ram"], Value::Null);
    let keys = rig.call(&["keys", "--output", "keys.csv"]);
    keys.exit(0).says("3 keys written to keys.csv as CSV");
    let csv = fs::read_to_string(rig.path("keys.csv")).unwrap();
    assert_eq!(csv.lines().next(), Some("key,label,fingerprint,uuid"));
    assert_eq!(csv.lines().nth(3), Some("492,key 2,SHA256:simulated2,"));
    // An account without any of them is no fault.
    let rig = Rig::with(1, |config| config.ssh_keys.clear());
    rig.call(&["keys"]).exit(0).says("offers no key");
    rig.call(&["keys", &FIRST.to_string()])
        .exit(0)
        .says("offers no key");
    rig.call(&["images", "--own", "--json", "-q"])
        .exit(0)
        .says_out("\"images\":[]");
}

#[test]
fn what_the_api_does_not_tell_is_said_with_its_own_code() {
    let rig = Rig::with(1, |config| config.foreign.push(id(77)));
    let missed = rig.call(&["images", "5"]);
    missed
        .exit(2)
        .says("what service 5 can be rebuilt with")
        .says(" services` lists the account's instances");
    let foreign = rig.call(&["images", "77"]);
    foreign.exit(7).says("what service 77 can be rebuilt with");
    for wrong in [
        &["images"][..],
        &["images", "5", "--own"],
        &["images", "--own", "--catalogue"],
        &["images", "5", "--datacenter", "1"],
        &["keys", "--datacenter", "1"],
        &["keys", "5", "--catalogue"],
        &["keys", "five"],
        &["images", "--own", "--rate", "-1"],
    ] {
        rig.call(wrong).exit(2);
    }
    // A call that fails goes again, as in a run; one that is refused for good is not held against it.
    let number = FIRST.to_string();
    for kind in [
        FaultKind::ResetBefore,
        FaultKind::Garbage,
        FaultKind::SessionExpiry,
        FaultKind::TooManyRequests,
        FaultKind::LongRequest,
        FaultKind::Windows1251,
    ] {
        rig.simulator.script(Script::next(Call::Preview, kind));
        rig.simulator.script(Script::next(Call::Other, kind));
        let images = rig.call(&["images", &number, "--json"]);
        assert_eq!(images.exit(0).json()["images"][0]["image"], IMAGE, "{kind}");
        rig.call(&["keys", "--json"]).exit(0).says_out("key-490");
    }
    let forever = |call, kind| Script {
        times: u64::MAX,
        ..Script::next(call, kind)
    };
    rig.simulator.script(forever(Call::Other, FaultKind::Html));
    let html = rig.call(&[
        "images",
        "--catalogue",
        "--rate",
        "0",
        "--output",
        "new.csv",
    ]);
    html.exit(4).says("which tariffs can be ordered");
    assert!(!rig.path("new.csv").exists());
    rig.simulator
        .script(forever(Call::Preview, FaultKind::Forbidden));
    rig.simulator
        .script(forever(Call::Keepalive, FaultKind::Forbidden));
    rig.call(&["images", &number]).exit(8);
}

#[test]
fn no_command_says_sok_but_where_it_logs_in_or_rebuilds() {
    let rig = Rig::with(2, two_centres);
    let number = FIRST.to_string();
    for args in [
        &["services"][..],
        &["images", &number],
        &["images", "--catalogue"],
        &["images", "--own"],
        &["keys"],
        &["keys", &number],
        &["keys", "--catalogue"],
    ] {
        rig.call(&[args, &["-q"]].concat()).exit(0);
    }
    rig.write(
        "fleet.csv",
        format!("service_id,image,ssh_key\n{number},{IMAGE},490\n"),
    );
    rig.run(&[]).exit(0);
    let record = rig.simulator.record();
    assert_eq!(record.orders, 0);
    // The simulator notes each `sok` that comes with anything else.
    assert_eq!(record.violations, [""; 0]);
    assert_eq!(rig.wiped(), [1, 0]);
}

#[test]
fn all_calls_of_a_look_share_one_rate() {
    let rig = Rig::with(1, two_centres);
    rig.call(&["images", "--catalogue", "--rate", "5", "-q"])
        .exit(0);
    let calls = rig.simulator.calls();
    // A login, the tariffs of both data centres, and the form of an order in each.
    assert_eq!(calls.len(), 5, "{calls:?}");
    let took_us = calls[4].at_us - calls[0].at_us;
    assert!(took_us >= 600_000, "{took_us} us: {calls:?}");
}
