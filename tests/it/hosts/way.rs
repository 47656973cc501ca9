//! What holds on the way to the database, and by what an account is known.

use std::process::Command;

use super::{SHORT, nothing_is_lost_or_repeated, rig, run_into_a_hold, take_over};
use crate::rig::{Cluster, Rig, finish};

const PASSWORD: &str = "Geheim4711";

/// `args` on the rig's queue, with something added to its address.
fn by(rig: &Rig, change: impl FnOnce(&str) -> String, args: &[&str]) -> Command {
    let mut command = rig.refleet(args);
    command.env("REFLEET_DB", change(rig.server.as_ref().unwrap()));
    command
}

/// Whoever has tuned the database for speed has not agreed to lose intents.
#[test]
fn what_is_committed_waits_for_the_servers_disk_whatever_the_database_is_set_to() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    let cluster = Cluster::shared().unwrap();
    rig.load();
    let database = rig.ask(cluster, "SELECT current_database()");
    for statement in [
        &format!("ALTER DATABASE {database} SET synchronous_commit = off"),
        "CREATE TABLE public.seen (word text)",
        "CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS
             $$ BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$",
        "CREATE TRIGGER see AFTER INSERT ON refleet.ledger FOR EACH ROW EXECUTE FUNCTION public.see()",
    ] {
        rig.ask(cluster, statement);
    }
    let usual = "SELECT current_setting('synchronous_commit')";
    assert_eq!(rig.ask(cluster, usual), "off");
    rig.run(SHORT).exit(0);
    let seen = "SELECT string_agg(DISTINCT word, ' ') FROM public.seen";
    assert_eq!(rig.ask(cluster, seen), "on");
}

#[test]
fn the_servers_password_is_shown_by_no_command() {
    let Some(rig) = rig(2, |_| {}) else {
        return;
    };
    let with_password = |address: &str| address.replace("fleet@", &format!("fleet:{PASSWORD}@"));
    rig.run(SHORT).exit(0);
    let reaching: [&[&str]; 8] = [
        &["status"],
        &["status", "--json"],
        &["hosts"],
        &["list"],
        &["report"],
        &["verify"],
        &["show", "5113119"],
        &["run", "fleet.csv", "--yes", "-vvv", "--rate", "0"],
    ];
    for args in reaching {
        let ended = finish(by(&rig, with_password, args)).exit(0);
        assert!(!ended.said().contains(PASSWORD), "{ended}");
    }
    let nobody = |address: &str| {
        let (_, database) = address.rsplit_once('/').unwrap();
        format!("postgres://fleet:{PASSWORD}@127.0.0.1:1/{database}")
    };
    for args in [&["status"][..], &["work"], &["run", "fleet.csv", "--yes"]] {
        let ended = finish(by(&rig, nobody, args)).exit(74);
        assert!(!ended.said().contains(PASSWORD), "{ended}");
    }
}

/// The cluster has no certificate.
#[test]
fn a_connection_that_has_to_be_encrypted_is_none_otherwise() {
    let Some(rig) = rig(2, |_| {}) else {
        return;
    };
    rig.load();
    let with = |mode: &'static str| move |address: &str| format!("{address}?sslmode={mode}");
    for mode in ["disable", "allow", "prefer"] {
        finish(by(&rig, with(mode), &["status"])).exit(0);
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let ended = finish(by(&rig, with(mode), &["status"]));
        assert!([2, 74].contains(&ended.code), "{mode}: {ended}");
        assert!(ended.err.contains("TLS"), "{mode}: {ended}");
    }
}

#[test]
fn an_account_is_the_same_however_its_address_is_spelled_and_each_lease_counts_on() {
    let Some(rig) = rig(8, |_| {}) else {
        return;
    };
    // The latest of the account.
    let lease = || {
        let hosts = rig.call(&["hosts", "--format", "json"]).exit(0).json();
        let hosts = hosts["hosts"].as_array().unwrap().clone();
        let of_account = hosts.into_iter().filter(|host| host["account"] != "");
        of_account
            .max_by_key(|host| host["epoch"].as_i64())
            .unwrap()
    };
    rig.simulator.hold_submissions(2);
    let mut first = run_into_a_hold(rig.start(SHORT), &rig);
    let before = lease();
    assert_eq!(before["state"], "works");
    assert!(before["renewed"].is_string(), "{before}");
    let spelled = rig.simulator.url().trim_end_matches('/').to_owned();
    let spelled = spelled.replacen("http", "HTTP", 1);
    let mut second = rig.order("fleet.csv", SHORT);
    second.env("REFLEET_API_URL", spelled);
    let named = format!("process {} on ", first.pid());
    finish(second).exit(75).says(&named);
    first.kill();
    rig.simulator.release_submissions();
    let (_, ended) = take_over(&rig, &first);
    assert!(lease()["epoch"].as_i64() > before["epoch"].as_i64());
    nothing_is_lost_or_repeated(&rig, &ended);
}
