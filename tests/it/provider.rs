//! An order belongs to one provider, whatever its address is called.

use crate::rig::{IMAGE, OTHER_IMAGE, Rig, finish, manifest, quick};

/// The port of this rig's API.
fn port(rig: &Rig) -> String {
    let url = rig.simulator.url().trim_end_matches('/');
    url.rsplit(':').next().unwrap().to_owned()
}

/// A host that refuses every name under it (RFC 6761), so that nothing is ever sent.
const ELSEWHERE: &str = "https://elsewhere.invalid/";

// Field case B1.
/// An order belongs to a provider, however its address is written.
#[test]
fn no_other_spelling_of_the_address_makes_the_same_order_a_new_one() {
    let (rig, other_port) = (Rig::new(3), Rig::new(3));
    rig.run(&[]).exit(0);
    let calls = rig.calls();
    let port = port(&rig);
    let spellings = [
        format!("http://127.0.0.1:{port}/billmgr"),
        format!("http://localhost:{port}/"),
        format!("HTTP://LocalHost.:{port}/billmgr/"),
        format!("http://127.9.9.9:{port}"),
        format!("http://[::1]:{port}"),
        other_port.simulator.url().to_owned(),
    ];
    for spelling in &spellings {
        rig.run(&["--api-url", spelling])
            .exit(0)
            .says("nothing to do");
    }
    rig.write("edited.csv", format!("{}1,{IMAGE},,\n", manifest(3)));
    for spelling in &spellings {
        rig.call(&quick("edited.csv", &["--api-url", spelling]))
            .exit(2)
            .says("3 of these services already got this image");
    }
    assert_eq!((rig.calls(), other_port.calls()), (calls, 0));
    assert_eq!(rig.wiped(), [1, 1, 1]);
}

// Field case B1.
/// A resumed order goes to the address that is given now.
#[test]
fn an_open_order_is_resumed_at_whatever_address_its_provider_has_now() {
    let (rig, moved) = (Rig::new(3), Rig::new(3));
    rig.call(&["load", "fleet.csv"]).exit(0);
    rig.write("edited.csv", manifest(2).replacen(IMAGE, OTHER_IMAGE, 1));
    let address = format!("http://localhost:{}/billmgr", port(&moved));
    rig.call(&quick("edited.csv", &["--api-url", &address]))
        .exit(2)
        .says("2 of these services are still live in another batch");
    rig.run(&["--api-url", &address])
        .exit(0)
        .says("resumes batch 1")
        .says("done 3");
    assert_eq!((rig.calls(), moved.wiped()), (0, vec![1, 1, 1]));
}

// Field case B1.
/// The same service ids at another provider are other instances.
#[test]
fn a_really_different_provider_is_refused_and_needs_a_database_of_its_own() {
    let rig = Rig::new(3);
    rig.call(&["load", "fleet.csv"]).exit(0);
    let elsewhere = ["--api-url", ELSEWHERE];
    let run = quick("fleet.csv", &elsewhere);
    for args in [
        run.clone(),
        quick("fleet.csv", &["--api-url", ELSEWHERE, "--again"]),
        vec!["load", "fleet.csv", "--api-url", ELSEWHERE],
        vec!["run", "--yes", "--api-url", ELSEWHERE],
    ] {
        rig.call(&args)
            .exit(2)
            .says("batch 1 of this database belongs to")
            .says(rig.simulator.url())
            .says(ELSEWHERE)
            .says("--db");
    }
    // A cancelled order of which nothing was sent ties the database to no provider.
    rig.call(&run)
        .says("cancel --all --batch 1` gives that order up");
    rig.call(&["cancel", "--all"]).exit(0);
    rig.call(&["load", "fleet.csv", "--api-url", ELSEWHERE])
        .exit(0);
    rig.call(&["cancel", "--all"]).exit(0);

    rig.run(&["--again"]).exit(0);
    let refused = rig.call(&run).exit(2).says("batch 3 of this database");
    assert!(!refused.err.contains("cancel"), "{}", refused.err);
    // A rehearsal is a provider of its own.
    let mut rehearsal = rig.refleet(&["run", "fleet.csv", "--simulate", "--yes"]);
    rehearsal.env_remove("REFLEET_API_URL");
    finish(rehearsal)
        .exit(2)
        .says("and the API given is simulation");
    assert_eq!(rig.wiped(), [1, 1, 1]);
}
