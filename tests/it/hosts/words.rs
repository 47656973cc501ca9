//! What is said of a host, and by one that comes too late.

use refleet::job::LedgerEntry;

use super::{SHORT, get_what_they_have, rig, run_into_a_hold};
use crate::rig::{Cluster, Ended, IMAGE, PASSWORD, Rig, finish};

/// A run on the host `name`, told so much in the environment.
pub(super) fn on(rig: &Rig, name: &str, environment: &[(&str, &str)]) -> std::process::Command {
    let mut command = rig.order("fleet.csv", SHORT);
    command.env("REFLEET_HOST", name);
    command.envs(environment.iter().copied());
    command
}

/// What has worked so far was on another machine: the kernel of this one can't say that it has ended.
fn was_on_another_machine(rig: &Rig) {
    let cluster = Cluster::shared().unwrap();
    rig.ask(cluster, "UPDATE refleet.run SET kernel = 'another'");
}

/// A run on the host `name`, as soon as nobody else has the lease.
pub(super) fn when_free(rig: &Rig, name: &str) -> Ended {
    loop {
        let ended = finish(on(rig, name, &[]));
        if ended.code != 75 {
            return ended;
        }
    }
}

#[test]
fn what_a_host_left_is_sent_again_only_when_it_is_down_and_nothing_of_it_can_arrive() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    let dies = [("REFLEET_FAILPOINT", "before_send:2")];
    finish(on(&rig, "alpha", &dies));
    was_on_another_machine(&rig);
    when_free(&rig, "beta").exit(3);
    let left = rig.stories().unwrap();
    let left: Vec<_> = left.iter().filter(|story| story.record.held).collect();
    assert!(!left.is_empty());
    let all = [
        "resolve",
        "--all",
        "--as",
        "requeue",
        "--reason",
        "it did not send",
    ];
    // Nobody has said that it is down.
    rig.call(&all)
        .says("host alpha may still send it")
        .says("hosts fence alpha --reason TEXT");
    let hosts = rig.call(&["hosts"]).exit(0);
    hosts
        .says_out("alpha")
        .says_out("lost its lease to another")
        .says_out("beta");
    rig.call(&["hosts", "fence", "gamma", "--reason", "looked"])
        .exit(2)
        .says("alpha, beta");
    rig.call(&["hosts", "fence", "alpha", "--reason", "switched off"])
        .exit(0);
    // What it had sent may still arrive: so long as its calls take, and the list lags.
    let early = rig.call(&all);
    early.says("may still arrive until");
    let submissions = rig.submissions();
    loop {
        rig.call(&all).exit(0);
        if rig
            .stories()
            .unwrap()
            .iter()
            .all(|story| !story.record.held)
        {
            break;
        }
    }
    assert_eq!(rig.submissions(), submissions, "a word sends nothing");
    when_free(&rig, "beta").exit(0);
    super::each_was_wiped_once(&rig);
}

/// What alpha left is called failed, and ordered anew: alpha may live, and send its own form after that of the
/// new order.
#[test]
fn a_new_order_waits_for_the_host_that_may_still_send_what_an_earlier_one_left() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    let dies = [("REFLEET_FAILPOINT", "before_send:2")];
    finish(on(&rig, "alpha", &dies));
    was_on_another_machine(&rig);
    when_free(&rig, "beta").exit(3);
    let left: Vec<String> = (rig.stories().unwrap().iter().zip(&rig.services))
        .filter(|(story, _)| story.record.held)
        .map(|(_, service)| service.to_string())
        .collect();
    assert!(!left.is_empty());
    let failed = ["resolve", "--all", "--as", "failed", "--reason", "looked"];
    rig.call(&failed).exit(0);
    let first = left[0].as_str();
    rig.call(&["cancel", first]).exit(0);
    let rows = left
        .iter()
        .map(|service| format!("{service},{IMAGE},{PASSWORD}\n"));
    let sheet: String = rows.collect();
    rig.write("again.csv", format!("service_id,image,password\n{sheet}"));
    let again = || {
        let mut command = rig.order("again.csv", &[SHORT, &["--again"]].concat());
        command.env("REFLEET_HOST", "beta");
        finish(command)
    };
    let sent = rig.submissions();
    again()
        .exit(6)
        .says("host alpha may still send what it left of batch 1")
        .says("hosts fence alpha --reason TEXT");
    assert_eq!(rig.submissions(), sent);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    let bound = status["held_back"]["bound"].as_array().unwrap();
    assert_eq!(bound.len(), left.len());
    assert_eq!(bound[0]["until"]["needs"], "word");
    assert!(
        status["next"]
            .as_str()
            .unwrap()
            .ends_with("hosts fence alpha --reason TEXT")
    );
    rig.call(&["status"])
        .exit(0)
        .says_out("host alpha may still send it");
    rig.call(&["list"])
        .exit(0)
        .says_out("held back by what batch 1 submitted (host alpha may still send it");
    rig.call(&["show", first])
        .exit(0)
        .says_out("hosts fence alpha --reason TEXT");
    rig.call(&["hosts", "fence", "alpha", "--reason", "switched off"])
        .exit(0);
    let shown = rig.call(&["show", first, "--json"]).exit(0).json();
    let hold = &shown["jobs"][0]["held_back"][0];
    assert_eq!(hold["rule"], "stray");
    assert!(hold["until"]["at"].is_string(), "{hold}");
    // It waits until nothing of alpha can arrive any more, and goes on by itself.
    again().exit(0);
    super::each_was_wiped_once(&rig);
}

