//! A batch belongs to the account under which it was begun, and goes on under no other.

use std::process::Command;

#[cfg(target_os = "linux")]
use crate::rig::{Size, on_a_terminal, quick};

use crate::rig::{OTHER_IMAGE, Rig, Running, bare, finish, manifest};
use refleet::simulator::{AccountChange, Call, Fault, FaultKind, Script, Sessions};

/// What the simulator names unless it is told otherwise.
const OURS: &str = "70001 (operator@example.com)";
const THEIRS: &str = "70002 (operator@example.com)";

/// The same provider and the same services, seen with the credentials of another account.
fn another(count: usize) -> Rig {
    Rig::with(count, |config| config.account = Some("70002".to_owned()))
}

/// A run of `ours` with the credentials, and so the API, of `theirs`.
fn as_another(ours: &Rig, theirs: &Rig, manifest: &str, more: &[&str]) -> Command {
    let address = ["--api-url", theirs.simulator.url()];
    ours.order(manifest, &[&address, more].concat())
}

/// A batch of three that halts after the first has failed.
fn halted(rig: &Rig) {
    rig.fault(0, Fault::from(FaultKind::SecretEcho));
    rig.run(&["--workers", "1", "--max-failures", "1"])
        .exit(6)
        .says(&format!(", of account {OURS}"));
    assert_eq!(rig.wiped(), [0, 0, 0]);
}

#[test]
fn a_batch_is_not_resumed_with_the_credentials_of_another_account() {
    let (ours, theirs) = (Rig::new(3), another(3));
    halted(&ours);
    let address = theirs.simulator.url();
    let mut without_a_manifest = ours.refleet(&["run", "--yes", "--api-url", address]);
    without_a_manifest.args(ours.pace.words());
    for command in [
        as_another(&ours, &theirs, "fleet.csv", &[]),
        as_another(&ours, &theirs, "fleet.csv", &["--again"]),
        as_another(&ours, &theirs, "fleet.csv", &["--every", "20h"]),
        as_another(&ours, &theirs, "fleet.csv", &["--no-wait"]),
        without_a_manifest,
    ] {
        finish(command)
            .exit(2)
            .says(&format!("the batch belongs to account {OURS}"))
            .says(&format!("those of account {THEIRS}"))
            .says("give the credentials of account 70001 (ZOMRO_USERNAME and ZOMRO_PASSWORD");
        assert_eq!((theirs.submissions(), theirs.wiped()), (0, vec![0; 3]));
    }
    assert_eq!(ours.wiped(), [0, 0, 0]);
    // The right credentials go on.
    ours.call(&["retry", "--failed"]).exit(0);
    ours.run(&[]).exit(0).says("done 3");
    ours.assert_truth(1);
}

#[test]
fn status_report_and_events_name_the_account() {
    let rig = Rig::new(3);
    rig.load();
    let before = rig.call(&["status"]).exit(0);
    assert!(!before.out.contains("account"), "{}", before.out);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert!(status["account"].is_null(), "{status}");
    let report = rig.call(&["report", "--json"]).exit(0).json();
    assert!(report["account"].is_null(), "{report}");

    rig.run(&[]).exit(0).says(&format!(", of account {OURS}"));
    rig.call(&["status"]).exit(0).says_out(OURS);
    for args in [["status", "--json"], ["report", "--json"]] {
        let said = rig.call(&args).exit(0).json();
        assert_eq!(said["account"]["id"], "70001", "{said}");
        assert_eq!(said["account"]["label"], "operator@example.com", "{said}");
    }
    let again = rig.run(&["--again", "--events", "-"]).exit(0);
    let first: serde_json::Value = serde_json::from_str(again.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["type"], "run_started");
    assert!(first["account"].is_null(), "nobody was asked yet: {first}");
}