#[test]
fn a_host_that_works_is_not_called_down() {
    let Some(rig) = rig(4, |_| {}) else {
        return;
    };
    rig.simulator.hold_submissions(2);
    let first = run_into_a_hold(rig.start(SHORT), &rig);
    let hosts = rig.call(&["hosts", "--json"]).exit(0).json();
    let host = hosts["hosts"][0]["host"].as_str().unwrap().to_owned();
    rig.call(&["hosts", "fence", &host, "--reason", "I think so"])
        .exit(2)
        .says("it works");
    rig.simulator.release_submissions();
    first.end().exit(0);
    let in_file = Rig::new(1);
    in_file.load();
    in_file
        .call(&["hosts"])
        .exit(2)
        .says("this queue is a file");
}

#[test]
fn a_host_that_comes_too_late_is_heard() {
    let Some(rig) = rig(3, |_| {}) else {
        return;
    };
    get_what_they_have(&rig);
    rig.simulator.hold_submissions(2);
    // It still waits for its answer when it thaws.
    let patient = [SHORT, &["--timeout", "5m"]].concat();
    let first = run_into_a_hold(rig.start(&patient), &rig);
    first.signal("STOP");
    rig.simulator.release_submissions();
    when_free(&rig, "beta");
    first.signal("CONT");
    first.end().exit(75);
    when_free(&rig, "beta");
    let accepted = |entry: &LedgerEntry| matches!(entry, LedgerEntry::Accepted { .. });
    for story in rig.stories().unwrap() {
        let mut lines = story.lines.iter();
        assert!(lines.any(|line| accepted(&line.entry)), "{story:?}");
    }
    super::each_was_wiped_once(&rig);
}

#[test]
fn what_cannot_be_true_together_is_shown_before_anything_is_sent() {
    let (Some(rig), Some(cluster)) = (rig(4, |_| {}), Cluster::shared()) else {
        return;
    };
    let dies = [("REFLEET_FAILPOINT", "before_send:2")];
    finish(on(&rig, "alpha", &dies));
    rig.ask(
        cluster,
        "INSERT INTO refleet.testimony (job_id, attempt, epoch, run_id, holder, host, said_at_ms, entry)
         SELECT job.id, 7, run.epoch, run.id, run.tenure, run.host, 0, '{\"kind\":\"accepted\",\"submitted_ms\":0}'
         FROM refleet.job, refleet.run WHERE job.line = 2",
    );
    let sent = rig.submissions();
    when_free(&rig, "beta")
        .exit(70)
        .says("this ledger does not have its intent");
    assert_eq!(rig.submissions(), sent);
    when_free(&rig, "beta").exit(3);
}

#[test]
fn a_database_that_is_another_one_is_worked_on_only_when_it_is_adopted() {
    let (Some(rig), Some(cluster)) = (rig(3, |_| {}), Cluster::shared()) else {
        return;
    };
    finish(on(&rig, "alpha", &[("REFLEET_FAILPOINT", "before_send:1")]));
    let adopt = |more: &[&str]| {
        let reason = ["adopt", "--lease", "3s", "--reason", "it is switched off"];
        rig.call(&[&reason[..], more].concat())
    };
    adopt(&[]).exit(2).says("this is the very database");
    // As if a standby had been promoted since.
    rig.ask(cluster, "UPDATE refleet.origin SET timeline = timeline + 1");
    rig.run(SHORT)
        .exit(6)
        .says("a standby was promoted")
        .says("adopt --reason TEXT");
    for command in [&["load", "fleet.csv"][..], &["retry", "--failed"]] {
        rig.call(command).exit(6).says("a standby was promoted");
    }
    adopt(&[])
        .exit(75)
        .says("it is too early")
        .says("adopt --wait");
    adopt(&["--wait"])
        .exit(3)
        .says("waiting until")
        .says_out("3 jobs of batch 1 may have been sent");
    rig.run(SHORT).exit(3);
    assert_eq!(rig.submissions(), 0);
    let all = [
        "resolve",
        "--all",
        "--as",
        "requeue",
        "--reason",
        "none was wiped",
    ];
    rig.call_once_settled(&all).exit(0);
    rig.run(SHORT).exit(0);
    super::each_was_wiped_once(&rig);
}