/// Cron with the wrong credentials: nothing was sent, and the right ones go on with the same order.
#[test]
fn an_order_that_was_never_sent_binds_no_account() {
    let ours = Rig::new(3);
    let theirs = Rig::with(3, |config| {
        config.account = Some("70002".to_owned());
        config.instances.clear();
    });
    finish(as_another(&ours, &theirs, "fleet.csv", &[]))
        .exit(6)
        .says("3 of 3 services of the order are not in the account's list");
    let status = ours.call(&["status", "--json"]).exit(0).json();
    assert!(status["account"].is_null(), "{status}");
    ours.run(&[]).exit(0).says("resumes batch 1").says("done 3");
    ours.assert_truth(1);
}

/// Service ids are the provider's: what one account did is done for the other as well.
#[test]
fn an_instance_that_moved_to_another_account_is_the_same_instance() {
    let (ours, theirs) = (Rig::new(3), another(3));
    ours.run(&[]).exit(0);
    ours.write(
        "edited.csv",
        manifest(2).replacen("row of", "note on", 1) + "\n",
    );
    let mut more = manifest(3).replace(crate::rig::IMAGE, OTHER_IMAGE);
    more.push('\n');
    ours.write("other.csv", &more);
    finish(as_another(&ours, &theirs, "edited.csv", &[]))
        .exit(2)
        .says("2 of these services already got this image");
    // An order of another image is a new one, of the account that sends it.
    finish(as_another(&ours, &theirs, "other.csv", &[])).exit(0);
    assert_eq!((ours.wiped(), theirs.wiped()), (vec![1; 3], vec![1; 3]));
    let status = ours.call(&["status", "--json"]).exit(0).json();
    assert_eq!(status["account"]["id"], "70002");
    ours.call(&["status", "--batch", "1"])
        .exit(0)
        .says_out(OURS);
}

#[test]
fn a_session_that_becomes_another_accounts_sends_nothing_more() {
    let rig = Rig::new(3);
    rig.simulator.hold_submissions(1);
    let mut run = rig.start(&["--workers", "1"]);
    let ended = run.wait_until(|| rig.submissions() == 1);
    assert!(ended.is_none(), "{}", run.said());
    rig.simulator.set(AccountChange {
        account: Some("70002".to_owned()),
        sessions: Some(Sessions::Expire),
        ..AccountChange::default()
    });
    rig.simulator.release_submissions();
    run.end()
        .exit(2)
        .says(&format!("the batch belongs to account {OURS}"))
        .says(&format!("those of account {THEIRS}"));
    assert_eq!(rig.wiped(), [1, 0, 0]);
    let back = AccountChange {
        account: Some("70001".to_owned()),
        ..AccountChange::default()
    };
    rig.simulator.set(back);
    rig.run(&[]).exit(0).says("done 3");
    rig.assert_truth(1);
}

#[test]
fn nothing_is_sent_before_the_session_has_said_whose_it_is() {
    for (kind, exit) in [
        (FaultKind::Garbage, 4),
        (FaultKind::Unavailable, 4),
        (FaultKind::ResetBefore, 4),
    ] {
        let rig = Rig::new(3);
        rig.simulator.script(Script {
            times: u64::MAX,
            ..Script::next(Call::Other, kind)
        });
        let run = rig.run(&["--outage-timeout", "2s"]);
        assert_eq!(run.code, exit, "{kind}: {run}");
        assert_eq!((rig.submissions(), rig.wiped()), (0, vec![0; 3]), "{kind}");
        rig.simulator.clear_scripts();
        rig.run(&[]).exit(0).says("done 3");
    }
}

#[test]
fn a_batch_of_an_account_is_not_resumed_with_a_session_that_names_nobody() {
    let rig = Rig::new(3);
    halted(&rig);
    rig.call(&["retry", "--failed"]).exit(0);
    let sent = rig.submissions();
    for args in [
        ["--account-field", "nobody.$id"].as_slice(),
        &["--account-field", "nobody.$id", "--no-wait"],
        &["--account-field", "nobody.$id", "--every", "20h", "-q"],
    ] {
        rig.run(args)
            .exit(2)
            .says(&format!(
                "the batch belongs to account {OURS}, and the API does not say whose this session is"
            ))
            .says("or say with --account-field where the API names the account");
        assert_eq!((rig.submissions(), rig.wiped()), (sent, vec![0; 3]));
    }
    // One refusal of the question is asked again.
    let refused = Fault {
        error_type: Some("value".to_owned()),
        ..Fault::new(FaultKind::Error)
    };
    rig.simulator.script(Script::next(Call::Other, refused));
    let run = rig.run(&[]).exit(0).says("done 3");
    assert!(!run.err.contains("whose session"), "{}", run.err);
    rig.assert_truth(1);
}

#[test]
fn an_api_that_names_nobody_is_said_once_and_the_field_can_be_told() {
    let rig = Rig::with(3, |config| config.account = None);
    let run = rig.run(&[]).exit(0);
    let said = run
        .err
        .matches("does not say whose session this is")
        .count();
    assert_eq!(said, 1, "{}", run.err);
    let status = rig.call(&["status", "--json"]).exit(0).json();
    assert!(status["account"].is_null(), "{status}");

    let rig = Rig::new(3);
    let mut run = rig.order("fleet.csv", &[]);
    run.env("REFLEET_ACCOUNT_FIELD", "user.$realname");
    finish(run)
        .exit(0)
        .says(", of account operator (operator@example.com)");
    rig.run(&["--again", "--account-field", "nobody.$id"])
        .exit(0)
        .says("does not say whose session this is");
    rig.run(&["--again", "--account-field", "user."])
        .exit(2)
        .says("as in user.$id");
}

#[test]
fn the_simulator_is_the_account_that_it_is_told_to_be() {
    let rig = Rig::new(1);
    for (id, account) in [("4242", Some("4242")), ("", None)] {
        let mut simulate = bare(rig.folder.path());
        simulate.args([
            "simulate",
            "fleet.csv",
            "--session",
            "sesame",
            "--account-id",
            id,
        ]);
        let mut simulator = Running::start(simulate);
        simulator.wait_for_word("listening on ");
        let said = simulator.said();
        let address = said.split("listening on ").nth(1).unwrap();
        let address = address.lines().next().unwrap();
        let mut run = rig.order("fleet.csv", &["--again", "--api-url", address]);
        run.env_remove("ZOMRO_USERNAME")
            .env_remove("ZOMRO_PASSWORD");
        run.env("ZOMRO_AUTH", "sesame");
        finish(run).exit(0);
        let status = rig.call(&["status", "--json"]).exit(0).json();
        assert_eq!(status["account"]["id"].as_str(), account);
        simulator.signal("INT");
        simulator.end().exit(0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_question_names_the_account_and_is_not_asked_for_another_accounts_batch() {
    let (ours, theirs) = (Rig::new(3), another(3));
    let ask = |rig: &Rig, typed: &[(&str, &[u8])]| {
        let mut args = quick("fleet.csv", &["--api-url", rig.simulator.url()]);
        args.retain(|arg| *arg != "--yes");
        on_a_terminal(ours.refleet(&args), Size::WIDE, typed)
    };
    // What was answered with yes is bound, although nothing was sent yet.
    ours.load();
    ours.fault(0, FaultKind::SecretEcho);
    let typed = [("instances: ", &b"3\n"[..])];
    let (_, said) = ask(&ours, &typed);
    let asked = format!("3 instances of account {OURS} at ");
    assert!(said.contains(&asked), "{said}");
    ours.call(&["retry", "--failed"]).exit(0);
    let (code, said) = ask(&theirs, &[]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains(&format!("the batch belongs to account {OURS}")),
        "{said}"
    );
    assert!(
        said.contains(&format!("those of account {THEIRS}")),
        "{said}"
    );
    assert!(
        !said.contains("instances: ") && !said.contains("1 instance: "),
        "{said}"
    );
    assert_eq!(theirs.submissions(), 0);
}
